package main

// This file compares verdicts with those that the original suite gave the same
// servers, of the same versions and set up the same way. A difference is a defect of
// the Go suite until it is shown to be something else.

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"

	"github.com/seed9f1f0156/websocket/autobahn/report"
	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// recordings names the original's index of a server, and the agent in it.
var recordings = map[string]struct{ file, agent, version string }{
	"coder":   {"coder/index.json", "coder", "1.8.15"},
	"gorilla": {"gorilla/index.json", "gorilla-utf8", "1.5.3"},
}

// compare prints where a server's verdicts differ from the recorded ones, and
// returns how many do. Cases that did not run and the suite's own are left out: what
// is compared is the judgment. The code a peer sent is told as well, and not counted:
// what arrives when both sides close at once is a matter of timing.
func compare(w io.Writer, dir string, c contestant, got map[string]result.Entry) (int, error) {
	rec, ok := recordings[c.name]
	if !ok {
		return 0, nil
	}
	if c.version != rec.version {
		return 0, fmt.Errorf("%s: the original's verdicts are of version %s, this is %s", c.name, rec.version, c.version)
	}
	index, err := report.Read(filepath.Join(dir, rec.file))
	if err != nil {
		return 0, err
	}
	want := maps.Clone(index[rec.agent])
	ran := make(map[string]result.Entry)
	for id := range want {
		if e, ok := got[id]; ok {
			ran[id] = e
		} else {
			delete(want, id)
		}
	}
	verdicts, codes := 0, []string(nil)
	for _, d := range report.Diff(result.Index{c.name: want}, result.Index{c.name: ran}) {
		if d.Field == "remoteCloseCode" {
			codes = append(codes, d.Case)
			continue
		}
		fmt.Fprintln(w, d)
		verdicts++
	}
	fmt.Fprintf(w, "%s: %d cases compared with the original's verdicts, %d differ\n", c.name, len(want), verdicts)
	if len(codes) > 0 {
		fmt.Fprintf(w, "%s: the peer's close code, which is no verdict, is another one in %s\n", c.name, ranges(codes))
	}
	return verdicts, nil
}
