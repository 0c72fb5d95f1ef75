// Package testee is this library as the conformance suite sees it: an echo server and
// an echo client, with compression on, in the few lines that any user would write.
package testee

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/seed9f1f0156/websocket"
)

// Agent is the name of this library in reports.
const Agent = "seed9f1f0156"

// options are those of both roles: no limit on messages, since the suite sends up to
// 16 MiB, and compression with everything it has.
var options = websocket.Options{
	ReadLimit:   -1,
	Compression: &websocket.Compression{SendTakeover: true, ReceiveTakeover: true},
}

// echo sends every message back until the connection ends.
func echo(ctx context.Context, c *websocket.Conn) error {
	defer c.CloseNow()
	return c.Serve(ctx, func(op websocket.Opcode, p []byte) error { return c.Write(ctx, op, p) })
}

// Serve serves echo connections on l until ctx ends.
func Serve(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Options: options})
			if err != nil {
				return // Accept has answered the request
			}
			wg.Add(1)
			defer wg.Done()
			// How the connection ended is what the suite looks at.
			_ = echo(ctx, c)
		}),
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	err := server.Serve(l)
	wg.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// RunClient works through the cases of the fuzzing server at url, such as
// "ws://127.0.0.1:9001", up to parallel of them at a time, and has it write its
// reports.
func RunClient(ctx context.Context, url, agent string, parallel int) error {
	count, err := caseCount(ctx, url)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for n := 1; n <= count && ctx.Err() == nil; n++ {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			// Some cases are about connections that must not open, or must end badly.
			_ = visit(ctx, fmt.Sprintf("%s/runCase?case=%d&agent=%s", url, n, agent), echo)
		})
	}
	wg.Wait()
	return visit(ctx, url+"/updateReports?agent="+agent, func(ctx context.Context, c *websocket.Conn) error {
		_, _, err := c.Read(ctx)
		return normal(err)
	})
}

func caseCount(ctx context.Context, url string) (n int, err error) {
	err = visit(ctx, url+"/getCaseCount", func(ctx context.Context, c *websocket.Conn) error {
		_, p, err := c.Read(ctx)
		if err != nil {
			return err
		}
		n, err = strconv.Atoi(string(p))
		if err != nil {
			return err
		}
		_, _, err = c.Read(ctx)
		return normal(err)
	})
	return n, err
}

// visit dials url and hands the connection to use.
func visit(ctx context.Context, url string, use func(context.Context, *websocket.Conn) error) error {
	c, err := websocket.Dial(ctx, url, &websocket.DialOptions{Options: options})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	return use(ctx, c)
}

// normal is nil for the end of a connection that was closed as it should be.
func normal(err error) error {
	var e *websocket.CloseError
	if errors.As(err, &e) && e.Code == websocket.StatusNormalClosure {
		return nil
	}
	return err
}
