package main

// This file says what a peer is, and plays one: every peer runs as a process of its
// own, as an echo server or as a client that walks through the cases, so that a peer
// that breaks takes nothing with it. The Go libraries are in this program, one file
// each; the others are the scripts in node and python.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"github.com/seed9f1f0156/websocket/autobahn/testee"
)

// own is the name of this library in the results.
const own = testee.Agent

// library is one Go library in both roles.
type library struct {
	module string // its path, for its version

	// serve echoes on every connection of l until l is closed.
	serve func(l net.Listener) error
	// ask dials a URL and returns the first message of the server.
	ask func(ctx context.Context, url string) (string, error)
	// echo dials a URL and sends every message back until the connection ends. An
	// error is only for whoever debugs: the suite judges what it saw.
	echo func(ctx context.Context, url string) error
}

// libraries are the Go libraries that this program can play.
var libraries = map[string]library{
	"coder":   {"github.com/coder/websocket", coderServe, coderAsk, coderEcho},
	"gobwas":  {"github.com/gobwas/ws", gobwasServe, gobwasAsk, gobwasEcho},
	"gorilla": {"github.com/gorilla/websocket", gorillaServe, gorillaAsk, gorillaEcho},
	"gws":     {"github.com/lxzan/gws", gwsServe, gwsAsk, gwsEcho},
}

// version returns the version of the library that this program was built with.
func (l library) version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == l.module {
			return strings.TrimPrefix(m.Version, "v")
		}
	}
	return ""
}

// play is the process of a Go library's peer. The scripts take the same flags:
//
//	-listen ADDRESS          be an echo server, and print "listening on ADDRESS"
//	-dial URL -agent NAME    be a client of the fuzzing server at URL
func play(ctx context.Context, name string, args []string) error {
	lib, ok := libraries[name]
	if !ok && name != own {
		return fmt.Errorf("no library %q", name)
	}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	listen := flags.String("listen", "", "serve echoes at this `address`")
	dial := flags.String("dial", "", "walk through the cases of the fuzzing server at this `URL`")
	agent := flags.String("agent", name, "`name` in its reports")
	parallel := flags.Int("parallel", 1, "how many cases to walk through at a time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case (*listen == "") == (*dial == ""):
		return errors.New("name one role: -listen or -dial")
	case *dial != "" && name == own:
		return testee.RunClient(ctx, *dial, *agent, *parallel)
	case *dial != "":
		return lib.walk(ctx, *dial, *agent, *parallel)
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	fmt.Println("listening on", l.Addr())
	if name == own {
		return testee.Serve(ctx, l)
	}
	if err := lib.serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

// survive ends the panic of one connection: whatever a library makes of a case, the
// next case is judged by itself. Servers have net/http do it for them.
func survive() {
	if p := recover(); p != nil {
		fmt.Fprintln(os.Stderr, p)
	}
}

// walk takes the library's client through all cases and has the reports written.
func (l library) walk(ctx context.Context, base, agent string, parallel int) error {
	answer, err := l.ask(ctx, base+"/getCaseCount")
	if err != nil {
		return err
	}
	cases, err := strconv.Atoi(answer)
	if err != nil {
		return err
	}
	slots := make(chan struct{}, max(parallel, 1))
	var wg sync.WaitGroup
	for n := 1; n <= cases && ctx.Err() == nil; n++ {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			defer survive()
			_ = l.echo(ctx, fmt.Sprintf("%s/runCase?case=%d&agent=%s", base, n, url.QueryEscape(agent)))
		})
	}
	wg.Wait()
	// The answer to this is a close frame; how the library reports that is its affair.
	_ = l.echo(ctx, fmt.Sprintf("%s/updateReports?agent=%s", base, url.QueryEscape(agent)))
	return ctx.Err()
}
