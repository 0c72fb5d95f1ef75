package websocket

// Serve on a socket that waits at a poller of ours: what ends it while it is parked, what
// fn may do with its connection, and what becomes of panics. The tools are those of
// poller_linux_test.go.

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A context that ends while Serve is parked ends Serve and nothing else: what comes
// then is for the next read, or the next Serve.
func TestServeParkedContext(t *testing.T) {
	leakCheck(t)
	c, client, _ := socketPair(t, nil)
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		s := startServe(ctx, c, nil)
		untilParked(t, c)
		cancel()
		require.Equal(t, context.Canceled, soon(t, s.err))
		require.Empty(t, s.got)

		send(t, client, textFrame("up"))
		bounded, cancel := context.WithTimeout(t.Context(), pollBound)
		_, p, err := c.Next(bounded)
		require.NoError(t, err)
		require.Equal(t, "up", string(p))
		cancel() // which now interrupts nobody, though it was armed for the read
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := startServe(ctx, c, nil)
	send(t, client, textFrame("on"))
	require.Equal(t, "on", soon(t, s.got))
	cancel()
	require.Equal(t, context.Canceled, soon(t, s.err))
}

// A context that has ended by the time fn returns ends Serve behind that message, also
// if more have come.
func TestServeParkedContextEndsInside(t *testing.T) {
	leakCheck(t)
	c, client, _ := socketPair(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	s := startServe(ctx, c, func(Opcode, []byte) error { cancel(); return nil })
	send(t, client, textFrame("1.")+textFrame("2."))
	require.Equal(t, context.Canceled, soon(t, s.err))
	require.Equal(t, "1.", <-s.got)
	require.Empty(t, s.got)
	_, p, err := c.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, "2.", string(p))
	require.Equal(t, context.Canceled, c.Serve(ctx, nil), "a context that ended before Serve was called")
}

// A context that was armed for another read, and ends while Serve is parked, is not
// Serve's: it goes on.
func TestServeParkedForeignContext(t *testing.T) {
	leakCheck(t)
	c, client, _ := socketPair(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	send(t, client, textFrame("1."))
	_, _, err := c.Next(ctx)
	require.NoError(t, err)
	s := startServe(t.Context(), c, nil)
	untilParked(t, c)
	cancel()
	send(t, client, textFrame("2."))
	require.Equal(t, "2.", soon(t, s.got))
	send(t, client, textFrame("3."))
	require.Equal(t, "3.", soon(t, s.got))
	require.Empty(t, s.err)
	c.CloseNow()
	require.ErrorIs(t, soon(t, s.err), net.ErrClosed)
}

// CloseNow ends a Serve that is parked.
func TestServeParkedCloseNow(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		c, _, _ := socketPair(t, nil)
		s := startServe(c.Context(), c, nil)
		untilParked(t, c)
		c.CloseNow()
		require.ErrorIs(t, soon(t, s.err), net.ErrClosed)
		require.ErrorIs(t, c.Serve(t.Context(), nil), net.ErrClosed)
	})
}

// ReadIdleTimeout ends a Serve that is parked, and the next one goes on with the
// connection: a message that came meanwhile is not lost.
func TestServeParkedIdleTimeout(t *testing.T) {
	leakCheck(t)
	c, client, _ := socketPair(t, &Options{ReadIdleTimeout: 20 * time.Millisecond})
	s := startServe(t.Context(), c, nil)
	require.Equal(t, os.ErrDeadlineExceeded, soon(t, s.err))
	require.Empty(t, s.got)
	send(t, client, textFrame("on"))
	for range 100 { // on a slow machine the time may be up again before the message is looked at
		s = startServe(t.Context(), c, nil)
		require.Equal(t, os.ErrDeadlineExceeded, soon(t, s.err))
		if len(s.got) > 0 {
			break
		}
	}
	require.Len(t, s.got, 1)
	require.Equal(t, "on", <-s.got)
}

// A timer of ReadIdleTimeout does not outlive its connection, which may have been for an
// hour: on a server where connections come and go it would keep each of them in memory.
func TestSocketLeavesNoTimer(t *testing.T) {
	leakCheck(t)
	c, _, _ := socketPair(t, &Options{ReadIdleTimeout: time.Hour})
	s := startServe(t.Context(), c, nil)
	untilParked(t, c)
	c.CloseNow()
	require.ErrorIs(t, soon(t, s.err), net.ErrClosed)
	g := &c.tr.sock.in
	g.mu.Lock()
	defer g.mu.Unlock()
	require.False(t, g.timer != nil && g.timer.Stop(), "the timer is running")
}

// An error of fn ends Serve, and the connection can be served further.
func TestServeParkedError(t *testing.T) {
	leakCheck(t)
	enough := errors.New("enough")
	c, client, _ := socketPair(t, nil)
	for range 3 {
		s := startServe(t.Context(), c, func(Opcode, []byte) error { return enough })
		send(t, client, textFrame("1."))
		require.Equal(t, enough, soon(t, s.err))
		require.Equal(t, "1.", <-s.got)
	}
	// Of two messages that came together the second is there for who comes next.
	s := startServe(t.Context(), c, func(Opcode, []byte) error { return enough })
	send(t, client, textFrame("1.")+textFrame("2."))
	require.Equal(t, enough, soon(t, s.err))
	s = startServe(t.Context(), c, func(Opcode, []byte) error { return enough })
	require.Equal(t, enough, soon(t, s.err))
	require.Equal(t, "2.", <-s.got)
}

// A message may come in pieces, with the service parked between any two of them.
func TestServeParkedInPieces(t *testing.T) {
	leakCheck(t)
	c, client, _ := socketPair(t, nil)
	s := startServe(t.Context(), c, nil)
	wire := string(unhex("01 82 00000000 6162 89 81 00000000 70 80 82 00000000 6364")) // "ab", a ping, "cd"
	for at := range len(wire) {
		send(t, client, wire[at:at+1])
		until(t, "the byte was read", func() bool { return c.Stats().BytesIn == uint64(at+1) })
		if at < len(wire)-1 {
			untilParked(t, c)
			require.Empty(t, s.got)
		}
	}
	require.Equal(t, "abcd", soon(t, s.got))
	c.CloseNow()
	require.ErrorIs(t, soon(t, s.err), net.ErrClosed)
}

// A frame that came in the same segment as the request for the handshake is served,
// though no more bytes come to wake anybody, and so is one whose rest comes later.
func TestServeParkedLeftover(t *testing.T) {
	for name, cut := range map[string]int{"whole": len(helloFrame), "cut": 3} {
		t.Run(name, func(t *testing.T) {
			leakCheck(t)
			serving := make(chan *Conn, 1)
			addr := serveWith(t, &Server{Handler: func(ctx context.Context, c *Conn) error {
				serving <- c
				return c.Serve(ctx, func(op Opcode, p []byte) error { return c.Write(ctx, op, p) })
			}})
			client, r := rawDial(t, addr, rawRequest()+helloFrame[:cut])
			resp, _ := readResponse(t, r)
			require.Equal(t, 101, resp.StatusCode)
			c := soon(t, serving)
			require.NotNil(t, c.tr.sock)
			if cut < len(helloFrame) {
				untilParked(t, c)
				send(t, client, helloFrame[cut:])
			}
			requireBytes(t, r, helloEchoed)
		})
	}
}

// sayGoodbye is a client that is told 1000, says so too, and sees TCP end.
func sayGoodbye(t testing.TB, client net.Conn, r *bufio.Reader) {
	t.Helper()
	requireBytes(t, r, "\x88\x02\x03\xe8")
	send(t, client, closeFrame)
	_, err := r.ReadByte()
	require.Equal(t, io.EOF, err)
	client.Close()
}

// Close of another goroutine completes the closing handshake, whose answer the parked
// service reads.
func TestServeParkedClose(t *testing.T) {
	leakCheck(t)
	c, client, r := socketPair(t, nil)
	s := startServe(t.Context(), c, nil)
	untilParked(t, c)
	closed := make(chan error, 1)
	go func() { closed <- c.Close(StatusNormalClosure, "") }()
	sayGoodbye(t, client, r)
	require.NoError(t, soon(t, closed))
	require.ErrorIs(t, soon(t, s.err), net.ErrClosed)
}

// A close frame of the client ends a parked Serve without an error, and is answered.
func TestServeParkedClosedByPeer(t *testing.T) {
	leakCheck(t)
	c, client, r := socketPair(t, nil)
	s := startServe(t.Context(), c, nil)
	untilParked(t, c)
	send(t, client, closeFrame)
	requireBytes(t, r, "\x88\x02\x03\xe8")
	require.NoError(t, soon(t, s.err))
	client.Close()
	require.NoError(t, c.Close(StatusNormalClosure, ""))
}

// fn may close the connection itself, and wait for the client's answer in there.
func TestServeParkedClosesItself(t *testing.T) {
	leakCheck(t)
	c, client, r := socketPair(t, nil)
	closed := make(chan error, 1)
	s := startServe(t.Context(), c, func(Opcode, []byte) error {
		closed <- c.Close(StatusNormalClosure, "")
		return nil
	})
	send(t, client, helloFrame)
	sayGoodbye(t, client, r)
	require.NoError(t, soon(t, closed))
	require.ErrorIs(t, soon(t, s.err), net.ErrClosed)
}

// fn may read the next messages itself, and waits for them like any reader.
func TestServeParkedNestedRead(t *testing.T) {
	leakCheck(t)
	c, client, _ := socketPair(t, nil)
	began, nested := make(chan struct{}, 1), make(chan string, 1)
	s := startServe(t.Context(), c, func(_ Opcode, p []byte) error {
		if string(p) != "1." {
			return nil
		}
		began <- struct{}{}
		_, p, err := c.Next(t.Context())
		nested <- string(p)
		return err
	})
	for range 3 {
		send(t, client, textFrame("1."))
		require.Equal(t, "1.", soon(t, s.got))
		soon(t, began)
		send(t, client, textFrame("2.")+textFrame("3."))
		require.Equal(t, "2.", soon(t, nested))
		require.Equal(t, "3.", soon(t, s.got))
		untilParked(t, c)
	}
	c.CloseNow()
	require.ErrorIs(t, soon(t, s.err), net.ErrClosed)
}

// A service that is parked is the connection's reader, so that nobody else can be, and
// nothing happens to it if somebody tries.
func TestServeParkedSecondReader(t *testing.T) {
	leakCheck(t)
	c, client, _ := socketPair(t, nil)
	s := startServe(t.Context(), c, nil)
	untilParked(t, c)
	_, _, err := c.Next(t.Context())
	require.Equal(t, errConcurrentRead, err)
	require.Equal(t, errConcurrentRead, c.Serve(t.Context(), nil))
	require.Equal(t, errConcurrentRead, context.Cause(c.CloseRead(t.Context())))
	require.True(t, isParked(c))
	send(t, client, textFrame("on"))
	require.Equal(t, "on", soon(t, s.got))
	c.CloseNow()
	require.ErrorIs(t, soon(t, s.err), net.ErrClosed)
}

// Others may write while a service is parked, and while it runs.
func TestServeParkedWriters(t *testing.T) {
	leakCheck(t)
	const writers, each = 8, 50
	c, conn, _ := socketPair(t, nil)
	s := startServe(t.Context(), c, func(op Opcode, p []byte) error { return c.Write(t.Context(), op, p) })
	untilParked(t, c)
	client, err := NewConn(conn, Handshake{Role: RoleClient}, nil)
	require.NoError(t, err)
	defer client.CloseNow()
	failed := make(chan error, writers)
	for w := range writers {
		go func() {
			var err error
			for range each {
				err = errors.Join(err, c.Write(t.Context(), Binary, []byte{byte(w)}))
			}
			failed <- err
		}()
	}
	ctx, cancel := context.WithTimeout(t.Context(), pollBound)
	defer cancel()
	require.NoError(t, client.Write(ctx, Text, []byte("hi")))
	got := map[string]int{}
	for range writers*each + 1 {
		_, p, err := client.Next(ctx)
		require.NoError(t, err)
		got[string(p)]++
	}
	want := map[string]int{"hi": 1}
	for w := range writers {
		require.NoError(t, soon(t, failed))
		want[string([]byte{byte(w)})] = each
	}
	require.Equal(t, want, got)
	c.CloseNow()
	require.ErrorIs(t, soon(t, s.err), net.ErrClosed)
}

// panicInServe is a name to look for in a stack.
func panicInServe(v any) { panic(v) }

var errBoom = errors.New("boom")

// requireServePanic wants v to be what Serve panics with if fn panicked with errBoom.
func requireServePanic(t *testing.T, v any) {
	t.Helper()
	err, ok := v.(error)
	require.True(t, ok, "%v", v)
	require.ErrorIs(t, err, errBoom)
	require.ErrorContains(t, err, "panicInServe")
}

// A panic of fn goes to the goroutine that called Serve, wherever fn ran, and says
// where it came from. The connection is as good as before.
func TestServePanics(t *testing.T) {
	boom := func(Opcode, []byte) error { panicInServe(errBoom); return nil }
	t.Run("parked", func(t *testing.T) {
		leakCheck(t)
		c, client, _ := socketPair(t, nil)
		for range 3 {
			s := startServe(t.Context(), c, boom)
			send(t, client, helloFrame)
			requireServePanic(t, soon(t, s.panicked))
		}
		s := startServe(t.Context(), c, nil)
		send(t, client, helloFrame)
		require.Equal(t, "hi", soon(t, s.got))
		c.CloseNow()
		require.ErrorIs(t, soon(t, s.err), net.ErrClosed)
	})
	t.Run("here", func(t *testing.T) {
		leakCheck(t)
		ours, theirs := net.Pipe()
		defer theirs.Close()
		c, err := NewConn(ours, Handshake{Role: RoleServer}, nil)
		require.NoError(t, err)
		defer c.CloseNow()
		s := startServe(t.Context(), c, boom)
		send(t, theirs, helloFrame)
		requireServePanic(t, soon(t, s.panicked))
	})
	t.Run("no error", func(t *testing.T) {
		leakCheck(t)
		c, client, _ := socketPair(t, nil)
		s := startServe(t.Context(), c, func(Opcode, []byte) error { panicInServe("a value"); return nil })
		send(t, client, helloFrame)
		err, ok := soon(t, s.panicked).(error)
		require.True(t, ok)
		require.ErrorContains(t, err, "a value")
		require.NoError(t, errors.Unwrap(err))
	})
}

// If fn ends its goroutine, as t.FailNow does, the one that called Serve ends.
func TestServePanicsGoexit(t *testing.T) {
	leakCheck(t)
	c, client, _ := socketPair(t, nil)
	for range 3 { // each costs the poller a worker
		s := startServe(t.Context(), c, func(Opcode, []byte) error { runtime.Goexit(); return nil })
		send(t, client, helloFrame)
		require.Nil(t, soon(t, s.panicked))
	}
	s := startServe(t.Context(), c, nil)
	send(t, client, helloFrame)
	require.Equal(t, "hi", soon(t, s.got))
	c.CloseNow()
	require.ErrorIs(t, soon(t, s.err), net.ErrClosed)
}

// Server.Panic is told of a panic in Serve as of any other: the value itself, and a
// stack with the function in it. A Serve inside fn makes no difference.
func TestServePanicsInServer(t *testing.T) {
	type told struct {
		v     any
		stack string
	}
	serve := func(ctx context.Context, c *Conn) error {
		return c.Serve(ctx, func(Opcode, []byte) error { panicInServe(42); return nil })
	}
	for name, handler := range map[string]func(context.Context, *Conn) error{
		"plain": serve,
		"nested": func(ctx context.Context, c *Conn) error {
			return c.Serve(ctx, func(Opcode, []byte) error { return serve(ctx, c) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			leakCheck(t)
			panics := make(chan told, 1)
			server := &Server{Handler: handler, Panic: func(_ *Conn, v any, stack []byte) { panics <- told{v, string(stack)} }}
			client, r := upgraded(t, serveWith(t, server))
			send(t, client, helloFrame+helloFrame)
			got := soon(t, panics)
			require.True(t, got.v == 42, "it is a %T", got.v)
			require.Contains(t, got.stack, "panicInServe")
			requireBytes(t, r, "\x88\x02\x03\xf3") // 1011
			send(t, client, closeFrame)
			_, err := r.ReadByte()
			require.Equal(t, io.EOF, err)
		})
	}
}

// A hook that panics while a parked service reads does so on the goroutine of Serve,
// and leaves a connection that can be closed.
func TestServePanicsInHook(t *testing.T) {
	leakCheck(t)
	c, client, r := socketPair(t, &Options{Hooks: &Hooks{Message: func(*Conn, Opcode, bool, int, int) { panicInServe(errBoom) }}})
	s := startServe(t.Context(), c, nil)
	untilParked(t, c)
	send(t, client, helloFrame)
	requireServePanic(t, soon(t, s.panicked))
	require.Empty(t, s.got)
	closed := make(chan error, 1)
	go func() { closed <- c.Close(StatusNormalClosure, "") }()
	requireBytes(t, r, "\x88\x02\x03\xe8")
	send(t, client, closeFrame)
	_, err := r.ReadByte()
	require.Equal(t, io.EOF, err)
	client.Close()
	require.NoError(t, soon(t, closed))
}

// A panic of fn is not the affair of another Serve that began while fn ran, and is the
// reader by then: it stays parked, with the reader's lock.
func TestServePanicsBesideAnother(t *testing.T) {
	leakCheck(t)
	c, client, _ := socketPair(t, nil)
	other := make(chan *serving, 1)
	s := startServe(t.Context(), c, func(Opcode, []byte) error {
		o := startServe(t.Context(), c, nil)
		untilParked(t, c)
		other <- o
		panicInServe(errBoom)
		return nil
	})
	send(t, client, helloFrame)
	o := soon(t, other)
	requireServePanic(t, soon(t, s.panicked))
	if g := &c.tr.sock.in; c.reading.TryLock() {
		t.Error("the lock of the service that is parked has been given back")
		g.mu.Lock()
		c.tr.sock.turns = true // as it should be, or the program ends with the test
		g.mu.Unlock()
	}
	send(t, client, textFrame("on"))
	require.Equal(t, "on", soon(t, o.got))
	c.CloseNow()
	require.ErrorIs(t, soon(t, o.err), net.ErrClosed)
}

// shrink gives both ends small buffers in the kernel, so that a large message does not
// fit in there.
func shrink(t testing.TB, c *Conn, client net.Conn) {
	t.Helper()
	require.NoError(t, syscall.SetsockoptInt(c.tr.sock.fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 64<<10))
	require.NoError(t, client.(*net.TCPConn).SetReadBuffer(64<<10))
}

// The keepalive of a parked service: a peer that answers lives, and one that does not is
// given up.
func TestServeParkedKeepalive(t *testing.T) {
	leakCheck(t)
	opts := &Options{KeepaliveInterval: 20 * time.Millisecond, KeepaliveTimeout: 500 * time.Millisecond}

	c, client, r := socketPair(t, opts)
	s := startServe(t.Context(), c, nil)
	for range 5 {
		requireBytes(t, r, "\x89\x08")
		ping := make([]byte, 8)
		_, err := io.ReadFull(r, ping)
		require.NoError(t, err)
		heard := c.pings.heard.Load()
		send(t, client, "\x8a\x88\x00\x00\x00\x00"+string(ping))
		until(t, "a sign of life", func() bool { return c.pings.heard.Load() > heard })
		require.LessOrEqual(t, time.Duration(c.pings.heard.Load()), moment())
	}
	begun := time.Now()
	require.ErrorIs(t, soon(t, s.err), ErrPeerTimeout)
	require.GreaterOrEqual(t, time.Since(begun), opts.KeepaliveTimeout-opts.KeepaliveInterval)
}
