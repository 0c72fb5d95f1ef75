package websocket

// What a read owes: to its context, to the order of messages, to a peer that waits,
// and to those who read next.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// oneWay takes nothing.
type oneWay struct{ net.Conn }

func (oneWay) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// The rest of a message that CloseRead was dropping is no message, whatever else was
// in store.
func TestReadAfterCloseReadMidMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c, err := NewConn(oneWay{ours}, Handshake{Role: RoleServer}, silence(Options{}))
		require.NoError(t, err)
		defer c.CloseNow()
		defer theirs.Close()
		go theirs.Write(unhex("8181 00000000 41"))
		require.Error(t, c.Write(ctxBackground, Text, nil)) // who failed looks around, and comes upon A
		ctx, cancel := context.WithTimeout(ctxBackground, time.Second)
		defer cancel()
		over := c.CloseRead(ctx)
		theirs.Write(unhex("8184 00000000 6262")) // half of another
		<-over.Done()
		synctest.Wait() // it has let go
		go theirs.Write(unhex("4242 8181 00000000 43"))
		_, p, err := c.Next(ctxBackground)
		require.NoError(t, err)
		require.Equal(t, "C", string(p))
	})
}

// A pong that lies behind messages which a busy handler, or hook, has yet to read is a
// pong; but one that stands still is found out.
func TestKeepaliveBehindInput(t *testing.T) {
	for name, row := range map[string]struct {
		each, hook time.Duration
		want       int
		err        error
	}{
		"busy":       {each: 100 * time.Millisecond, want: 585, err: context.DeadlineExceeded},
		"stuck":      {each: 5 * time.Minute, want: 1, err: ErrPeerTimeout},
		"busy hook":  {hook: 100 * time.Millisecond, want: 585, err: context.DeadlineExceeded},
		"stuck hook": {hook: 5 * time.Minute, want: 1, err: ErrPeerTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				hooks := &Hooks{Message: func(*Conn, Opcode, bool, int, int) { <-time.After(row.hook) }}
				c, err := NewConn(ours, Handshake{Role: RoleServer}, &Options{Hooks: hooks})
				require.NoError(t, err)
				defer theirs.Close()
				defer c.CloseNow()
				go func() {
					theirs.Write(bytes.Repeat(unhex("8181 00000000 78"), 585))
					p, _ := NewConn(theirs, Handshake{Role: RoleClient}, &Options{WriteTimeout: -1})
					p.CloseRead(ctxBackground) // and answers every ping
				}()
				n := 0
				ctx, cancel := context.WithTimeout(ctxBackground, 2*time.Minute)
				defer cancel()
				err = c.Serve(ctx, func(Opcode, []byte) error {
					n++
					<-time.After(row.each)
					return nil
				})
				require.Equal(t, row.want, n)
				if row.err == ErrPeerTimeout {
					err = c.permanent()
				}
				require.ErrorIs(t, err, row.err)
			})
		})
	}
}

// A read ends with its context also while it sends what was held back.
func TestReadEndsWhileFlushing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, theirs := serverOverPipe(t, Options{Batch: true, WriteTimeout: time.Minute})
		go theirs.Write(oneTwo)
		for range 2 {
			op, p, err := c.Next(ctxBackground)
			require.NoError(t, err)
			require.NoError(t, c.Write(ctxBackground, op, p))
		}
		ctx, cancel := context.WithTimeout(ctxBackground, time.Second)
		defer cancel()
		begun := time.Now()
		_, _, err := c.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begun))
		got := make([]byte, 10)
		_, err = io.ReadFull(theirs, got)
		require.NoError(t, err)
		require.Equal(t, unhex("8103 6f6e65 8103 74776f"), got)
	})
}

// CloseRead reads until its context ends or the connection does, and no timeout of
// reads ends it.
func TestCloseReadHasNoIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, theirs := serverOverPipe(t, Options{ReadIdleTimeout: time.Second})
		ctx := c.CloseRead(ctxBackground)
		<-time.After(10 * time.Second)
		require.NoError(t, ctx.Err())
		theirs.Write(aPing)
		got := make([]byte, 2)
		_, err := io.ReadFull(theirs, got)
		require.NoError(t, err)
		require.Equal(t, unhex("8a00"), got)
	})
}

// CloseRead keeps nothing of a message that a read had begun.
func TestCloseReadKeepsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, theirs := serverOverPipe(t, Options{})
		go theirs.Write(append(unhex("82ff 00000000000fffff 00000000"), make([]byte, 0xFFFFE)...))
		ctx, cancel := context.WithTimeout(ctxBackground, time.Second)
		defer cancel()
		_, _, err := c.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotNil(t, c.msg)
		dropping, stop := context.WithCancel(ctxBackground)
		over := c.CloseRead(dropping)
		theirs.Write(append([]byte{0}, threeX...)) // the end of it, and more
		synctest.Wait()
		held := c.msg
		stop()
		<-over.Done()
		require.Nil(t, held)
	})
}

// countedReads counts calls of Read.
type countedReads struct {
	net.Conn
	n atomic.Int64
}

func (c *countedReads) Read(b []byte) (int, error) {
	c.n.Add(1)
	return c.Conn.Read(b)
}

// A deadline that somebody has left on the stream is taken back, and one that comes
// again and again ends the connection: a read does not spin.
func TestReadUnderForeignDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, again := range []bool{false, true} {
			ours, theirs := net.Pipe()
			s := &countedReads{Conn: ours}
			ours.SetDeadline(time.Now().Add(time.Millisecond)) // for a handshake of one's own
			var stream io.ReadWriteCloser = s
			if again {
				stream = pastDeadline{s}
			}
			c, err := NewConn(stream, Handshake{Role: RoleServer}, silence(Options{}))
			require.NoError(t, err)
			ours.SetReadDeadline(time.Now().Add(time.Millisecond)) // and one behind its back
			ctx, cancel := context.WithTimeout(ctxBackground, time.Second)
			_, _, err = c.Next(ctx)
			if again {
				require.ErrorContains(t, err, "timeout")
				require.Error(t, c.Context().Err())
			} else {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.NoError(t, c.Context().Err())
			}
			require.LessOrEqual(t, s.n.Load(), int64(maxStray+1))
			cancel()
			c.CloseNow()
			theirs.Close()
		}
	})
}

// pastDeadline sets a deadline of its own, whatever it is told.
type pastDeadline struct{ *countedReads }

func (s pastDeadline) SetReadDeadline(time.Time) error { return s.Conn.SetReadDeadline(longAgo) }

// However Serve ends, nothing is held back any more, and nothing is lost.
func TestServeEndsBatching(t *testing.T) {
	stop := errors.New("stop")
	for name, end := range map[string]func(cancel func()) error{
		"error":   func(func()) error { return stop },
		"context": func(cancel func()) error { cancel(); return nil },
		"panic":   func(func()) error { panic(stop) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, theirs := serverOverPipe(t, Options{})
				go theirs.Write(threeX)
				got := make(chan []byte, 1)
				go func() {
					b, _ := io.ReadAll(theirs)
					got <- b
				}()
				ctx, cancel := context.WithCancel(ctxBackground)
				defer cancel()
				n := 0
				func() {
					defer func() { recover() }()
					c.Serve(ctx, func(op Opcode, p []byte) error {
						require.NoError(t, c.Write(ctxBackground, op, p))
						if n++; n == 2 {
							return end(cancel)
						}
						return nil
					})
				}()
				require.Equal(t, 2, n)
				require.NoError(t, c.Write(ctxBackground, Text, []byte("bye")))
				c.CloseNow()
				require.Equal(t, unhex("8101 78 8101 78 8103 627965"), <-got)
			})
		})
	}
}

// A Serve whose context has ended calls nobody any more, whatever it has read.
func TestServeStopsAtContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, theirs := serverOverPipe(t, Options{})
		go theirs.Write(threeX)
		ctx, cancel := context.WithCancel(ctxBackground)
		n := 0
		err := c.Serve(ctx, func(Opcode, []byte) error {
			n++
			cancel()
			return nil
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 1, n)
		_, p, err := c.Next(ctxBackground)
		require.NoError(t, err, "the connection is as good as before")
		require.Equal(t, "x", string(p))
	})
}

// A handler that leaves reading to CloseRead, and ends: whoever reads by then sends
// the pongs. It is the race detector that judges.
func TestServeEndsBesideCloseRead(t *testing.T) {
	for range 50 {
		ours, theirs := net.Pipe()
		c, err := NewConn(ours, Handshake{Role: RoleServer}, silence(Options{}))
		require.NoError(t, err)
		drained, written := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(drained)
			io.Copy(io.Discard, theirs)
		}()
		go func() {
			defer close(written)
			theirs.Write(threeX[:7])
			for range 20 {
				theirs.Write(aPing)
			}
		}()
		c.Serve(ctxBackground, func(Opcode, []byte) error {
			c.CloseRead(ctxBackground)
			return io.EOF
		})
		<-written
		c.CloseNow()
		theirs.Close()
		<-drained
	}
}

// A Reader that was read to its last byte says io.EOF, whatever a writer finds meanwhile.
func TestReaderEndsAfterFailedWrite(t *testing.T) {
	ours, theirs := net.Pipe()
	c, err := NewConn(ours, Handshake{Role: RoleClient}, silence(Options{}))
	require.NoError(t, err)
	defer c.CloseNow()
	go func() {
		theirs.Write(unhex("8205 6669727374 8206 7365636f6e64"))
		theirs.Close()
	}()
	_, r, err := c.Reader(ctxBackground)
	require.NoError(t, err)
	p := make([]byte, 5)
	_, err = io.ReadFull(r, p)
	require.NoError(t, err)
	require.Error(t, c.Write(ctxBackground, Binary, []byte("x")))
	_, err = r.Read(p)
	require.Equal(t, io.EOF, err)
	_, p, err = c.Read(ctxBackground)
	require.NoError(t, err)
	require.Equal(t, "second", string(p))
}

// A Reader that takes its time comes further, fragment by fragment, for the keepalive too.
func TestKeepaliveBehindFragments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c, err := NewConn(ours, Handshake{Role: RoleServer}, nil)
		require.NoError(t, err)
		defer theirs.Close()
		defer c.CloseNow()
		go func() {
			b := append(unhex("0281 00000000 78"), bytes.Repeat(unhex("0081 00000000 78"), 400)...)
			theirs.Write(append(b, unhex("8081 00000000 78")...))
			p, _ := NewConn(theirs, Handshake{Role: RoleClient}, &Options{WriteTimeout: -1})
			p.CloseRead(ctxBackground) // and answers every ping
		}()
		_, r, err := c.Reader(ctxBackground)
		require.NoError(t, err)
		begun := time.Now()
		b, n := make([]byte, 1), 0
		for {
			k, err := r.Read(b)
			n += k
			if err == io.EOF {
				break
			}
			require.NoError(t, err, "after %d bytes", n)
			<-time.After(time.Second)
		}
		require.Equal(t, 402, n)
		require.Equal(t, 402*time.Second, time.Since(begun))
	})
}

// ReadIdleTimeout holds also where somebody else has set a deadline on the stream.
func TestReadIdleTimeoutAfterForeignDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c, err := NewConn(ours, Handshake{Role: RoleServer}, silence(Options{ReadIdleTimeout: time.Second}))
		require.NoError(t, err)
		defer theirs.Close()
		defer c.CloseNow()
		time.AfterFunc(100*time.Millisecond, func() { ours.SetReadDeadline(time.Now().Add(time.Millisecond)) })
		ctx, cancel := context.WithTimeout(ctxBackground, time.Minute)
		defer cancel()
		_, _, err = c.Next(ctx)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	})
}

// Serve ends with its context also while it sends what was held back.
func TestServeEndsWhileFlushing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe() // nobody reads it
		c, err := NewConn(ours, Handshake{Role: RoleServer}, silence(Options{WriteTimeout: time.Minute}))
		require.NoError(t, err)
		defer theirs.Close()
		defer c.CloseNow()
		go theirs.Write(threeX)
		ctx, cancel := context.WithTimeout(ctxBackground, time.Second)
		defer cancel()
		begun := time.Now()
		require.Equal(t, io.EOF, c.Serve(ctx, func(op Opcode, p []byte) error {
			c.Write(ctxBackground, op, p)
			return io.EOF
		}))
		require.Equal(t, time.Second, time.Since(begun))
	})
}

// One large message does not make small ones behind it cost as much: 64 MiB each, or
// 2.5 GiB in all. What they may cost is the largest pooled buffer, 4 MiB, and that only
// where the pool has let go of it, as it does now and then under the race detector.
func TestInflatedHintIsBounded(t *testing.T) {
	c, s, f := compressed(t, RoleServer, "; client_no_context_takeover; server_no_context_takeover", Options{ReadLimit: 64 << 20})
	s.in = f.frame(0xC1, f.deflate(make([]byte, 64<<20)))
	_, p, err := c.Next(ctxBackground)
	require.NoError(t, err)
	require.Len(t, p, 64<<20)
	tiny := f.frame(0xC1, f.deflate([]byte("hi")))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 40 {
		s.in = bytes.Clone(tiny)
		_, p, err = c.Next(ctxBackground)
		require.NoError(t, err)
		require.Equal(t, "hi", string(p))
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(40*4<<20+32<<20))
}
