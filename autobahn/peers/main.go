// Command peers puts other WebSocket implementations to the conformance suite, and
// writes what came out into the table of autobahn/README.md.
//
//	go run ./autobahn/peers                          all peers, both roles
//	go run ./autobahn/peers -peers coder,gorilla -roles server -compare
//
// With -compare the verdicts on the two servers that the original suite has judged
// must be the original's, case by case. Run it at the root of the repository. ws
// needs node and npm, websockets needs Python; -peers chooses who takes part. The
// table takes what the -outdir holds, so peers may be run one after the other.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/report"
	"github.com/seed9f1f0156/websocket/autobahn/result"
	"github.com/seed9f1f0156/websocket/autobahn/suite"
)

// order is that of the table: this library, other Go libraries, other languages.
var order = []string{own, "coder", "gobwas", "gorilla", "gws", "ws", "websockets"}

// titles are the names in the table.
var titles = map[string]string{
	own: "**this library**", "coder": "coder/websocket", "gobwas": "gobwas/ws", "gorilla": "gorilla/websocket",
	"gws": "lxzan/gws", "ws": "ws (npm)", "websockets": "websockets (Python)",
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) > 2 && os.Args[1] == "play" {
		err = play(ctx, os.Args[2], os.Args[3:])
	} else {
		err = tournament(ctx, os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// settings are what the command line asks for.
type settings struct {
	peers, roles []string
	cases        []*suite.Case
	config       suite.Config
	outdir       string
	recorded     string
	compare      bool
	readme       string
}

func parse(args []string) (*settings, error) {
	s := new(settings)
	f := flag.NewFlagSet("peers", flag.ContinueOnError)
	peers := f.String("peers", strings.Join(order, ","), "`names` of those who take part")
	roles := f.String("roles", "server,client", "the `roles` to put them to")
	cases := f.String("cases", "*", "ids of the cases to run, with `*`, separated by commas")
	f.StringVar(&s.outdir, "outdir", "autobahn/out/peers", "`directory` for the results, in servers and clients")
	f.BoolVar(&s.compare, "compare", false, "compare with the verdicts that the original suite gave")
	f.StringVar(&s.recorded, "recorded", "autobahn/report/testdata", "`directory` of those verdicts")
	f.StringVar(&s.readme, "readme", "", "write the table into this `file`, such as autobahn/README.md")
	f.Float64Var(&s.config.TimeoutScale, "timeout-scale", 1, "stretches every time limit by this `factor`")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	s.peers, s.roles = strings.Split(*peers, ","), strings.Split(*roles, ",")
	for _, p := range s.peers {
		if p != "" && !slices.Contains(order, p) {
			return nil, fmt.Errorf("no peer %q: %s", p, strings.Join(order, ", "))
		}
	}
	for _, r := range s.roles {
		if r != "server" && r != "client" {
			return nil, fmt.Errorf("no role %q: server, client", r)
		}
	}
	var err error
	s.cases, err = suite.Select(*cases)
	return s, err
}

// tournament runs everybody, one after the other, and reports.
func tournament(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	versions, differ := make(map[string]string), 0
	for _, name := range order {
		if !slices.Contains(s.peers, name) {
			continue
		}
		c, err := enter(ctx, name, dir)
		if err != nil {
			return err
		}
		versions[name] = c.version
		for _, role := range s.roles {
			n, err := s.run(ctx, c, role)
			if err != nil {
				return err
			}
			differ += n
		}
	}
	if s.readme != "" {
		if err := s.table(ctx, dir, versions); err != nil {
			return err
		}
	}
	if differ > 0 {
		return fmt.Errorf("%d verdicts are not the original's", differ)
	}
	return nil
}

// enter makes a contestant ready to run.
func enter(ctx context.Context, name, dir string) (contestant, error) {
	switch name {
	case "ws":
		return npmPeer(ctx, dir)
	case "websockets":
		return pythonPeer(ctx, dir)
	case own:
		return goPeer(name, "")
	}
	return goPeer(name, libraries[name].version())
}

// run puts a contestant to the cases in one role, and saves and compares the results.
func (s *settings) run(ctx context.Context, c contestant, role string) (differ int, err error) {
	put := c.server
	if role == "client" {
		put = c.client
	}
	start := time.Now()
	reports, err := put(ctx, s.cases, s.config)
	if err != nil {
		return 0, err
	}
	entries := make(map[string]result.Entry)
	for _, r := range reports {
		if r != nil {
			entries[r.ID] = r.Entry()
		}
	}
	t := entrant{cases: entries}.tally()
	fmt.Printf("%s %s as %s: %d cases in %.0f s: %d OK, %d informational, %d non-strict, %d unimplemented, %d close not OK, %d failed; beyond the original %d of %d\n",
		c.name, c.version, role, len(entries), time.Since(start).Seconds(),
		t.ok, t.informational, t.nonStrict, t.unimplemented, t.closing, t.failed, t.ownOK, t.own)
	if err := suite.Save(filepath.Join(s.outdir, role+"s"), reports); err != nil {
		return 0, err
	}
	if s.compare && role == "server" {
		return compare(os.Stdout, s.recorded, c, entries)
	}
	return 0, nil
}

// table writes the table of everything that the directory of results holds.
func (s *settings) table(ctx context.Context, dir string, versions map[string]string) error {
	var entrants []entrant
	indexes := make(map[string]result.Index)
	for _, role := range []string{"server", "client"} {
		index, err := report.Load(filepath.Join(s.outdir, role+"s"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		indexes[role] = index
	}
	for _, name := range order {
		for _, role := range []string{"server", "client"} {
			cases, ok := indexes[role][name]
			if !ok {
				continue
			}
			if _, ok := versions[name]; !ok {
				c, err := enter(ctx, name, dir)
				if err != nil {
					return err
				}
				versions[name] = c.version
			}
			entrants = append(entrants, entrant{titles[name], versions[name], role, cases})
		}
	}
	return writeTable(s.readme, table(entrants))
}
