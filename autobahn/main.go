// Command autobahn is a conformance suite for WebSocket implementations in any
// language: the 517 cases of the Autobahn test suite, and cases of its own beyond
// them, with nothing needed but Go.
//
//	go run ./autobahn                                       this library, both roles
//	go run ./autobahn serve-test -url ws://localhost:9001   any server
//	go run ./autobahn client-test -listen localhost:9001    any client
//
// See README.md in this directory. The command exits with 0 when every case passed,
// with 1 when one did not, and with 2 when it could not run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/result"
	"github.com/seed9f1f0156/websocket/autobahn/suite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	passed, err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, strings.TrimPrefix(err.Error(), "autobahn: "))
		os.Exit(2)
	case !passed:
		os.Exit(1)
	}
}

// command is what the command line asks for.
type command struct {
	mode     string
	out      io.Writer
	cases    []*suite.Case
	config   suite.Config
	strict   bool
	verbose  bool
	outdir   string
	url      string
	listen   string
	patterns string
}

// run does what args ask for and tells whether all cases passed.
func run(ctx context.Context, args []string, out io.Writer) (passed bool, err error) {
	c, err := parse(args, out)
	if err != nil {
		return false, err
	}
	switch c.mode {
	case "serve-test":
		return c.serveTest(ctx)
	case "client-test":
		return c.clientTest(ctx)
	}
	return c.self(ctx)
}

// parse reads the command line.
func parse(args []string, out io.Writer) (*command, error) {
	c := &command{mode: "self", out: out}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		c.mode, args = args[0], args[1:]
	}
	f := flag.NewFlagSet("autobahn "+c.mode, flag.ContinueOnError)
	all := "*"
	if c.mode == "client-test" {
		// Cases beyond the original refuse the opening handshake, which clients that
		// were written for it need not survive.
		all = "catalogue"
	}
	f.StringVar(&c.patterns, "cases", all, "ids of the cases to run, with *, separated by commas; catalogue and own are `names` for the original's and the others")
	f.BoolVar(&c.strict, "strict", c.mode == "self", "NON-STRICT and UNIMPLEMENTED fail too")
	f.BoolVar(&c.verbose, "v", false, "a line for every case")
	f.Float64Var(&c.config.TimeoutScale, "timeout-scale", 1, "stretches every time limit by this `factor`")
	f.IntVar(&c.config.Parallel, "parallel", 0, "how many cases run at a time; 0 chooses")
	f.IntVar(&c.config.Messages, "messages", 0, "a quick look: so many messages instead of 1000 in the cases that send many")
	f.StringVar(&c.outdir, "outdir", "", "`directory` for index.json, the reports and index.html")
	switch c.mode {
	case "self":
	case "serve-test":
		f.StringVar(&c.url, "url", "ws://127.0.0.1:9001", "the server under test")
		f.StringVar(&c.config.Agent, "agent", "server", "its `name` in the reports")
		f.BoolVar(&c.config.Insecure, "insecure", false, "do not verify the certificate of a wss:// server")
	case "client-test":
		f.StringVar(&c.listen, "listen", "127.0.0.1:9001", "`address` to wait for clients at")
		f.StringVar(&c.config.Agent, "agent", "", "stop when the client of this `name` asks for its reports, and judge it")
	default:
		return nil, fmt.Errorf("unknown mode %q: self, serve-test or client-test", c.mode)
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	var err error
	c.cases, err = suite.Select(c.patterns)
	return c, err
}

// progress prints cases as they are done: those that fail, or all.
func (c *command) progress(r *result.Case) {
	switch {
	case !r.Entry().Passed(r.ID, c.strict):
		fmt.Fprintln(c.out)
		suite.Explain(c.out, r)
		fmt.Fprintln(c.out)
	case c.verbose:
		fmt.Fprintf(c.out, "%-9s %s, close %s, %d ms\n", r.ID, r.Behavior, r.BehaviorClose, r.Duration)
	}
}

// serveTest plays the fuzzing client against a server.
func (c *command) serveTest(ctx context.Context) (bool, error) {
	c.config.Done = c.progress
	start := time.Now()
	reports, err := suite.RunServer(ctx, c.url, c.cases, c.config)
	if err != nil {
		return false, err
	}
	return c.finish(c.config.Agent+" as server", reports, start)
}

// clientTest plays the fuzzing server until the client asks for its reports; without
// -agent, until it is interrupted, for any number of clients.
func (c *command) clientTest(ctx context.Context) (passed bool, err error) {
	l, err := net.Listen("tcp", c.listen)
	if err != nil {
		return false, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	start := time.Now()
	passed = true
	seen := false
	c.config.Done = c.progress
	fuzzer := &suite.ClientServer{Cases: suite.ForClients(c.cases), Config: c.config}
	fuzzer.Update = func(agent string, reports []*result.Case) {
		seen = true
		ok, e := c.finish(agent+" as client", reports, start)
		if e != nil && err == nil {
			err = e
		}
		passed = passed && ok
		if agent == c.config.Agent {
			stop()
		}
	}
	fmt.Fprintf(c.out, "waiting at ws://%s: %d cases\n", l.Addr(), len(fuzzer.Cases))
	if e := fuzzer.Serve(ctx, l); e != nil {
		return false, e
	}
	if !seen && err == nil {
		err = errors.New("no client asked for its reports")
	}
	return passed, err
}

// finish prints the summary and saves the run.
func (c *command) finish(what string, reports []*result.Case, start time.Time) (bool, error) {
	fmt.Fprintf(c.out, "%s, %.1f s:\n", what, time.Since(start).Seconds())
	passed := suite.Summary(c.out, reports, c.strict)
	if c.outdir == "" {
		return passed, nil
	}
	return passed, suite.Save(c.outdir, reports)
}
