// `bench hostile`: what hostile connections cost the server's memory, measured
// from /proc of a server in a process of its own, against a bound for each.
//
// Every scenario ends with honest connections, opened before the attack,
// echoing once more. The attackers are in hostile_load.go. The server is this
// module's, with its default limits unless the scenario says otherwise.

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// scenario is one attack and the bound that the server has to keep.
type scenario struct {
	name  string
	about string
	plan  loadPlan
	serve serveOptions
	judge func(attackReport, *scenario) (figure string, ok bool)
}

// attack is the name of what the attackers do, which several scenarios may share.
func (s *scenario) attack() string {
	return strings.TrimSuffix(strings.TrimSuffix(s.name, "-nolimit"), "-http")
}

// attackReport is what was seen, in bytes unless the name says otherwise.
type attackReport struct {
	before, peak, after memory // of the server: honest connections only, under attack, after a collection
	attackResult
}

// attackResult is what the attackers saw.
type attackResult struct {
	Wire     int64   // bytes sent
	Gone     int     // attackers that the server disconnected
	GoneIn   float64 // seconds from the attack's end until the last of them was
	Codes    map[int]int
	Marks    []int64 // RSS of the server at the attack's own milestones
	Seconds  float64
	HonestOK int
}

const (
	kib = 1 << 10
	mib = 1 << 20
)

func scenarios() []scenario {
	each := func(limit float64) func(attackReport, *scenario) (string, bool) {
		return func(r attackReport, s *scenario) (string, bool) {
			per := max(r.peak.RSS-r.before.RSS, 0) / float64(s.plan.Conns) / kib
			return fmt.Sprintf("%.1f KiB each at the peak, ≤ %.0f", per, limit), per <= limit
		}
	}
	lie := func(name, about string, o serveOptions) scenario {
		return scenario{name, about, loadPlan{Conns: 1000}, o, each(16)}
	}
	return []scenario{
		lie("declared", "1,000 connections declare 2^62 bytes, default limit", serveOptions{}),
		lie("declared-nolimit", "the same, read limit off", serveOptions{NoLimit: true}),
		{"fragments", "100 connections send 131,000 one-byte fragments and never FIN", loadPlan{Conns: 100, Rounds: 131000}, serveOptions{}, judgeFragments},
		{"pings", "one connection sends 10 × 65,536 pings and reads nothing", loadPlan{Conns: 1, Rounds: 10}, serveOptions{}, judgePings},
		{"half-open", "5,000 connections begin a handshake and stop, RequestListener", loadPlan{Conns: 5000}, serveOptions{}, judgeHandshakes(8)},
		{"half-open-http", "the same, net/http alone", loadPlan{Conns: 5000}, serveOptions{Bare: true}, judgeHandshakes(20)}, // its own two buffers of 4 KiB, and a stack of 8
		{"bomb", "100 connections send 1 MiB that inflates to 1 GiB, limit 1 MiB", loadPlan{Conns: 100}, serveOptions{Deflate: true}, judgeBomb},
	}
}

func judgeFragments(r attackReport, _ *scenario) (string, bool) {
	ratio := max(r.peak.RSS-r.before.RSS, 0) / float64(r.Wire)
	return fmt.Sprintf("%.2f × the wire's %.0f MiB at the peak, ≤ 2", ratio, float64(r.Wire)/mib), ratio <= 2
}

func judgePings(r attackReport, s *scenario) (string, bool) {
	if len(r.Marks) < s.plan.Rounds {
		return fmt.Sprintf("dropped in round %d after %.1f s", len(r.Marks)+1, r.Seconds), len(r.Marks) >= 2
	}
	ratio := float64(r.Marks[s.plan.Rounds-1]) / float64(r.Marks[1])
	return fmt.Sprintf("RSS after 10 rounds ÷ after 2: %.2f, < 1.2", ratio), ratio < 1.2
}

// judgeHandshakes allows each so many KiB, and all of them to live until the deadline.
func judgeHandshakes(limit float64) func(attackReport, *scenario) (string, bool) {
	return func(r attackReport, s *scenario) (string, bool) {
		per := max(r.peak.RSS-r.before.RSS, 0) / float64(s.plan.Conns) / kib
		deadline := readHeaderTimeout.Seconds()
		return fmt.Sprintf("%.1f KiB each, ≤ %.0f; %d of %d gone %.1f s after the first byte, deadline %.0f s", per, limit, r.Gone, s.plan.Conns, r.GoneIn, deadline),
			per <= limit && r.Gone == s.plan.Conns && r.GoneIn <= deadline+1
	}
}

// judgeBomb allows each connection the message as it came and the message
// inflated, both up to the limit, and the codec's tables.
func judgeBomb(r attackReport, s *scenario) (string, bool) {
	bound := float64(s.plan.Conns) * (2*mib + 256*kib)
	grew := max(r.peak.RSS-r.before.RSS, 0)
	return fmt.Sprintf("%.0f MiB at the peak, ≤ %.0f; close codes %v", grew/mib, bound/mib, r.Codes),
		grew <= bound && r.Codes[1009] == s.plan.Conns
}

// hostileMain runs the named scenarios, or all, and prints a table.
func hostileMain(args []string) error {
	fs := flag.NewFlagSet("hostile", flag.ContinueOnError)
	only := fs.String("only", "", "comma-separated scenarios")
	form := fs.String("form", "serve", "which of our servers")
	if err := fs.Parse(args); err != nil {
		return err
	}
	p, err := peerNamed(*form)
	if err != nil {
		return err
	}
	if !p.ours {
		return errors.New("other people's servers are not attacked here")
	}
	m := thisMachine()
	fmt.Printf("%v, commit %s, server `%s`\n\n| scenario | | figure | |\n|---|---|---|---|\n", m, commit(), p.name)
	failed := 0
	for _, s := range scenarios() {
		if *only != "" && !strings.Contains(","+*only+",", ","+s.name+",") {
			continue
		}
		r, err := attack(p, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		figure, ok := s.judge(r, &s)
		word := "met"
		if !ok || r.HonestOK != honestConns {
			word = "**missed**"
			failed++
		}
		fmt.Printf("| %s | %s | %s; %d of %d honest connections echo; RSS before %.1f, peak %.1f, after a collection %.1f MiB | %s |\n", s.name, s.about, figure,
			r.HonestOK, honestConns, r.before.RSS/mib, r.peak.Peak/mib, r.after.RSS/mib, word)
	}
	if failed > 0 {
		return fmt.Errorf("%d bounds were not kept", failed)
	}
	return nil
}

// attack runs one scenario against a fresh server.
func attack(p peer, s scenario) (attackReport, error) {
	var r attackReport
	c := &config{server: -1, load: -1}
	err := c.withServer(p, s.serve, func(server *child, addr string) error {
		s.plan.Mode, s.plan.Addr, s.plan.PID, s.plan.Deflate = "hostile-"+s.attack(), addr, server.pid(), s.serve.Deflate
		load, err := c.startLoad(s.plan)
		if err != nil {
			return err
		}
		defer load.stop()
		const limit = 3 * time.Minute
		var st serverStats
		if err := load.receive(limit, &ready{}); err != nil {
			return err
		}
		if err := server.ask("trim", limit, &st); err != nil {
			return err
		}
		if r.before, err = memoryOf(server.pid()); err != nil {
			return err
		}
		if err := resetPeak(server.pid()); err != nil {
			return fmt.Errorf("resetting the peak: %w", err)
		}
		if err := load.ask("attack", limit, &r.attackResult); err != nil {
			return err
		}
		if r.peak, err = memoryOf(server.pid()); err != nil {
			return err
		}
		r.peak.RSS = r.peak.Peak
		// Failed connections linger for up to a second, to see their peer's end.
		time.Sleep(2 * time.Second)
		if err := server.ask("trim", limit, &st); err != nil {
			return err
		}
		if r.after, err = memoryOf(server.pid()); err != nil {
			return err
		}
		var honest attackResult
		if err := load.ask("honest", limit, &honest); err != nil {
			fmt.Fprintln(os.Stderr, "bench: honest connections:", err)
			return nil
		}
		r.HonestOK = honest.HonestOK
		return nil
	})
	return r, err
}
