// Command testee plays this library's part in a run of the original suite: an echo
// server, or a client that echoes its way through the cases of the fuzzing server.
//
//	testee -listen 127.0.0.1:9101
//	testee -dial ws://127.0.0.1:9001 -agent websocket -wait 60s
//
// What it does is in package autobahn/testee, which the Go suite tests as well: both
// suites see the same peer. server.sh and client.sh run this command.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/autobahn/testee"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "testee:", err)
		os.Exit(1)
	}
}

// run plays the role that args ask for, until it is over or ctx ends.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("testee", flag.ContinueOnError)
	listen := flags.String("listen", "", "serve echoes at this `address`")
	dial := flags.String("dial", "", "walk through the cases of the fuzzing server at this `URL`")
	agent := flags.String("agent", testee.Agent, "`name` in the fuzzing server's reports")
	wait := flags.Duration("wait", 0, "how long the fuzzing server may take until it answers")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case (*listen == "") == (*dial == "") || flags.NArg() > 0:
		return errors.New("name one role: -listen ADDRESS or -dial URL")
	case *dial != "":
		return walk(ctx, *dial, *agent, *wait)
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Println("listening on", l.Addr())
	return testee.Serve(ctx, l)
}

// walk runs the client once the fuzzing server answers. Docker's proxy accepts
// connections before the suite does, so only a finished handshake counts.
func walk(ctx context.Context, url, agent string, wait time.Duration) error {
	patience := time.After(wait)
	for {
		c, err := websocket.Dial(ctx, url+"/getCaseCount", nil)
		if err == nil {
			c.CloseNow()
			return testee.RunClient(ctx, url, agent, 1)
		}
		select {
		case <-patience:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
