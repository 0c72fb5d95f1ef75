package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const recorded = "../report/testdata"

// exec runs the command and returns its exit status and what it printed.
func exec(args ...string) (status int, stdout, stderr string) {
	var out, errs strings.Builder
	status = run(args, &out, &errs)
	return status, out.String(), errs.String()
}

func TestACleanRunPasses(t *testing.T) {
	status, out, _ := exec("-dir", filepath.Join(recorded, "gorilla"))
	require.Equal(t, "gorilla-utf8: cases run: 517: pass\n", out)
	require.Equal(t, 0, status)
}

func TestARunWithProblemsFails(t *testing.T) {
	status, out, _ := exec("-dir", filepath.Join(recorded, "coder"))
	require.Equal(t, 1, status)
	require.Equal(t, 198, strings.Count(out, ": case ")) // 76+36 behaviors, 75+10+1 closes
	require.Contains(t, out, "coder: case 6.3.1: behavior is FAILED (coder_case_6_3_1.json)\n")
	require.Contains(t, out, "coder: case 7.9.1: behaviorClose is FAILED BY CLIENT (coder_case_7_9_1.json)\n")
	require.True(t, strings.HasSuffix(out, "coder: cases run: 517: FAIL (122 cases)\n"))
}

func TestAPartialRunHasToBeAskedFor(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "index.json"),
		[]byte(`{"a": {"1.1.1": {"behavior": "OK", "behaviorClose": "OK", "duration": 2, "remoteCloseCode": 1000, "reportfile": "a_case_1_1_1.json"}}}`), 0o644))
	status, out, _ := exec("-dir", dir)
	require.Equal(t, 1, status)
	require.Contains(t, out, "a: case 13.7.18 was not run\n")
	require.Contains(t, out, "a: cases run: 1: FAIL (516 cases)\n")

	status, out, _ = exec("-dir", dir, "-partial", "-html")
	require.Equal(t, 0, status)
	require.Contains(t, out, "a: cases run: 1: pass\n")
	require.FileExists(t, filepath.Join(dir, "index.html"))
}

func TestNothingToJudgeIsNoPass(t *testing.T) {
	for _, args := range [][]string{{}, {"-dir", t.TempDir()}, {"-nonsense"}, {"-dir", "x", "y"}} {
		status, out, errs := exec(args...)
		require.Equal(t, 2, status, args)
		require.Empty(t, out, args)
		require.NotEmpty(t, errs, args)
	}
}
