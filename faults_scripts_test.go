package websocket_test

// The sessions that faults_test.go plays on streams that go wrong: each is what
// two sides do until both are through, and returns nil if all went as it should.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed9f1f0156/websocket"
)

type conn = websocket.Conn

// A side is what one end of a session does.
type side func(ctx context.Context, c *conn) error

// A script is a session: what the end with the fault does, and the other one.
type script struct {
	name      string
	near, far side
	compress  bool
}

var scripts = []script{
	{name: "send one", near: sends(5), far: reads(1)},
	{name: "receive one", near: reads(1), far: sends(5)},
	{name: "send many", near: sends(0, 1, 125, 126, 5000), far: reads(5)},
	{name: "receive many", near: reads(5), far: sends(0, 1, 125, 126, 5000)},
	{name: "send large", near: sends(100 << 10), far: reads(1)},
	{name: "receive large", near: reads(1), far: sends(100 << 10)},
	{name: "ask", near: asks(1, 200, 70000), far: echoes},
	{name: "answer", near: echoes, far: asks(1, 200, 70000)},
	{name: "ping", near: pingsThenCloses, far: reads(0)},
	{name: "be pinged", near: reads(0), far: pingsThenCloses},
	{name: "ping each other", near: pingsThenCloses, far: pingsBack},
	{name: "stream out", near: streams, far: readsStream},
	{name: "stream in", near: readsStream, far: streams},
	{name: "close", near: closes, far: reads(0)},
	{name: "be closed", near: reads(0), far: closes},
	{name: "both close", near: closes, far: closes},
	{name: "hang up", near: hangsUp, far: isLost},
	{name: "be hung up on", near: isLost, far: hangsUp},
	{name: "write only", near: writesOnly, far: reads(2)},
	{name: "cross", near: crosses, far: crosses},
	{name: "read again and again", near: retries, far: sendsSlowly},
	{name: "write slowly", near: sendsSlowly, far: retries},
	{name: "receive too much", near: seesTooBig, far: isTooBig},
	{name: "send compressed", near: sends(400, 400, 9000), far: reads(3), compress: true},
	{name: "receive compressed", near: reads(3), far: sends(400, 400, 9000), compress: true},
	{name: "ask compressed", near: asks(300, 3000), far: echoes, compress: true},
}

func sends(sizes ...int) side {
	return func(ctx context.Context, c *conn) error {
		for _, n := range sizes {
			if err := c.Write(ctx, websocket.Text, []byte(strings.Repeat("abcdefg ", n/8+1)[:n])); err != nil {
				return err
			}
		}
		return c.Close(websocket.StatusNormalClosure, "")
	}
}

// reads reads to the normal end and wants n messages.
func reads(n int) side {
	return func(ctx context.Context, c *conn) error {
		left := n
		err := c.Serve(ctx, func(websocket.Opcode, []byte) error { left--; return nil })
		if err == nil && left != 0 {
			return fmt.Errorf("%d messages missing", left)
		}
		return err
	}
}

func echoes(ctx context.Context, c *conn) error {
	return c.Serve(ctx, func(op websocket.Opcode, p []byte) error { return c.Write(ctx, op, p) })
}

func asks(sizes ...int) side {
	return func(ctx context.Context, c *conn) error {
		for _, n := range sizes {
			if err := c.Write(ctx, websocket.Binary, make([]byte, n)); err != nil {
				return err
			}
			if _, p, err := c.Read(ctx); err != nil {
				return err
			} else if len(p) != n {
				return fmt.Errorf("%d bytes for %d", len(p), n)
			}
		}
		return c.Close(websocket.StatusNormalClosure, "")
	}
}

func pingsThenCloses(ctx context.Context, c *conn) error {
	reading := c.CloseRead(context.Background())
	for range 3 {
		if err := c.Ping(ctx); err != nil {
			return err
		}
	}
	err := c.Close(websocket.StatusGoingAway, "")
	<-reading.Done()
	return err
}

// pingsBack pings until it is closed.
func pingsBack(ctx context.Context, c *conn) error {
	reading := c.CloseRead(ctx)
	for c.Ping(ctx) == nil {
		<-time.After(time.Millisecond)
	}
	<-reading.Done()
	if e := new(websocket.CloseError); errors.As(context.Cause(reading), &e) && e.Code == websocket.StatusGoingAway {
		return nil
	}
	return context.Cause(reading)
}

func closes(_ context.Context, c *conn) error { return c.Close(websocket.StatusNormalClosure, "bye") }

func hangsUp(_ context.Context, c *conn) error { return c.CloseNow() }

func isLost(ctx context.Context, c *conn) error {
	_, _, err := c.Read(ctx)
	if e := new(websocket.CloseError); errors.As(err, &e) && errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

func streams(ctx context.Context, c *conn) error {
	w, err := c.Writer(ctx, websocket.Text)
	if err != nil {
		return err
	}
	for range 5 {
		if _, err := io.WriteString(w, strings.Repeat("x", 3000)); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Close(websocket.StatusNormalClosure, "")
}

func readsStream(ctx context.Context, c *conn) error {
	_, r, err := c.Reader(ctx)
	if err != nil {
		return err
	}
	if p, err := io.ReadAll(r); err != nil {
		return err
	} else if len(p) != 15000 {
		return fmt.Errorf("%d bytes", len(p))
	}
	return reads(0)(ctx, c)
}

func writesOnly(ctx context.Context, c *conn) error {
	c.CloseRead(ctx)
	return sends(10, 20)(ctx, c)
}

// crosses writes while it reads.
func crosses(ctx context.Context, c *conn) error {
	wrote := make(chan error, 1)
	go func() {
		var err error
		for range 3 {
			err = errors.Join(err, c.Write(ctx, websocket.Binary, make([]byte, 5000)))
		}
		wrote <- err
	}()
	var err error
	for range 3 {
		if _, _, err = c.Read(ctx); err != nil {
			break
		}
	}
	if err := errors.Join(err, <-wrote); err != nil {
		return err
	}
	return c.Close(websocket.StatusNormalClosure, "")
}

// retries reads under contexts that end early.
func retries(ctx context.Context, c *conn) error {
	for {
		short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		_, _, err := c.Next(short)
		cancel()
		switch e := new(websocket.CloseError); {
		case err == nil, err == context.DeadlineExceeded && ctx.Err() == nil:
		case errors.As(err, &e) && e.Code == websocket.StatusNormalClosure:
			return nil
		default:
			return err
		}
	}
}

func sendsSlowly(ctx context.Context, c *conn) error {
	for range 3 {
		<-time.After(25 * time.Millisecond)
		if err := c.Write(ctx, websocket.Text, []byte("slow")); err != nil {
			return err
		}
	}
	return c.Close(websocket.StatusNormalClosure, "")
}

func seesTooBig(ctx context.Context, c *conn) error {
	_, _, err := c.Read(ctx)
	if e := new(websocket.MessageTooBigError); errors.As(err, &e) {
		return nil
	}
	return err
}

func isTooBig(ctx context.Context, c *conn) error {
	err := c.Write(ctx, websocket.Binary, make([]byte, 300<<10))
	if err == nil {
		_, _, err = c.Read(ctx)
	}
	if e := new(websocket.CloseError); errors.As(err, &e) && e.Code == websocket.StatusMessageTooBig {
		return nil
	}
	return err
}
