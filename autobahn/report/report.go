// Package report reads what a conformance run left in a directory, tells whether
// it is good enough, compares it with another run, and draws it as one HTML page.
// It takes the documents of package result, whoever wrote them: the Go suite, or
// the original in its container.
//
//	index, err := report.Load("out/servers")
//	for _, p := range report.Judge(index) { fmt.Println(p) }
//	err = report.WriteHTML("out/servers")
//
// This file holds Load, Judge, Missing and Diff. Lists come sorted by agent and
// then by case number, so the same run gives the same text. Nothing here keeps
// state: every function may be called from any goroutine. The suite's command,
// autobahn/judge and autobahn/peers call it.
package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// Load reads index.json of a run's directory. An index without agents is an
// error: a run that tested nothing has not passed.
func Load(dir string) (result.Index, error) { return Read(filepath.Join(dir, "index.json")) }

// Read is [Load] for a file of any name, such as a golden index.
func Read(path string) (result.Index, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	var index result.Index
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, fmt.Errorf("report: %s is not an index: %w", path, err)
	}
	if len(index) == 0 {
		return nil, fmt.Errorf("report: %s names no agent: nothing was tested", path)
	}
	return index, nil
}

// Problem is one result that keeps a run from passing.
type Problem struct {
	Agent string
	Case  string
	Field string // "behavior" or "behaviorClose"; "" when the case is missing
	Got   string // the verdict; "" when the case is missing
	File  string // the report of the case, beside the index
}

// String says what is wrong in one line.
func (p Problem) String() string {
	if p.Field == "" {
		return fmt.Sprintf("%s: case %s was not run", p.Agent, p.Case)
	}
	return fmt.Sprintf("%s: case %s: %s is %s (%s)", p.Agent, p.Case, p.Field, p.Got, p.File)
}

// Judge returns every verdict that is not good enough: behavior and behaviorClose
// must both be OK, or both INFORMATIONAL in the cases named by
// [result.AlwaysInformational]. NON-STRICT and UNIMPLEMENTED are problems too. An
// empty list says that all cases that ran passed; [Missing] says which did not run.
func Judge(index result.Index) []Problem {
	var problems []Problem
	for _, agent := range slices.Sorted(maps.Keys(index)) {
		cases := index[agent]
		for _, id := range sortedIDs(cases) {
			problems = append(problems, judge(agent, id, cases[id])...)
		}
	}
	return problems
}

// judge returns the problems of one case: none, one or two.
func judge(agent, id string, e result.Entry) []Problem {
	if e.Passed(id, true) {
		return nil
	}
	var problems []Problem
	if e.Behavior != result.OK {
		problems = append(problems, Problem{agent, id, "behavior", verdictName(e.Behavior), e.ReportFile})
	}
	if e.BehaviorClose != result.OK {
		problems = append(problems, Problem{agent, id, "behaviorClose", verdictName(e.BehaviorClose), e.ReportFile})
	}
	return problems
}

// verdictName names a verdict in a message, also the one that is not there.
func verdictName(v string) string {
	if v == "" {
		return "absent"
	}
	return v
}

// Missing returns a problem for each of the original's 517 cases that an agent
// did not run. A run of chosen cases need not ask; a verdict on an implementation
// has to.
func Missing(index result.Index) []Problem {
	var problems []Problem
	for _, agent := range slices.Sorted(maps.Keys(index)) {
		for _, id := range originalIDs() {
			if _, ok := index[agent][id]; !ok {
				problems = append(problems, Problem{Agent: agent, Case: id})
			}
		}
	}
	return problems
}

// Difference is one value that two indexes do not agree on.
type Difference struct {
	Agent string
	Case  string // "" when a whole agent is missing
	Field string // "behavior", "behaviorClose", "remoteCloseCode"; "case" or "agent" when one side lacks it
	Want  string
	Got   string
}

// String says what differs in one line.
func (d Difference) String() string {
	if d.Field == "agent" {
		return fmt.Sprintf("agent %s: want %s, got %s", d.Agent, d.Want, d.Got)
	}
	return fmt.Sprintf("%s: case %s: %s: want %s, got %s", d.Agent, d.Case, d.Field, d.Want, d.Got)
}

// Diff compares two indexes: agents, cases, both verdicts, and the close code the
// peer sent. Durations and names of files are left out. A better verdict is a
// difference as well, so that a golden index never lags behind.
func Diff(want, got result.Index) []Difference {
	var diffs []Difference
	for _, agent := range unionKeys(want, got) {
		w, inWant := want[agent]
		g, inGot := got[agent]
		if inWant != inGot {
			diffs = append(diffs, Difference{Agent: agent, Field: "agent", Want: presence(inWant), Got: presence(inGot)})
			continue
		}
		diffs = append(diffs, diffCases(agent, w, g)...)
	}
	return diffs
}

// diffCases compares the cases of one agent.
func diffCases(agent string, want, got map[string]result.Entry) []Difference {
	var diffs []Difference
	ids := unionKeys(want, got)
	slices.SortFunc(ids, compareIDs)
	for _, id := range ids {
		add := func(field, w, g string) {
			if w != g {
				diffs = append(diffs, Difference{agent, id, field, w, g})
			}
		}
		w, inWant := want[id]
		g, inGot := got[id]
		if inWant != inGot {
			add("case", presence(inWant), presence(inGot))
			continue
		}
		add("behavior", w.Behavior, g.Behavior)
		add("behaviorClose", w.BehaviorClose, g.BehaviorClose)
		add("remoteCloseCode", codeName(w.RemoteCloseCode), codeName(g.RemoteCloseCode))
	}
	return diffs
}

func presence(there bool) string {
	if there {
		return "present"
	}
	return "absent"
}

func codeName(code *int) string {
	if code == nil {
		return "none"
	}
	return strconv.Itoa(*code)
}

// unionKeys returns the keys of both maps, sorted as text.
func unionKeys[V any](a, b map[string]V) []string {
	keys := slices.Sorted(maps.Keys(a))
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// sortedIDs returns the case ids of one agent in the order of their numbers.
func sortedIDs[V any](cases map[string]V) []string {
	return slices.SortedFunc(maps.Keys(cases), compareIDs)
}

// compareIDs orders case ids by their numbers: 9.2.1 before 10.1.1.
func compareIDs(a, b string) int {
	return cmp.Or(slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		m, errX := strconv.Atoi(x)
		n, errY := strconv.Atoi(y)
		if errX != nil || errY != nil {
			return strings.Compare(x, y)
		}
		return cmp.Compare(m, n)
	}), strings.Compare(a, b))
}
