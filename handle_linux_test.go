package websocket

// Handle, on a socket that waits at a poller of ours, where it has no goroutine, and on a
// stream of another kind, where it has one: what comes behind it, and whom it tells.

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// onBothKinds runs test on a connection that waits at a poller, and on one that does not.
func onBothKinds(t *testing.T, opts *Options, test func(t *testing.T, c *Conn, client net.Conn, r *bufio.Reader)) {
	t.Run("socket", func(t *testing.T) {
		c, client, r := socketPair(t, opts)
		defer client.Close()
		test(t, c, client, r)
	})
	t.Run("stream", func(t *testing.T) {
		ours, client := tcpPair(t)
		c, err := NewConn(ours, Handshake{Role: RoleServer}, opts)
		require.NoError(t, err)
		defer c.CloseNow()
		defer client.Close()
		require.Nil(t, c.tr.sock)
		require.NoError(t, client.SetDeadline(time.Now().Add(pollBound)))
		test(t, c, client, bufio.NewReader(client))
	})
}

// Handle echoes until the peer closes, which is no error, and the connection is closed
// behind it, whether anybody wants to be told or not.
func TestHandle(t *testing.T) {
	for _, told := range []bool{true, false} {
		onBothKinds(t, nil, func(t *testing.T, c *Conn, client net.Conn, r *bufio.Reader) {
			ended := make(chan error, 2)
			end := func(err error) { ended <- err }
			if !told {
				end = nil
			}
			c.Handle(t.Context(), func(op Opcode, p []byte) error { return c.Write(t.Context(), op, p) }, end)
			send(t, client, helloFrame+helloFrame)
			requireBytes(t, r, "\x81\x02hi\x81\x02hi")
			require.True(t, c.batch.Load(), "replies are held back meanwhile")
			send(t, client, closeFrame)
			requireBytes(t, r, "\x88\x02\x03\xe8")
			_, err := r.ReadByte()
			require.Equal(t, io.EOF, err)
			client.Close()
			if told {
				require.NoError(t, soon(t, ended))
			}
			<-c.Context().Done()
			require.NoError(t, c.Close(StatusNormalClosure, ""))
			require.False(t, c.batch.Load())
			require.Empty(t, ended, "end was called twice")
		})
	}
}

// A connection that is idle under Handle has no goroutine at a poller.
func TestHandleHasNoGoroutine(t *testing.T) {
	open := socketPairs(t, nil)
	var conns [20]*Conn
	for i := range conns {
		c, client, _ := open()
		defer client.Close()
		conns[i] = c
	}
	before := goroutines()
	var ends atomic.Int32
	for _, c := range conns {
		c.Handle(t.Context(), func(Opcode, []byte) error { return nil }, func(error) { ends.Add(1) })
		require.True(t, isParked(c))
	}
	require.LessOrEqual(t, len(goroutines()), len(before)+1)
	for _, c := range conns {
		c.CloseNow()
	}
	until(t, "every end", func() bool { return ends.Load() == int32(len(conns)) })
}

// What ends Handle decides how the connection is closed, as behind the Handler of a Server.
func TestHandleCloses(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, row := range map[string]struct {
		ctx  context.Context
		fn   func(Opcode, []byte) error
		want error
		code string
	}{
		"an error":       {t.Context(), func(Opcode, []byte) error { return errBoom }, errBoom, "\x03\xf3"},
		"a code":         {t.Context(), func(Opcode, []byte) error { return &CloseError{Code: 4000} }, &CloseError{Code: 4000}, "\x0f\xa0"},
		"io.EOF":         {t.Context(), func(Opcode, []byte) error { return io.EOF }, io.EOF, "\x03\xf3"},
		"an old context": {ctx, nil, context.Canceled, "\x03\xe9"},
		"runtime.Goexit": {t.Context(), func(Opcode, []byte) error { runtime.Goexit(); return nil }, errPanic, "\x03\xf3"},
	} {
		t.Run(name, func(t *testing.T) {
			onBothKinds(t, nil, func(t *testing.T, c *Conn, client net.Conn, r *bufio.Reader) {
				ended := make(chan error, 1)
				c.Handle(row.ctx, row.fn, func(err error) { ended <- err })
				send(t, client, helloFrame)
				require.Equal(t, row.want, soon(t, ended))
				requireBytes(t, r, "\x88\x02"+row.code)
				send(t, client, closeFrame)
				_, err := r.ReadByte()
				require.Equal(t, io.EOF, err)
			})
		})
	}
}

// A context that ends while the connection is idle ends Handle.
func TestHandleContextEnds(t *testing.T) {
	onBothKinds(t, nil, func(t *testing.T, c *Conn, client net.Conn, r *bufio.Reader) {
		ctx, cancel := context.WithCancel(t.Context())
		ended, got := make(chan error, 1), make(chan struct{}, 1)
		c.Handle(ctx, func(Opcode, []byte) error { got <- struct{}{}; return nil }, func(err error) { ended <- err })
		send(t, client, helloFrame)
		soon(t, got)
		cancel()
		require.Equal(t, context.Canceled, soon(t, ended))
		requireBytes(t, r, "\x88\x02\x03\xe9")
	})
}

// A second reader is an error for Handle as for others, and end may take a lock that the
// caller of Handle has.
func TestHandleBesideAnotherReader(t *testing.T) {
	c, client, r := socketPair(t, nil)
	s := startServe(t.Context(), c, nil)
	untilParked(t, c)
	lock, ended := make(chan struct{}, 1), make(chan error, 1)
	c.Handle(t.Context(), nil, func(err error) { lock <- struct{}{}; ended <- err })
	<-lock
	require.Equal(t, errConcurrentRead, soon(t, ended))
	requireBytes(t, r, "\x88\x02\x03\xf3")
	client.Close()
	soon(t, s.err)
}

// A Handler that has called Handle and returns nil leaves the connection to it; one that
// returns an error has it closed all the same.
func TestHandleInServer(t *testing.T) {
	leakCheck(t)
	ended := make(chan error, 1)
	var result error
	server := &Server{Handler: func(ctx context.Context, c *Conn) error {
		c.Handle(ctx, func(op Opcode, p []byte) error { return c.Write(ctx, op, p) }, func(err error) { ended <- err })
		return result
	}}
	addr := serveWith(t, server)
	client, r := upgraded(t, addr)
	send(t, client, helloFrame)
	requireBytes(t, r, "\x81\x02hi")
	send(t, client, closeFrame)
	require.NoError(t, soon(t, ended))

	result = errBoom
	client, r = upgraded(t, addr)
	requireBytes(t, r, "\x88\x02\x03\xf3")
	send(t, client, closeFrame)
	var ce *CloseError
	require.ErrorAs(t, soon(t, ended), &ce)
	require.Equal(t, StatusInternalError, ce.Code)
}

// Shutdown closes connections under Handle, which are told.
func TestHandleShutdown(t *testing.T) {
	leakCheck(t)
	ended := make(chan error, 1)
	server := &Server{Handler: func(ctx context.Context, c *Conn) error {
		c.Handle(ctx, func(op Opcode, p []byte) error { return c.Write(ctx, op, p) }, func(err error) { ended <- err })
		return nil
	}}
	client, r := upgraded(t, serveWith(t, server))
	send(t, client, helloFrame) // or Shutdown might come before the Handler
	requireBytes(t, r, "\x81\x02hi")
	over := make(chan error, 1)
	go func() {
		forced, err := server.Shutdown(context.Background())
		if err == nil && forced > 0 {
			err = errBoom
		}
		over <- err
	}()
	requireBytes(t, r, "\x88\x02\x03\xe9")
	send(t, client, closeFrame)
	client.Close()
	require.ErrorIs(t, soon(t, ended), net.ErrClosed)
	require.NoError(t, soon(t, over))
}

// Panics under Handle, in fn, in end, and in a hook: a Server is told of each, once, and
// the client that something went wrong.
func TestHandlePanicsInServer(t *testing.T) {
	type told struct {
		v     any
		stack string
	}
	for name, row := range map[string]struct {
		fn   func(Opcode, []byte) error
		end  func(error)
		hook func(*Conn, Opcode, bool, int, int)
		err  error
	}{
		"fn":   {fn: func(Opcode, []byte) error { panicInServe(42); return nil }, err: errPanic},
		"end":  {fn: func(Opcode, []byte) error { return errBoom }, end: func(error) { panicInServe(42) }, err: errBoom},
		"hook": {hook: func(*Conn, Opcode, bool, int, int) { panicInServe(42) }, err: errPanic},
	} {
		t.Run(name, func(t *testing.T) {
			leakCheck(t)
			panics, ended := make(chan told, 2), make(chan error, 2)
			server := &Server{Panic: func(_ *Conn, v any, stack []byte) { panics <- told{v, string(stack)} }}
			server.Hooks = &Hooks{Message: row.hook}
			server.Handler = func(ctx context.Context, c *Conn) error {
				c.Handle(ctx, row.fn, func(err error) {
					ended <- err
					if row.end != nil {
						row.end(err)
					}
				})
				return nil
			}
			client, r := upgraded(t, serveWith(t, server))
			send(t, client, helloFrame)
			got := soon(t, panics)
			require.True(t, got.v == 42, "it is a %T", got.v)
			require.Contains(t, got.stack, "panicInServe")
			require.Equal(t, row.err, soon(t, ended))
			requireBytes(t, r, "\x88\x02\x03\xf3")
			send(t, client, closeFrame)
			_, err := r.ReadByte()
			require.Equal(t, io.EOF, err)
			require.Empty(t, panics)
			require.Empty(t, ended)
		})
	}
}

// Without a Server nobody is there to be told: the panic goes on, with the value and the
// stack of fn, and the connection is let go.
func TestHandlePanicsAlone(t *testing.T) {
	c, client, _ := socketPair(t, nil)
	defer client.Close()
	sv := &service{c: c, ctx: t.Context(), end: func(error) { t.Error("it goes on") }, broke: true, err: newServePanic(errBoom)}
	func() {
		defer func() {
			err, _ := recover().(error)
			require.True(t, errors.Is(err, errBoom))
		}()
		sv.finish()
	}()
	require.Equal(t, stateClosed, c.stateNow())
}
