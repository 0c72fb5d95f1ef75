package main

// This file writes the results of all peers into autobahn/README.md, between the two
// markers: a table of counts, and below it the cases behind the counts.

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

const (
	beginMark = "<!-- peers:begin -->"
	endMark   = "<!-- peers:end -->"
)

// entrant is one line of the table.
type entrant struct {
	name, version, role string
	cases               map[string]result.Entry
}

// tally counts an entrant's results of the original's cases, and of the suite's own.
// A case counts once, under the worse of its two verdicts.
type tally struct {
	ok, informational, nonStrict, unimplemented, failed int
	closing                                             int // behaviour right, close wrong
	own, ownOK                                          int
	bad                                                 map[string][]string // verdict, ids
}

func (e entrant) tally() tally {
	t := tally{bad: make(map[string][]string)}
	for id, r := range e.cases {
		if isOwn(id) {
			t.own++
			if r.Passed(id, true) {
				t.ownOK++
			} else {
				t.bad["beyond the original"] = append(t.bad["beyond the original"], id)
			}
			continue
		}
		t.count(id, r)
	}
	for _, ids := range t.bad {
		slices.SortFunc(ids, compareIDs)
	}
	return t
}

func (t *tally) count(id string, r result.Entry) {
	verdict := r.Behavior
	switch {
	case r.Behavior == result.Failed:
		t.failed++
	case r.BehaviorClose != result.OK && r.BehaviorClose != result.Informational:
		verdict = r.BehaviorClose
		t.closing++
	case r.Behavior == result.NonStrict:
		t.nonStrict++
	case r.Behavior == result.Unimplemented:
		t.unimplemented++
	case r.Behavior == result.Informational:
		t.informational++
	default:
		t.ok++
	}
	if !r.Passed(id, true) {
		t.bad[verdict] = append(t.bad[verdict], id)
	}
}

// isOwn tells whether the original suite lacks a case.
func isOwn(id string) bool {
	first, _, _ := strings.Cut(id, ".")
	n, err := strconv.Atoi(first)
	return err == nil && n >= 20
}

// compareIDs orders case ids by their numbers.
func compareIDs(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		m, _ := strconv.Atoi(x)
		n, _ := strconv.Atoi(y)
		return m - n
	})
}

// table draws the entrants, in their order.
func table(entrants []entrant) string {
	var b strings.Builder
	b.WriteString("| implementation | role | OK | informational | non-strict | unimplemented | close not OK | failed | beyond the original |\n")
	b.WriteString("|---|---|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, e := range entrants {
		t := e.tally()
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %s | %s | %s | %s | %d of %d |\n", strings.TrimSpace(e.name+" "+e.version), e.role,
			t.ok, t.informational, dash(t.nonStrict), dash(t.unimplemented), dash(t.closing), dash(t.failed), t.ownOK, t.own)
	}
	b.WriteString("\nWhat is behind the numbers:\n\n")
	for _, e := range entrants {
		t := e.tally()
		if len(t.bad) == 0 {
			continue
		}
		fmt.Fprintf(&b, "- **%s, %s**:", e.name, e.role)
		for i, verdict := range slices.Sorted(maps.Keys(t.bad)) {
			if i > 0 {
				b.WriteString(";")
			}
			fmt.Fprintf(&b, " %s %s", verdict, ranges(t.bad[verdict]))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func dash(n int) string {
	if n == 0 {
		return "–"
	}
	return strconv.Itoa(n)
}

// ranges shortens a sorted list of ids: 6.4.1, 6.4.2, 6.4.3 become 6.4.1–3.
func ranges(ids []string) string {
	var parts []string
	for i := 0; i < len(ids); {
		group, first := splitID(ids[i])
		j, last := i+1, first
		for ; j < len(ids); j++ {
			g, n := splitID(ids[j])
			if g != group || n != last+1 {
				break
			}
			last = n
		}
		part := ids[i]
		if last > first {
			part += fmt.Sprintf("–%d", last)
		}
		parts = append(parts, part)
		i = j
	}
	return strings.Join(parts, ", ")
}

func splitID(id string) (group string, n int) {
	dot := strings.LastIndexByte(id, '.')
	n, _ = strconv.Atoi(id[dot+1:])
	return id[:max(dot, 0)], n
}

// writeTable puts the table between the markers of a file.
func writeTable(path string, text string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(b, []byte(beginMark))
	_, after, ok2 := bytes.Cut(rest, []byte(endMark))
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for the table: %s and %s", path, beginMark, endMark)
	}
	out := slices.Concat(before, []byte(beginMark+"\n"+text), []byte(endMark), after)
	return os.WriteFile(path, out, 0o644)
}
