package fuzz

// Handshakes and frames that stall, in numbers: what they cost, when they are let go,
// and that an honest client beside them is served at once.

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// memoryListener accepts the server's ends of streams in memory.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *memoryListener) dial() net.Conn {
	server, client := wstest.NetPipe(4096)
	l.conns <- server
	return client
}

// serve runs an echo server with a bound on requests, as SECURITY.md asks for.
func serve(t *testing.T, timeout time.Duration) *memoryListener {
	t.Helper()
	l := &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{
		Handler:           &websocket.Server{Handler: echoOnce},
		ReadHeaderTimeout: timeout,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return l
}

// Handshakes that drip in, a byte a second, are let go at the time that net/http was
// told; an honest one among them takes none.
func TestRES01SlowHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 200
		l := serve(t, 10*time.Second)
		before := heapInUse()
		begun := time.Now()
		ended := make(chan time.Duration, n)
		var drips sync.WaitGroup
		for range n {
			peer := l.dial()
			go func() {
				io.Copy(io.Discard, peer)
				ended <- time.Since(begun)
			}()
			drips.Go(func() {
				defer peer.Close()
				for _, b := range []byte(request("", "")) {
					if _, err := peer.Write([]byte{b}); err != nil {
						return
					}
					<-time.After(time.Second)
				}
			})
		}
		<-time.After(5 * time.Second)
		held := max(int(heapInUse())-int(before), 0) / n
		t.Logf("%d bytes held for each", held)
		require.LessOrEqual(t, held, 40<<10*thin(2), "the stream, and two goroutines, among them")
		honest(t, l)
		for range n {
			require.InDelta(t, 10*time.Second, <-ended, float64(time.Second))
		}
		honest(t, l)
		drips.Wait()
	})
}

// honest has a client do its handshake, and ask, in no time.
func honest(t *testing.T, l *memoryListener) {
	t.Helper()
	begun := time.Now()
	c, err := websocket.Dial(t.Context(), "ws://server.example.com/", &websocket.DialOptions{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return l.dial(), nil },
	})
	require.NoError(t, err)
	require.NoError(t, c.Write(t.Context(), websocket.Text, []byte("hi")))
	_, p, err := c.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, "hi", string(p))
	require.Zero(t, time.Since(begun))
	c.CloseNow()
}

// A frame that drips is a sign of life, so it may take its time; the reader's context
// bounds the message, and what is held of it is what came.
func TestRES01SlowFrame(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			c, peer := open(t, role, "", nil, 4096)
			go collect(peer)
			dripped := make(chan struct{})
			go func() {
				defer close(dripped)
				for _, b := range frames(role, frame(0x82, make([]byte, 1000))) {
					if _, err := peer.Write([]byte{b}); err != nil {
						return
					}
					<-time.After(5 * time.Second)
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			before, begun := heapInUse(), time.Now()
			_, _, err := c.Read(ctx)
			require.Equal(t, context.DeadlineExceeded, err)
			require.Equal(t, 2*time.Minute, time.Since(begun))
			require.LessOrEqual(t, max(int(heapInUse())-int(before), 0), 64<<10)
			c.CloseNow()
			<-dripped
		})
	}
}
