package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket/autobahn/report"
	"github.com/seed9f1f0156/websocket/autobahn/result"
	"github.com/seed9f1f0156/websocket/autobahn/suite"
	"github.com/seed9f1f0156/websocket/autobahn/testee"
)

var update = flag.Bool("update", false, "write the golden results anew")

// quickly plays every id, with fewer messages where the case sends a thousand, and
// with time limits that a busy machine keeps.
func quickly(t *testing.T) suite.Config {
	return suite.Config{Agent: testee.Agent, Messages: 8, TimeoutScale: 3, Done: func(r *result.Case) {
		if !r.Entry().Passed(r.ID, true) {
			var b strings.Builder
			suite.Explain(&b, r)
			t.Log(b.String())
		}
	}}
}

// The results of this library are committed: a worse one is a defect, a better one
// has to be committed too (go test ./autobahn -update).
func TestGolden(t *testing.T) {
	cases, err := suite.Select("*")
	require.NoError(t, err)
	for role, run := range map[string]func(context.Context, []*suite.Case, suite.Config) ([]*result.Case, error){
		"server": selfServer, "client": selfClient,
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			reports, err := run(t.Context(), cases, quickly(t))
			require.NoError(t, err)
			got := result.Index{testee.Agent: {}}
			for _, r := range reports {
				if r != nil {
					e := r.Entry()
					e.Duration = 0
					got[testee.Agent][r.ID] = e
				}
			}
			path := filepath.Join("testdata", "expected-"+role+".json")
			if *update {
				b, err := result.Marshal(got)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(path, append(b, '\n'), 0o644))
			}
			want, err := report.Read(path)
			require.NoError(t, err)
			require.Empty(t, report.Diff(want, got))
			require.Empty(t, report.Missing(got))
			require.Empty(t, report.Judge(got))
		})
	}
}

// The command prints a line per category, saves what it found, and says by its result
// whether all passed.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	passed, err := run(t.Context(), []string{"-cases", "1.1.*,7.1.6", "-outdir", dir}, &out)
	require.NoError(t, err)
	require.True(t, passed, out.String())
	require.Contains(t, out.String(), "1 Framing                                 8 OK\n")
	require.Contains(t, out.String(), "0 OK, 1 informational")
	for _, role := range []string{"servers", "clients"} {
		index, err := report.Load(filepath.Join(dir, role))
		require.NoError(t, err)
		require.Len(t, index[testee.Agent], 9)
		require.FileExists(t, filepath.Join(dir, role, "index.html"))
		require.FileExists(t, filepath.Join(dir, role, index[testee.Agent]["1.1.8"].ReportFile))
	}
}

func TestCommandLine(t *testing.T) {
	for _, args := range [][]string{
		{"fly"}, {"-cases", "99.*"}, {"-cases", "[", "-strict"}, {"self", "extra"}, {"serve-test", "-url", "http://127.0.0.1/"},
		{"client-test", "-listen", "nowhere:-1"}, {"-no-such-flag"},
	} {
		_, err := run(t.Context(), args, &bytes.Buffer{})
		require.Error(t, err, "%q", args)
	}
}

// A server that is not there fails every case, and the run with it.
func TestNoServer(t *testing.T) {
	var out bytes.Buffer
	passed, err := run(t.Context(), []string{"serve-test", "-url", "ws://127.0.0.1:1/", "-cases", "1.1.1,2.1"}, &out)
	require.NoError(t, err)
	require.False(t, passed)
	require.Contains(t, out.String(), "Case 1.1.1: behavior FAILED, close FAILED")
	require.Contains(t, out.String(), "No connection: ")
	require.Contains(t, out.String(), "RFC 6455, section 5.2: ")
}
