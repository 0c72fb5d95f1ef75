package websocket

// What a write owes: to the context it was given, to a peer that is slow, and to
// those whose messages wait behind it.

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// silence is for tests that have no use for keepalive.
func silence(o Options) *Options {
	if o.KeepaliveInterval == 0 {
		o.KeepaliveInterval = -1
	}
	return &o
}

// serverOverPipe returns a connection of the server's role, and the client's end of the stream,
// which takes a byte when it is read.
func serverOverPipe(t *testing.T, o Options) (*Conn, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	c, err := NewConn(ours, Handshake{Role: RoleServer}, silence(o))
	require.NoError(t, err)
	t.Cleanup(func() {
		theirs.Close()
		c.CloseNow()
	})
	return c, theirs
}

// Messages of a client, masked with zeros.
var (
	oneTwo   = unhex("8183 00000000 6f6e65 8183 00000000 74776f")
	threeX   = bytes.Repeat(unhex("8181 00000000 78"), 3)
	aPing    = unhex("8980 00000000")
	aClosing = unhex("8882 00000000 03e8")
)

// sip reads 64 KiB a second until the stream ends.
func sip(stream net.Conn) {
	b := make([]byte, 64<<10)
	for {
		if _, err := stream.Read(b); err != nil {
			return
		}
		<-time.After(time.Second)
	}
}

// A message that a Write gave up is not sent, even if it is the one that makes what
// is held back too much.
func TestWriteGivenUpIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, theirs := serverOverPipe(t, Options{Batch: true})
		go theirs.Write(threeX)
		_, _, err := c.Next(ctxBackground)
		require.NoError(t, err)
		brief, cancel := context.WithTimeout(ctxBackground, time.Millisecond)
		defer cancel()
		require.NoError(t, c.Write(brief, Text, bytes.Repeat([]byte("x"), 6000)))
		require.NoError(t, c.Write(brief, Text, bytes.Repeat([]byte("y"), 6000)))
		require.ErrorIs(t, c.Write(brief, Text, bytes.Repeat([]byte("z"), 6000)), context.DeadlineExceeded)
		go func() {
			c.Write(ctxBackground, Text, []byte("end"))
			c.Flush(ctxBackground)
			c.CloseNow()
		}()
		all, _ := io.ReadAll(theirs)
		require.Len(t, all, 2*(4+6000)+2+3)
		require.NotContains(t, string(all), "z")
	})
}

// What is held back goes out, also if a message it was to go with is given up.
func TestHeldGoesOutAfterGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, theirs := serverOverPipe(t, Options{})
		go c.Serve(ctxBackground, func(op Opcode, p []byte) error {
			err := c.Write(ctxBackground, op, p) // held: there is more to read
			if string(p) == "two" {
				go func() {
					brief, cancel := context.WithTimeout(ctxBackground, time.Second)
					defer cancel()
					c.Write(brief, Binary, make([]byte, 20<<10))
				}()
				synctest.Wait()
			}
			return err
		})
		theirs.Write(oneTwo)
		<-time.After(2 * time.Second)
		theirs.SetReadDeadline(time.Now().Add(time.Minute))
		got := make([]byte, 10)
		_, err := io.ReadFull(theirs, got)
		require.NoError(t, err)
		require.Equal(t, unhex("8103 6f6e65 8103 74776f"), got)
	})
}

// A peer that takes none of what was held back is found by WriteTimeout.
func TestHeldTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, theirs := serverOverPipe(t, Options{})
		served := make(chan error, 1)
		go func() {
			served <- c.Serve(ctxBackground, func(op Opcode, p []byte) error {
				err := c.Write(ctxBackground, op, p)
				if string(p) == "two" {
					<-time.After(time.Second) // so that it is the timer that flushes
				}
				return err
			})
		}()
		begun := time.Now()
		theirs.Write(oneTwo)
		require.ErrorContains(t, <-served, "WriteTimeout")
		require.LessOrEqual(t, time.Since(begun), defaultWriteTimeout+time.Second)
	})
}

// The end of a context ends its Write, whatever is owed to the peer by then.
func TestWriteEndsWithItsContext(t *testing.T) {
	for name, taken := range map[string]int{"nothing taken": 0, "the message taken": 7} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, theirs := serverOverPipe(t, Options{WriteTimeout: -1})
				go c.Read(ctxBackground)
				go func() {
					<-time.After(100 * time.Millisecond)
					theirs.Write(aPing)
					io.ReadFull(theirs, make([]byte, taken))
				}()
				ctx, cancel := context.WithTimeout(ctxBackground, time.Second)
				defer cancel()
				begun := time.Now()
				if err := c.Write(ctx, Text, []byte("hello")); taken == 0 {
					require.ErrorIs(t, err, context.DeadlineExceeded)
				} else {
					require.NoError(t, err)
				}
				require.LessOrEqual(t, time.Since(begun), time.Second)
			})
		})
	}
}

// A peer that takes bytes all the time is not one that takes none, however long a
// message lasts; and a keepalive ping that waits behind it is no ping yet.
func TestWriteToSlowPeer(t *testing.T) {
	for _, role := range bothRoles {
		t.Run(roleName(role), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				c, err := NewConn(ours, Handshake{Role: role}, &Options{KeepaliveInterval: 30 * time.Second})
				require.NoError(t, err)
				defer theirs.Close()
				defer c.CloseNow()
				c.CloseRead(ctxBackground)
				go sip(theirs)
				begun := time.Now()
				require.NoError(t, c.Write(ctxBackground, Binary, make([]byte, 8<<20)))
				require.Greater(t, time.Since(begun), 2*time.Minute)
				require.NoError(t, c.Context().Err())

				// But it has to answer the ping, now that it has it.
				<-c.Context().Done()
				require.ErrorIs(t, context.Cause(c.Context()), ErrPeerTimeout)
			})
		})
	}
}

// The same over TCP, where a write says only at its end how far it came.
func TestWriteToSlowPeerOverTCP(t *testing.T) {
	for name, over := range map[string]func(net.Conn) io.ReadWriteCloser{
		"net.Conn": func(c net.Conn) io.ReadWriteCloser { return c },
		"socket":   func(c net.Conn) io.ReadWriteCloser { stream, _ := ownStream(c); return stream },
	} {
		t.Run(name, func(t *testing.T) { writeToSlowPeer(t, over) })
	}
}

func writeToSlowPeer(t *testing.T, over func(net.Conn) io.ReadWriteCloser) {
	ours, theirs := tcpPair(t)
	require.NoError(t, theirs.(*net.TCPConn).SetReadBuffer(64<<10))
	require.NoError(t, ours.(*net.TCPConn).SetWriteBuffer(64<<10))
	opts := &Options{KeepaliveInterval: -1, WriteTimeout: 300 * time.Millisecond}
	server, err := NewConn(over(ours), Handshake{Role: RoleServer}, opts)
	require.NoError(t, err)
	defer server.CloseNow()
	client, err := NewConn(theirs, Handshake{Role: RoleClient}, opts)
	require.NoError(t, err)
	defer client.CloseNow()
	go func() {
		b := make([]byte, 64<<10)
		for {
			if _, err := client.tr.rw.Read(b); err != nil {
				return
			}
			<-time.After(10 * time.Millisecond)
		}
	}()
	for _, size := range []int{400 << 10, 8 << 20} { // by writev, and in pieces
		require.NoError(t, server.Write(ctxBackground, Binary, make([]byte, size)))
	}
	require.NoError(t, server.CloseNow())
	require.NoError(t, client.CloseNow())
}

// And the keepalive sees it, although a write may take longer than it waits.
func TestKeepaliveOfSlowPeerOverTCP(t *testing.T) {
	var both sync.WaitGroup
	defer both.Wait()
	for _, size := range []int{400 << 10, 600 << 10} { // what writev would take, and what goes in pieces anyway
		server, client := tcpPair(t)
		require.NoError(t, server.(*net.TCPConn).SetWriteBuffer(16<<10))
		require.NoError(t, client.(*net.TCPConn).SetReadBuffer(16<<10))
		c, err := NewConn(server, Handshake{Role: RoleServer}, &Options{
			KeepaliveInterval: 500 * time.Millisecond, KeepaliveTimeout: time.Second, WriteTimeout: time.Minute,
		})
		require.NoError(t, err)
		c.CloseRead(ctxBackground)
		both.Go(func() {
			assert.NoError(t, c.Write(ctxBackground, Binary, make([]byte, size)))
			c.CloseNow()
		})
		both.Go(func() { // three seconds, and 64 KiB in less than a half
			for b := make([]byte, size/75); ; <-time.After(40 * time.Millisecond) {
				if _, err := io.ReadFull(client, b); err != nil {
					client.Close()
					return
				}
			}
		})
	}
}

// Under a context of the connection's own, the end of the connection is told as that.
func TestWritesUnderOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, theirs := serverOverPipe(t, Options{})
		go io.Copy(io.Discard, theirs)
		derived, cancel := context.WithTimeout(c.Context(), time.Hour)
		defer cancel()
		pinged := make(chan error, 1)
		go func() { pinged <- c.Ping(c.Context()) }()
		synctest.Wait()
		c.CloseNow()
		require.ErrorIs(t, <-pinged, net.ErrClosed)
		for _, ctx := range []context.Context{c.Context(), derived} {
			require.ErrorIs(t, c.Write(ctx, Text, nil), net.ErrClosed)
			_, err := c.Writer(ctx, Text)
			require.ErrorIs(t, err, net.ErrClosed)
			require.ErrorIs(t, c.Ping(ctx), net.ErrClosed)
			_, _, err = c.Next(ctx)
			require.ErrorIs(t, err, net.ErrClosed)
		}
	})
}

// What was held back and dropped was not sent, and what went out with the close frame
// was.
func TestStatsOfHeld(t *testing.T) {
	for name, end := range map[string]func(*Conn, net.Conn) (sent uint64){
		"CloseNow": func(c *Conn, _ net.Conn) uint64 { c.CloseNow(); return 0 },
		"Close": func(c *Conn, theirs net.Conn) uint64 {
			go io.Copy(io.Discard, theirs)
			go c.Close(StatusNormalClosure, "")
			<-time.After(time.Second)
			return 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, theirs := serverOverPipe(t, Options{Batch: true})
				go theirs.Write(threeX)
				_, _, err := c.Next(ctxBackground)
				require.NoError(t, err)
				require.NoError(t, c.Write(ctxBackground, Text, []byte("held")))
				sent := end(c, theirs)
				synctest.Wait()
				require.Equal(t, sent, c.Stats().MessagesOut)
				require.Equal(t, sent > 0, c.Stats().BytesOut > 0)
			})
		})
	}
}

// CloseNow ends a connection whose close frame the peer does not take, within a
// second, as its documentation says.
func TestCloseNowHurries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, theirs := serverOverPipe(t, Options{CloseTimeout: time.Minute, WriteTimeout: -1})
		go c.Write(ctxBackground, Text, []byte("a"))
		go c.Read(ctxBackground)
		synctest.Wait()
		theirs.Write(aClosing)
		synctest.Wait()
		begun := time.Now()
		c.CloseNow()
		c.CloseNow()
		require.Zero(t, time.Since(begun))
		<-c.Context().Done()
		require.Equal(t, lingerTimeout, time.Since(begun))
	})
}

// plainStream has no deadlines, failingStream cannot set those it has.
type (
	plainStream   struct{ io.ReadWriteCloser }
	failingStream struct{ net.Conn }
	brokenStream  struct{ io.ReadWriteCloser }
)

func (failingStream) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (failingStream) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
func (brokenStream) Write([]byte) (int, error)         { return 0, syscall.EPIPE }

// Where there are no deadlines, a context that ends after its call changes nothing,
// and one that ends during it is the reason that is given.
func TestStreamWithoutDeadlines(t *testing.T) {
	for name, hide := range map[string]func(net.Conn) io.ReadWriteCloser{
		"none":         func(s net.Conn) io.ReadWriteCloser { return plainStream{s} },
		"not settable": func(s net.Conn) io.ReadWriteCloser { return failingStream{s} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				c, err := NewConn(hide(ours), Handshake{Role: RoleServer}, silence(Options{}))
				require.NoError(t, err)
				defer theirs.Close()
				go io.Copy(io.Discard, theirs)
				go theirs.Write(threeX[:14])
				for range 2 {
					ctx, cancel := context.WithCancel(ctxBackground)
					require.NoError(t, c.Write(ctx, Text, []byte("one")))
					_, _, err := c.Read(ctx)
					require.NoError(t, err)
					cancel() // as a defer does
					synctest.Wait()
				}
				ctx, cancel := context.WithTimeout(ctxBackground, time.Second)
				defer cancel()
				_, _, err = c.Next(ctx)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.NotErrorIs(t, err, context.Canceled)
			})
		})
	}
}

// What the stream said is the reason, although it takes the end of the connection to
// stop the look at what the peer said last.
func TestBrokenStreamWithoutDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		c, err := NewConn(brokenStream{ours}, Handshake{Role: RoleServer}, silence(Options{}))
		require.NoError(t, err)
		err = c.Write(ctxBackground, Text, nil)
		require.ErrorIs(t, err, syscall.EPIPE)
		require.NotErrorIs(t, err, net.ErrClosed)
	})
}

// A stream that takes nothing any more and says nothing about it ends within
// CloseTimeout, even if somebody reads on it; until then what has come can be read.
func TestHalfBrokenStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		c, err := NewConn(oneWay{ours}, Handshake{Role: RoleServer}, silence(Options{}))
		require.NoError(t, err)
		read := make(chan error, 2)
		go func() {
			for range 2 {
				_, _, err := c.Read(ctxBackground)
				read <- err
			}
		}()
		synctest.Wait()
		begun := time.Now()
		require.ErrorIs(t, c.Write(ctxBackground, Text, nil), syscall.EPIPE)
		theirs.Write(threeX[:7])
		require.NoError(t, <-read)
		require.ErrorIs(t, <-read, syscall.EPIPE)
		require.Equal(t, defaultCloseTimeout+lookAround, time.Since(begun))
	})
}

// secured returns the two ends of TLS over a pipe, and the pipe's end of the second.
func secured(t *testing.T) (ours, theirs *tls.Conn, raw net.Conn) {
	t.Helper()
	p := newPKI(t)
	a, b := net.Pipe()
	ours = tls.Server(a, &tls.Config{
		Certificates: []tls.Certificate{p.certificate(t, 48*time.Hour, false, "localhost")}, SessionTicketsDisabled: true,
	})
	theirs = tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	shaken := make(chan error, 1)
	go func() { shaken <- ours.Handshake() }()
	require.NoError(t, theirs.Handshake())
	require.NoError(t, <-shaken)
	return ours, theirs, b
}

// A write that is cut ends a TLS stream for writing: the one who was cut is told so,
// and not the next, and not that the peer was slow.
func TestWriteCutOverTLS(t *testing.T) {
	for name, write := range map[string]func(*Conn, context.Context) error{
		"Write": func(c *Conn, ctx context.Context) error { return c.Write(ctx, Text, []byte("one")) },
		"NetConn": func(c *Conn, ctx context.Context) error {
			n := c.NetConn(Text)
			deadline, _ := ctx.Deadline()
			n.SetWriteDeadline(deadline)
			_, err := n.Write([]byte("one"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, _, raw := secured(t)
				c, err := NewConn(ours, Handshake{Role: RoleServer}, silence(Options{}))
				require.NoError(t, err)
				defer raw.Close()
				ctx, cancel := context.WithTimeout(ctxBackground, time.Second)
				defer cancel()
				err = write(c, ctx)
				require.ErrorContains(t, err, "which ends the connection")
				require.NotContains(t, c.Write(ctxBackground, Text, nil).Error(), "WriteTimeout")
				<-c.Context().Done()
			})
		})
	}
}

// CloseNow does not wait to say goodbye by TLS to a peer that takes nothing.
func TestCloseNowOverTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, _, raw := secured(t)
		c, err := NewConn(ours, Handshake{Role: RoleServer}, silence(Options{}))
		require.NoError(t, err)
		defer raw.Close()
		begun := time.Now()
		require.NoError(t, c.CloseNow())
		require.Zero(t, time.Since(begun))
	})
}

// What was received before a write failed can be read, however slowly.
func TestReceivedBeforeWriteFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c, err := NewConn(oneWay{ours}, Handshake{Role: RoleServer}, silence(Options{}))
		require.NoError(t, err)
		defer c.CloseNow()
		go func() {
			theirs.Write(bytes.Repeat(threeX[:7], 20))
			theirs.Close()
		}()
		n := 0
		for {
			if _, _, err := c.Next(ctxBackground); err != nil {
				break
			}
			if n++; n == 1 {
				go c.Write(ctxBackground, Text, []byte("push"))
			}
			<-time.After(time.Second)
		}
		require.Equal(t, 20, n)
	})
}

// closeCounter counts calls of Close.
type closeCounter struct {
	net.Conn
	n int
}

func (c *closeCounter) Close() error {
	c.n++
	return c.Conn.Close()
}

// What lies below TLS is closed once.
func TestTLSIsClosedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPKI(t)
		a, b := net.Pipe()
		inner := &closeCounter{Conn: a}
		ours := tls.Server(inner, &tls.Config{
			Certificates: []tls.Certificate{p.certificate(t, 48*time.Hour, false, "localhost")}, SessionTicketsDisabled: true,
		})
		theirs := tls.Client(b, &tls.Config{InsecureSkipVerify: true})
		go ours.Handshake()
		require.NoError(t, theirs.Handshake())
		synctest.Wait()
		c, err := NewConn(ours, Handshake{Role: RoleServer}, silence(Options{}))
		require.NoError(t, err)
		c.CloseNow()
		synctest.Wait()
		require.Equal(t, 1, inner.n)
		b.Close()
	})
}

// A context of the connection's own also ends calls that wait with the connection's error.
func TestWaitsUnderOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := serverOverPipe(t, Options{})
		ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
		defer cancel()
		got := make(chan error, 3)
		go func() { got <- c.Write(ctx, Text, []byte("first")) }()
		synctest.Wait()
		go func() { got <- c.Write(ctx, Text, []byte("behind it")) }()
		go func() { got <- c.Ping(ctx) }()
		synctest.Wait()
		c.CloseNow()
		for range 3 {
			require.ErrorIs(t, <-got, net.ErrClosed)
		}
	})
}

// lateContext ends right behind the n-th time it is asked.
type lateContext struct {
	context.Context
	end      func()
	asked, n int
}

func (c *lateContext) Err() error {
	err := c.Context.Err()
	if c.asked++; c.asked == c.n {
		c.end()
		<-time.After(20 * time.Millisecond) // for what its end sets off
	}
	return err
}

// A writev leaves a deadline behind, which the next write takes back: not so the
// interrupt of a context that ends just then.
func TestWriteEndsBehindWritev(t *testing.T) {
	server, client := tcpPair(t)
	defer client.Close()
	require.NoError(t, client.(*net.TCPConn).SetReadBuffer(16<<10))
	require.NoError(t, server.(*net.TCPConn).SetWriteBuffer(64<<10))
	c, err := NewConn(server, Handshake{Role: RoleServer}, silence(Options{}))
	require.NoError(t, err)
	defer c.CloseNow()
	inner, cancel := context.WithCancel(ctxBackground)
	defer cancel()
	ctx := &lateContext{Context: inner, end: cancel}
	require.NoError(t, c.Write(ctx, Binary, make([]byte, 10<<10)))  // by writev
	for full := 0; full < 20; <-time.After(10 * time.Millisecond) { // behind its back, until the socket takes no more
		if n, _ := c.tr.tryWrite(make([]byte, 1<<20)); n == 0 {
			full++
		} else {
			full = 0
		}
	}
	ctx.n = ctx.asked + 2 // submit and lead ask: then it ends
	begun := time.Now()
	require.Equal(t, context.Canceled, c.Write(ctx, Text, []byte("hi")))
	require.Less(t, time.Since(begun), defaultWriteTimeout/2)
}

// A hook that panics keeps neither a lock nor the pen: the connection can still be closed.
func TestMessageHookPanics(t *testing.T) {
	for name, at := range map[string]int{"direct": 0, "held": 1, "held behind another": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				written := 0
				c, err := NewConn(ours, Handshake{Role: RoleServer}, silence(Options{Batch: at > 0, Hooks: &Hooks{
					Message: func(_ *Conn, _ Opcode, sent bool, _, _ int) {
						if sent {
							if written++; written >= at {
								panic("a hook")
							}
						}
					},
				}}))
				require.NoError(t, err)
				defer theirs.Close()
				go func() {
					theirs.Write(threeX)
					theirs.Write(unhex("8882 00000000 03e8"))
				}()
				got := make(chan []byte)
				go func() {
					b, _ := io.ReadAll(theirs)
					got <- b
				}()
				_, _, err = c.Next(ctxBackground)
				require.NoError(t, err)
				for range at - 1 {
					require.NoError(t, c.Write(ctxBackground, Text, []byte("x")))
				}
				require.PanicsWithValue(t, "a hook", func() { c.Write(ctxBackground, Text, []byte("x")) })
				require.NoError(t, c.Close(StatusNormalClosure, ""))
				require.Equal(t, unhex(strings.Repeat("810178", max(at, 1))+"880203e8"), <-got)
			})
		})
	}
}
