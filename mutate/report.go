package main

// What is known of survivors, and what is said at the end.

import (
	"fmt"
	"io"
	"strings"
)

// readSurvivors reads survivors.txt: mutants, one a line, as key names them, and
// below one or several of them, indented, the reason why no test can kill them.
func readSurvivors(text string) (map[string]string, error) {
	reasons := map[string]string{}
	var keys []string
	reason := ""
	flush := func() error {
		if (reason == "") != (len(keys) == 0) {
			return fmt.Errorf("mutants without a reason, or a reason without mutants: %q, %q", keys, reason)
		}
		for _, k := range keys {
			if reasons[k] != "" {
				return fmt.Errorf("explained twice: %s", k)
			}
			reasons[k] = reason
		}
		keys, reason = nil, ""
		return nil
	}
	for _, line := range strings.Split(text, "\n") {
		switch {
		case strings.TrimSpace(line) == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, " "):
			reason = strings.TrimSpace(reason + " " + strings.TrimSpace(line))
		default:
			if reason != "" {
				if err := flush(); err != nil {
					return nil, err
				}
			}
			keys = append(keys, line)
		}
	}
	return reasons, flush()
}

// explain marks the survivors that have a reason, and returns the reasons that
// stand for no survivor of the files that were tried.
func explain(list []*mutant, reasons map[string]string) (stale []string) {
	byKey := map[string]*mutant{}
	for _, m := range list {
		byKey[m.key()] = m
	}
	for key, reason := range reasons {
		switch m := byKey[key]; {
		case m == nil:
			stale = append(stale, key)
		case m.Result == survived:
			m.Result, m.Reason = explained, reason
		case m.Result != "":
			stale = append(stale, key)
		}
	}
	return stale
}

// A tally counts the mutants of a file by their result.
type tally map[result]int

func (t tally) compiled() int { return t[killed] + t[timeout] + t[survived] + t[explained] }

func (t tally) String() string {
	rate := 100.0
	if n := t.compiled(); n > 0 {
		rate = 100 * float64(t[killed]+t[timeout]) / float64(n)
	}
	return fmt.Sprintf("%5d %7d %8d %10d %9d %13d %8.1f %%",
		t.compiled(), t[killed], t[timeout], t[explained], t[survived], t[notCompiled], rate)
}

// report writes the figures of each file, and every survivor without a reason.
// It returns how many of these there are.
func report(w io.Writer, files []string, list []*mutant) int {
	total := tally{}
	fmt.Fprintf(w, "%-14s %5s %7s %8s %10s %9s %13s %10s\n",
		"file", "tried", "killed", "timeout", "explained", "survived", "not compiled", "killed")
	for _, file := range files {
		t := tally{}
		for _, m := range list {
			if m.File == file {
				t[m.Result]++
				total[m.Result]++
			}
		}
		fmt.Fprintf(w, "%-14s %s\n", file, t)
	}
	fmt.Fprintf(w, "%-14s %s\n", "all", total)
	for _, m := range list {
		if m.Result == survived {
			fmt.Fprintf(w, "\n%s:%d survived\n%s\n", m.File, m.Line, m.key())
		}
	}
	return total[survived]
}
