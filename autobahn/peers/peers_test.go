package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed9f1f0156/websocket/autobahn/result"
	"github.com/seed9f1f0156/websocket/autobahn/suite"
)

// The test binary plays the peers, as the program itself does.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "play" {
		if err := play(context.Background(), os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Every Go library echoes, answers pings and closes, in both roles. Its verdicts in
// the other cases are its own affair.
func TestGoPeersEcho(t *testing.T) {
	cases, err := suite.Select("1.1.*,1.2.*,2.1,5.3,7.1.1,9.1.3,13.2.1")
	if err != nil {
		t.Fatal(err)
	}
	for name, lib := range libraries {
		t.Run(name, func(t *testing.T) {
			c, err := goPeer(name, lib.version())
			if err != nil {
				t.Fatal(err)
			}
			for role, put := range map[string]func(context.Context, []*suite.Case, suite.Config) ([]*result.Case, error){
				"server": c.server, "client": c.client,
			} {
				reports, err := put(t.Context(), cases, suite.Config{})
				if err != nil {
					t.Fatalf("as %s: %v", role, err)
				}
				if len(reports) != len(cases) {
					t.Errorf("as %s: %d of %d cases", role, len(reports), len(cases))
				}
				for _, r := range reports {
					if !r.Entry().Passed(r.ID, true) {
						t.Errorf("as %s: case %s: %s, close %s", role, r.ID, r.Behavior, r.BehaviorClose)
					}
				}
			}
		})
	}
}

func TestUTF8ReaderStopsAtTheFirstImpossibleByte(t *testing.T) {
	for _, c := range []struct {
		text string
		read int // bytes that were read when it failed; -1 if it never did
	}{
		{"", -1}, {"plain", -1}, {"\xce\xba\xe1\xbd\xb9", -1}, {"\xf4\x8f\xbf\xbf", -1},
		{"ab\xff", 3}, {"a\xf4\x90\x80\x80", 3}, {"\xed\xa0\x80", 2}, {"ok\xce", 3}, {"\xc0\xaf", 1},
	} {
		u := &utf8Reader{r: &oneByte{rest: c.text}}
		n, err := 0, error(nil)
		for err == nil {
			var k int
			k, err = u.Read(make([]byte, 8))
			n += k
		}
		switch {
		case c.read < 0 && err == errNotUTF8:
			t.Errorf("%q: refused after %d bytes", c.text, n)
		case c.read >= 0 && (err != errNotUTF8 || n != c.read):
			t.Errorf("%q: %v after %d bytes, want a refusal after %d", c.text, err, n, c.read)
		}
	}
}

// oneByte gives one byte a read.
type oneByte struct{ rest string }

func (o *oneByte) Read(p []byte) (int, error) { return strings.NewReader(o.next()).Read(p) }

func (o *oneByte) next() string {
	n := min(1, len(o.rest))
	s := o.rest[:n]
	o.rest = o.rest[n:]
	return s
}

func TestRanges(t *testing.T) {
	for _, c := range [][2]string{
		{"6.4.1", "6.4.1"},
		{"6.4.1 6.4.2 6.4.3", "6.4.1–3"},
		{"6.4.1 6.4.3 6.4.4 6.5.5", "6.4.1, 6.4.3–4, 6.5.5"},
		{"3.2 3.3 4.1.3 4.2.3", "3.2–3, 4.1.3, 4.2.3"},
		{"7.9.9 7.13.1", "7.9.9, 7.13.1"},
	} {
		if got := ranges(strings.Fields(c[0])); got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
}

func entry(behavior, closing string) result.Entry {
	return result.Entry{Behavior: behavior, BehaviorClose: closing}
}

func TestTable(t *testing.T) {
	got := table([]entrant{{"lib", "1.2", "server", map[string]result.Entry{
		"1.1.1":  entry(result.OK, result.OK),
		"7.1.6":  entry(result.Informational, result.Informational),
		"6.4.1":  entry(result.NonStrict, result.OK),
		"6.4.2":  entry(result.NonStrict, result.OK),
		"7.9.10": entry(result.OK, result.FailedByClient),
		"7.9.9":  entry(result.OK, result.FailedByClient),
		"6.3.1":  entry(result.Failed, result.Failed),
		"13.3.1": entry(result.Unimplemented, result.OK),
		"20.1.1": entry(result.OK, result.OK),
		"20.1.2": entry(result.Failed, result.OK),
	}}})
	want := "| lib 1.2 | server | 1 | 1 | 2 | 1 | 2 | 1 | 1 of 2 |\n"
	if !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant a line\n%s", got, want)
	}
	want = "- **lib, server**: FAILED 6.3.1; FAILED BY CLIENT 7.9.9–10; NON-STRICT 6.4.1–2; UNIMPLEMENTED 13.3.1; beyond the original 20.1.2\n"
	if !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant a line\n%s", got, want)
	}
}

func TestTheTableReplacesTheOldOneAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte("before\n"+beginMark+"\nold\n"+endMark+"\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := writeTable(path, "new\n"); err != nil {
			t.Fatal(err)
		}
		b, _ := os.ReadFile(path)
		if want := "before\n" + beginMark + "\nnew\n" + endMark + "\nafter\n"; string(b) != want {
			t.Errorf("got %q, want %q", b, want)
		}
	}
	if err := os.WriteFile(path, []byte("no markers\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if writeTable(path, "new\n") == nil {
		t.Error("a file without markers was taken")
	}
}

// The recorded verdicts agree with themselves, and a single other verdict is found.
func TestCompareFindsADifference(t *testing.T) {
	const dir = "../report/testdata"
	c := contestant{name: "coder", version: recordings["coder"].version}
	run := map[string]result.Entry{"6.3.1": entry(result.Failed, result.Failed), "7.9.1": entry(result.OK, result.FailedByClient)}
	for _, step := range []struct {
		change func()
		differ int
	}{
		{func() {}, 0},
		{func() { run["7.9.1"] = entry(result.OK, result.OK) }, 1},
		{func() { run["6.3.1"] = entry(result.OK, result.OK) }, 3},
		{func() { run["20.1.1"] = entry(result.Failed, result.Failed) }, 3}, // the original has no such case
	} {
		step.change()
		var out strings.Builder
		if n, err := compare(&out, dir, c, run); err != nil || n != step.differ {
			t.Errorf("%d differ, %v; want %d\n%s", n, err, step.differ, out.String())
		}
	}
	c.version = "1.8.14"
	if _, err := compare(new(strings.Builder), dir, c, run); err == nil {
		t.Error("verdicts of another version were compared")
	}
}

func TestVersionsAreKnown(t *testing.T) {
	for name, lib := range libraries {
		if lib.version() == "" {
			t.Errorf("%s has no version", name)
		}
		if !slices.Contains(order, name) {
			t.Errorf("%s is not in the table's order", name)
		}
	}
}
