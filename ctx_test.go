package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// pipePair returns the two ends of a connection over a synchronous pipe.
func pipePair(t testing.TB, opts *Options) (server, client *Conn) {
	t.Helper()
	s, c := net.Pipe()
	server, err := NewConn(s, Handshake{Role: RoleServer}, opts)
	require.NoError(t, err)
	client, err = NewConn(c, Handshake{Role: RoleClient}, opts)
	require.NoError(t, err)
	return server, client
}

// TestWriteGivenUp: a write that waits and whose context ends leaves no trace.
func TestWriteGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c, err := NewConn(ours, Handshake{Role: RoleServer}, &Options{KeepaliveInterval: -1})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		// Nobody reads: not a byte of the first goes out, and the second waits.
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- c.Write(ctx, Text, []byte("one")) }()
		synctest.Wait()
		go func() { second <- c.Write(ctx, Text, []byte("two")) }()
		require.ErrorIs(t, <-first, context.DeadlineExceeded)
		require.ErrorIs(t, <-second, context.DeadlineExceeded)
		got := make(chan []byte, 1)
		go func() {
			b := make([]byte, 64)
			n, _ := theirs.Read(b)
			got <- b[:n]
		}()
		require.NoError(t, c.Write(context.Background(), Text, []byte("three")))
		require.Equal(t, "\x81\x05three", string(<-got))
		c.CloseNow()
		theirs.Close()
	})
}

// TestLeaderGivenUp: a message that was to leave together with the one behind it, and
// is given up, leaves that one as it was: sent, counted and told of once.
func TestLeaderGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		var told []int
		c, err := NewConn(ours, Handshake{Role: RoleServer}, &Options{KeepaliveInterval: -1, Hooks: &Hooks{
			Message: func(_ *Conn, _ Opcode, _ bool, payload, _ int) { told = append(told, payload) },
		}})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		results := make(chan error, 3)
		write := func(ctx context.Context, p string) {
			go func() { results <- c.Write(ctx, Text, []byte(p)) }()
			synctest.Wait()
		}
		write(context.Background(), "a")
		write(ctx, "bb")
		write(context.Background(), "ccc")
		got := make([]byte, 3)
		io.ReadFull(theirs, got)
		require.Equal(t, "\x81\x01a", string(got))
		require.NoError(t, <-results)
		synctest.Wait() // now bb leads and has ccc with it
		cancel()
		require.ErrorIs(t, <-results, context.Canceled)
		got = make([]byte, 5)
		io.ReadFull(theirs, got)
		require.Equal(t, "\x81\x03ccc", string(got))
		require.NoError(t, <-results)
		require.Equal(t, []int{1, 3}, told)
		require.Equal(t, uint64(2), c.Stats().MessagesOut)
		c.CloseNow()
		theirs.Close()
	})
}

// TestWriteCut: a write whose context ends in the middle of its frame ends the
// connection, and says so.
func TestWriteCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c, err := NewConn(ours, Handshake{Role: RoleServer}, &Options{KeepaliveInterval: -1})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		go io.ReadFull(theirs, make([]byte, 3))
		err = c.Write(ctx, Text, []byte("hello"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "middle of a frame")
		require.Equal(t, err, c.Write(context.Background(), Text, nil))
		_, _, again := c.Read(context.Background())
		require.Equal(t, err, again)
		theirs.Close()
	})
}

// TestWriteTimeout: a peer that takes no bytes costs WriteTimeout, not more.
func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c, err := NewConn(ours, Handshake{Role: RoleServer}, &Options{KeepaliveInterval: -1})
		require.NoError(t, err)
		begun := time.Now()
		err = c.Write(context.Background(), Text, []byte("hello"))
		require.ErrorContains(t, err, "WriteTimeout")
		require.Equal(t, defaultWriteTimeout, time.Since(begun))
		theirs.Close()
	})
}

// TestMutualWrite: two peers that both write and do not read come apart in time,
// with pongs owed on both sides.
func TestMutualWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := pipePair(t, &Options{KeepaliveInterval: -1})
		var wg sync.WaitGroup
		begun := time.Now()
		for _, c := range []*Conn{server, client} {
			wg.Go(func() {
				err := c.Write(context.Background(), Binary, make([]byte, 64<<20))
				require.Error(t, err)
			})
		}
		wg.Wait()
		require.LessOrEqual(t, time.Since(begun), defaultWriteTimeout+time.Second)
		server.CloseNow()
		client.CloseNow()
	})
}

// TestManyWriters: messages of many goroutines come whole, and each goroutine's
// in order, whatever else is written and given up meanwhile.
func TestManyWriters(t *testing.T) {
	server, client := connPair(t, nil)
	ctx := context.Background()
	const writers, each = 16, 200
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				p := make([]byte, 2+(w*i)%3000)
				p[0], p[1] = byte(w), byte(i)
				var err error
				switch {
				case i%50 == 7:
					var m io.WriteCloser
					if m, err = client.Writer(ctx, Binary); err == nil {
						m.Write(p[:1])
						m.Write(p[1:])
						err = m.Close()
					}
				case i%10 == 3:
					gone, cancel := context.WithCancel(ctx)
					cancel()
					if !errors.Is(client.Write(gone, Binary, p), context.Canceled) {
						panic("a write with a dead context")
					}
					fallthrough
				default:
					err = client.Write(ctx, Binary, p)
				}
				if err != nil {
					panic(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 100 {
			client.Flush(ctx)
			server.Write(ctx, Text, []byte("back"))
		}
	})
	readBack := client.CloseRead(ctx)
	next := make([]int, writers)
	for range writers * each {
		_, p, err := server.Next(ctx)
		require.NoError(t, err)
		require.Equal(t, byte(next[p[0]]), p[1], "writer %d", p[0])
		next[p[0]]++
	}
	wg.Wait()
	server.CloseRead(ctx)
	require.NoError(t, client.Ping(ctx))
	require.NoError(t, client.Close(StatusNormalClosure, ""))
	<-readBack.Done()
}

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := pipePair(t, &Options{KeepaliveInterval: -1})
		client.CloseRead(context.Background())
		serverReads := server.CloseRead(context.Background())
		for range 3 {
			require.NoError(t, server.Ping(context.Background()))
		}
		var wg sync.WaitGroup
		var answered atomic.Int32
		for range 10 {
			wg.Go(func() {
				if client.Ping(context.Background()) == nil {
					answered.Add(1)
				}
			})
		}
		wg.Wait()
		require.Equal(t, int32(10), answered.Load())
		require.NoError(t, client.Close(StatusGoingAway, ""))
		<-serverReads.Done()
		var ce *CloseError
		require.ErrorAs(t, context.Cause(serverReads), &ce)
		require.Equal(t, StatusGoingAway, ce.Code)
		require.ErrorAs(t, server.Ping(context.Background()), &ce)
		server.Close(StatusNormalClosure, "")
	})
}

// TestKeepaliveFindsTheDead: a peer that vanished is found within interval and
// timeout.
func TestKeepaliveFindsTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go io.Copy(io.Discard, theirs) // takes everything, says nothing
		c, err := NewConn(ours, Handshake{Role: RoleServer}, nil)
		require.NoError(t, err)
		begun := time.Now()
		_, _, err = c.Read(context.Background())
		require.ErrorIs(t, err, ErrPeerTimeout)
		require.Equal(t, defaultKeepaliveInterval+defaultKeepaliveTimeout, time.Since(begun))
		theirs.Close()
	})
}

// TestKeepaliveKeeps: any byte is life, for a day.
func TestKeepaliveKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := pipePair(t, nil)
		ctx := client.CloseRead(context.Background())
		server.CloseRead(context.Background())
		<-time.After(24 * time.Hour)
		require.NoError(t, ctx.Err())
		require.Positive(t, server.Stats().BytesIn)
		require.NoError(t, client.Close(StatusNormalClosure, ""))
		server.Close(StatusNormalClosure, "")
	})
}

// TestReadWaitsForPeeks: while a failed writer and the keepalive both look for the
// peer's last words, the only reader waits, and is not told that there is another.
func TestReadWaitsForPeeks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := pipePair(t, &Options{KeepaliveInterval: -1})
		server.beginPeek()
		server.beginPeek()
		require.True(t, server.reading.TryLock())
		read := make(chan error, 1)
		go func() {
			_, p, err := server.Read(context.Background())
			require.Equal(t, "still here", string(p))
			read <- err
		}()
		synctest.Wait()
		server.endPeek()
		synctest.Wait()
		server.unlockReading()
		server.endPeek()
		require.NoError(t, client.Write(context.Background(), Text, []byte("still here")))
		require.NoError(t, <-read)
		go client.Read(context.Background())
		require.NoError(t, server.Close(StatusNormalClosure, ""))
	})
}

// TestMisuse: what a program does wrong gets a clear error.
func TestMisuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := pipePair(t, &Options{KeepaliveInterval: -1})
		ctx := context.Background()
		waiting := make(chan error, 1)
		go func() {
			_, _, err := server.Read(ctx)
			waiting <- err
		}()
		synctest.Wait()
		_, _, err := server.Read(ctx)
		require.ErrorIs(t, err, errConcurrentRead)
		require.ErrorIs(t, server.Write(ctx, Ping, nil), errSendOpcode)
		_, err = server.Writer(ctx, Continuation)
		require.ErrorIs(t, err, errSendOpcode)
		require.ErrorIs(t, server.Close(1005+1, ""), errSendCode)
		require.ErrorIs(t, server.Close(999, ""), errSendCode)
		w, err := server.Writer(ctx, Text)
		require.NoError(t, err)
		brief, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err = server.Write(brief, Text, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "Writer")
		go client.Read(ctx)
		require.NoError(t, w.Close())
		require.ErrorIs(t, w.Close(), errWriterClosed)
		_, err = w.Write(nil)
		require.ErrorIs(t, err, errWriterClosed)
		synctest.Wait()
		clientReads := client.CloseRead(ctx)
		require.NoError(t, server.Close(StatusNormalClosure, ""))
		require.NoError(t, server.Close(StatusNormalClosure, "again"))
		require.NoError(t, server.CloseNow())
		require.ErrorIs(t, server.Write(ctx, Text, nil), net.ErrClosed)
		require.ErrorIs(t, <-waiting, net.ErrClosed)
		<-clientReads.Done()
		client.Close(StatusNormalClosure, "")
	})
}

// Context costs nothing until somebody waits for its end, and is a context like others:
// it has the values of the parent and not its end, what is derived from it ends with it,
// and the cause is the connection's error, whether that came before it was asked for or
// after.
func TestConnContext(t *testing.T) {
	type key struct{}
	type other struct{}
	parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
	defer cancel()
	for _, waited := range []bool{false, true} {
		ours, theirs := net.Pipe()
		c, err := newConn(ours, Handshake{Role: RoleServer}, nil, parent)
		require.NoError(t, err)
		cancel()
		require.Zero(t, testing.AllocsPerRun(10, func() { _ = c.Context().Err() }))
		ctx := c.Context()
		require.Equal(t, "v", ctx.Value(key{}))
		require.Nil(t, ctx.Value(other{}))
		require.NoError(t, context.Cause(ctx), "and not the parent's")
		require.Equal(t, "websocket.Conn.Context", fmt.Sprint(ctx))
		_, limited := ctx.Deadline()
		require.False(t, limited)
		var derived context.Context
		if waited {
			var stop func()
			derived, stop = context.WithCancel(context.WithValue(ctx, other{}, "w"))
			defer stop()
			require.NoError(t, derived.Err())
		}
		c.CloseNow()
		<-ctx.Done()
		require.Equal(t, context.Canceled, ctx.Err())
		require.ErrorIs(t, context.Cause(ctx), net.ErrClosed)
		require.Equal(t, "v", ctx.Value(key{}))
		if !waited {
			var stop func()
			derived, stop = context.WithCancel(ctx)
			defer stop()
		}
		<-derived.Done()
		require.ErrorIs(t, context.Cause(derived), net.ErrClosed)
		theirs.Close()
	}
}

// The cause is there also if nobody has asked for anything before the end.
func TestConnContextAfterTheEnd(t *testing.T) {
	server, client := pipePair(t, nil)
	client.CloseNow()
	server.CloseNow()
	require.ErrorIs(t, context.Cause(server.Context()), net.ErrClosed)
	require.Equal(t, context.Canceled, server.Context().Err())
}

// What waits for the end of a connection's context costs no goroutine.
func TestConnContextAfterFunc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := pipePair(t, &Options{KeepaliveInterval: -1})
		before := runtime.NumGoroutine()
		told := false
		stop := context.AfterFunc(server.Context(), func() { told = true })
		other := context.AfterFunc(server.Context(), func() { t.Error("it was stopped") })
		require.True(t, other())
		require.Equal(t, before, runtime.NumGoroutine())
		client.CloseNow()
		server.CloseNow()
		synctest.Wait()
		require.True(t, told)
		require.False(t, stop())
	})
}
