package report_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket/autobahn/report"
	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// testdata holds output of the original suite, version 25.10.1: two whole indexes
// and a few reports of cases, unchanged.

func code(n int) *int { return &n }

func load(t *testing.T, dir string) result.Index {
	t.Helper()
	index, err := report.Load(filepath.Join("testdata", dir))
	require.NoError(t, err)
	return index
}

func TestJudgeFindsNothingInACleanRun(t *testing.T) {
	index := load(t, "gorilla")
	require.Len(t, index["gorilla-utf8"], 517)
	require.Empty(t, report.Judge(index))
	require.Empty(t, report.Missing(index))
}

func TestJudgeCountsEachBadVerdict(t *testing.T) {
	index := load(t, "coder")
	got := make(map[string]int)
	for _, p := range report.Judge(index) {
		got[p.Field+" "+p.Got]++
	}
	require.Equal(t, map[string]int{
		"behavior FAILED":                76, // 75 of 6.x, and 7.5.1
		"behavior UNIMPLEMENTED":         36, // 13.3, 13.5
		"behaviorClose FAILED":           75,
		"behaviorClose FAILED BY CLIENT": 10, // 7.3.2, 7.9.x
		"behaviorClose WRONG CODE":       1,  // 7.5.1
	}, got)
	require.Empty(t, report.Missing(index))
}

func TestJudgeAcceptsInformationalOnlyWhereNothingElseIsPossible(t *testing.T) {
	info := result.Entry{Behavior: result.Informational, BehaviorClose: result.Informational, ReportFile: "f"}
	require.Empty(t, report.Judge(result.Index{"a": {"7.1.6": info, "7.13.1": info, "7.13.2": info}}))
	require.Equal(t, []report.Problem{
		{Agent: "a", Case: "7.1.5", Field: "behavior", Got: "INFORMATIONAL", File: "f"},
		{Agent: "a", Case: "7.1.5", Field: "behaviorClose", Got: "INFORMATIONAL", File: "f"},
	}, report.Judge(result.Index{"a": {"7.1.5": info}}))
}

func TestJudgeRefusesEveryOtherVerdict(t *testing.T) {
	for _, v := range []string{
		result.NonStrict, result.Failed, result.Informational, result.Unimplemented,
		result.Unclean, result.WrongCode, result.FailedByClient, "", "ok", "PASSED",
	} {
		behavior := report.Judge(result.Index{"a": {"1.1.1": {Behavior: v, BehaviorClose: result.OK}}})
		require.Len(t, behavior, 1, "behavior %q", v)
		require.Equal(t, "behavior", behavior[0].Field)
		closing := report.Judge(result.Index{"a": {"1.1.1": {Behavior: result.OK, BehaviorClose: v}}})
		require.Len(t, closing, 1, "behaviorClose %q", v)
		require.Equal(t, "behaviorClose", closing[0].Field)
	}
}

func TestJudgeSortsByAgentAndNumber(t *testing.T) {
	bad := result.Entry{Behavior: result.Failed, BehaviorClose: result.OK}
	var got []string
	for _, p := range report.Judge(result.Index{
		"b": {"1.1.1": bad}, "a": {"10.1.1": bad, "9.2.10": bad, "9.2.9": bad, "2.1": bad},
	}) {
		got = append(got, p.Agent+" "+p.Case)
	}
	require.Equal(t, []string{"a 2.1", "a 9.2.9", "a 9.2.10", "a 10.1.1", "b 1.1.1"}, got)
}

func TestMissingNamesCasesThatDidNotRun(t *testing.T) {
	index := load(t, "gorilla")
	for _, id := range []string{"6.23.7", "1.1.1", "13.7.18"} {
		delete(index["gorilla-utf8"], id)
	}
	index["gorilla-utf8"]["20.1.1"] = result.Entry{Behavior: result.OK, BehaviorClose: result.OK}
	var lines []string
	for _, p := range report.Missing(index) {
		lines = append(lines, p.String())
	}
	require.Equal(t, []string{
		"gorilla-utf8: case 1.1.1 was not run",
		"gorilla-utf8: case 6.23.7 was not run",
		"gorilla-utf8: case 13.7.18 was not run",
	}, lines)
}

func TestProblemSaysWhereToLook(t *testing.T) {
	p := report.Judge(load(t, "coder"))
	i := slices.IndexFunc(p, func(p report.Problem) bool { return p.Case == "7.9.1" })
	require.Equal(t, "coder: case 7.9.1: behaviorClose is FAILED BY CLIENT (coder_case_7_9_1.json)", p[i].String())
}

func TestDiffOfARunWithItselfIsEmpty(t *testing.T) {
	want, got := load(t, "coder"), load(t, "coder")
	for id, e := range got["coder"] {
		e.Duration += 1000
		e.ReportFile = "elsewhere.json"
		got["coder"][id] = e
	}
	require.Empty(t, report.Diff(want, got))
}

func TestDiffNamesEveryValue(t *testing.T) {
	want := result.Index{
		"a":    {"2.1": {Behavior: "OK", BehaviorClose: "OK", RemoteCloseCode: code(1000)}, "2.2": {Behavior: "FAILED", BehaviorClose: "OK"}, "2.10": {}},
		"gone": {},
	}
	got := result.Index{
		"a":   {"2.1": {Behavior: "OK", BehaviorClose: "UNCLEAN"}, "2.2": {Behavior: "OK", BehaviorClose: "OK"}, "2.9": {}},
		"new": {},
	}
	var lines []string
	for _, d := range report.Diff(want, got) {
		lines = append(lines, d.String())
	}
	require.Equal(t, []string{
		"a: case 2.1: behaviorClose: want OK, got UNCLEAN",
		"a: case 2.1: remoteCloseCode: want 1000, got none",
		"a: case 2.2: behavior: want FAILED, got OK", // better is different as well
		"a: case 2.9: case: want absent, got present",
		"a: case 2.10: case: want present, got absent",
		"agent gone: want present, got absent",
		"agent new: want absent, got present",
	}, lines)
}

func TestLoadRefusesWhatIsNoRun(t *testing.T) {
	dir := t.TempDir()
	_, err := report.Load(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	for content, message := range map[string]string{
		"{}":                  "names no agent",
		"[]":                  "is not an index",
		`{"a": {"1.1.1": 3}}`: "is not an index",
		`{"a": {"1.1`:         "is not an index",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "index.json"), []byte(content), 0o644))
		_, err := report.Load(dir)
		require.ErrorContains(t, err, message, content)
	}
}

// An agent of which the index knows no case has not passed: all 517 are missing.
func TestAnAgentWithoutCasesIsMissingThemAll(t *testing.T) {
	missing := report.Missing(result.Index{"a": {}})
	require.Len(t, missing, 517)
	want := slices.Sorted(maps.Keys(load(t, "gorilla")["gorilla-utf8"]))
	var got []string
	for _, p := range missing {
		got = append(got, p.Case)
	}
	slices.Sort(got)
	require.Equal(t, want, got)
}
