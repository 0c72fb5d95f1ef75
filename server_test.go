package websocket_test

// What a Server goes through that nobody meant to happen: hooks that panic, handlers
// that end their goroutine, connections that come too late or are gone too soon.

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// overTCP serves h by net/http, without a word in the log of those it recovers from.
func overTCP(t *testing.T, h http.Handler) (url string) {
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL
}

// A hook that panics costs its own client the connection, and nobody else a place:
// the next is let in, and Shutdown does not wait for the one that is not there.
func TestServerHookPanics(t *testing.T) {
	var bad atomic.Bool
	panics := func() {
		if bad.Load() {
			panic("a hook")
		}
	}
	for name, options := range map[string]websocket.AcceptOptions{
		"Authenticate": {Authenticate: func(*http.Request) (context.Context, error) { panics(); return nil, nil }},
		"CheckOrigin":  {CheckOrigin: func(*http.Request) error { panics(); return nil }},
		"Open":         {Options: websocket.Options{Hooks: &websocket.Hooks{Open: func(*websocket.Conn) { panics() }}}},
		"SelectSubprotocol": {SelectSubprotocol: func([]string) (string, error) {
			panics()
			return "", nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			options.KeepaliveInterval = -1
			server := &websocket.Server{Handler: serveEcho, MaxConns: 1, AcceptOptions: options}
			url := overTCP(t, server)
			dial := &websocket.DialOptions{}
			if name == "CheckOrigin" {
				dial.Header = http.Header{"Origin": {"https://example.com"}}
			}
			bad.Store(true)
			c, err := websocket.Dial(t.Context(), url, dial)
			if name == "Open" { // the 101 is on its way by then
				require.NoError(t, err)
				_, _, err = c.Read(t.Context())
			}
			require.Error(t, err)
			bad.Store(false)
			dial.Header = nil
			for range 10000 { // the client may see the end before the Server has its place back
				if c, err = websocket.Dial(t.Context(), url, dial); err == nil {
					break
				}
				runtime.Gosched()
			}
			require.NoError(t, err)
			requireEcho(t, c)
			require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
			_, err = server.Shutdown(t.Context())
			require.NoError(t, err)
		})
	}
}

// One that panics as a connection ends keeps no place, and takes nobody along: neither
// under the handler's read, nor when it is the Server that reads the connection's end.
func TestServerCloseHookPanics(t *testing.T) {
	for name, handler := range map[string]func(context.Context, *websocket.Conn) error{
		"reads":   func(ctx context.Context, c *websocket.Conn) error { _, _, err := c.Next(ctx); return err },
		"returns": func(context.Context, *websocket.Conn) error { return nil },
		"waits":   func(ctx context.Context, _ *websocket.Conn) error { <-ctx.Done(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			told := make(chan any, 1)
			server := &websocket.Server{Handler: handler, Panic: func(_ *websocket.Conn, v any, _ []byte) { told <- v }}
			server.Hooks = &websocket.Hooks{Close: func(*websocket.Conn, websocket.StatusCode, bool, error) { panic("a hook") }}
			c, err := websocket.Dial(t.Context(), overTCP(t, server), nil)
			require.NoError(t, err)
			if name != "waits" {
				require.NoError(t, c.CloseNow())
			} else {
				c.CloseRead(t.Context())
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			forced, err := server.Shutdown(ctx)
			require.NoError(t, err)
			require.Zero(t, forced)
			require.Equal(t, "a hook", <-told)
			<-c.Context().Done()
		})
	}
}

// A handler that ends its goroutine, as a failing test does, has panicked.
func TestServerHandlerExits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &websocket.Server{Handler: func(context.Context, *websocket.Conn) error {
			runtime.Goexit()
			return nil
		}}
		c, err := wstest.Dial(t.Context(), server, nil)
		require.NoError(t, err)
		_, _, err = c.Read(t.Context())
		var closed *websocket.CloseError
		require.ErrorAs(t, err, &closed)
		require.Equal(t, websocket.StatusInternalError, closed.Code)
		_, err = server.Shutdown(t.Context())
		require.NoError(t, err)
	})
}

// A connection whose handshake was under way when Shutdown began is closed by force
// and counted like any other, and one that comes after that is closed at once.
func TestServerShutdownForcesLatecomers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := make(chan *websocket.Conn, 2)
		goOn, over := make(chan struct{}, 2), make(chan struct{})
		defer close(over)
		server := &websocket.Server{Handler: serveEcho}
		server.CloseTimeout = time.Hour
		server.Hooks = &websocket.Hooks{Open: func(c *websocket.Conn) { opened <- c }}
		server.Authenticate = func(*http.Request) (context.Context, error) { <-goOn; return nil, nil }
		for range 2 {
			go func() {
				c, err := wstest.Dial(context.Background(), server, &websocket.DialOptions{HandshakeTimeout: -1})
				if err == nil { // and it never reads
					defer c.CloseNow()
					<-over
				}
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended := make(chan int, 1)
		go func() {
			forced, err := server.Shutdown(ctx)
			if errors.Is(err, context.DeadlineExceeded) {
				ended <- forced
			}
		}()
		synctest.Wait()
		goOn <- struct{}{}
		first := <-opened
		require.Equal(t, 1, <-ended)
		goOn <- struct{}{}
		second := <-opened
		synctest.Wait()
		for _, c := range []*websocket.Conn{first, second} {
			require.ErrorIs(t, c.Context().Err(), context.Canceled)
		}
	})
}

// A connection that has ended before its handler could start is not in the Server's
// books for ever.
func TestServerEndsBeforeItBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int32
		server := &websocket.Server{Handler: func(ctx context.Context, _ *websocket.Conn) error { <-ctx.Done(); return ctx.Err() }}
		server.CloseTimeout, server.KeepaliveInterval = time.Hour, -1
		server.Hooks = &websocket.Hooks{Open: func(c *websocket.Conn) {
			if count.Add(1) <= 3 {
				c.CloseNow() // as who lets in everybody once, and the first not at all
			}
		}}
		for range 4 {
			c, err := wstest.Dial(t.Context(), server, nil)
			require.NoError(t, err)
			defer c.CloseNow()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		forced, err := server.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 1, forced)
	})
}

// Nobody waits for close frames that are due to nobody.
func TestServerShutdownSpreadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &websocket.Server{Handler: serveEcho, ShutdownSpread: time.Hour}
		var clients []*websocket.Conn
		for range 4 {
			c, err := wstest.Dial(t.Context(), server, nil)
			require.NoError(t, err)
			clients = append(clients, c)
		}
		begun := time.Now()
		ended := make(chan error, 1)
		go func() {
			_, err := server.Shutdown(context.Background())
			ended <- err
		}()
		synctest.Wait()
		for _, c := range clients {
			require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
		}
		require.NoError(t, <-ended)
		require.Less(t, time.Since(begun), time.Minute)
	})
}

// Bytes behind a request that is refused are not another request, whoever refuses it.
func TestServerRefusesOnce(t *testing.T) {
	twice := strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 2)
	shut := &websocket.Server{Handler: serveEcho}
	_, err := shut.Shutdown(t.Context())
	require.NoError(t, err)
	for name, h := range map[string]http.Handler{
		"no handler": &websocket.Server{}, "no key": &websocket.Server{Handler: serveEcho}, "closing": shut,
		"a hook's fields": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "keep-alive")
			r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
			r.Header.Set("Sec-WebSocket-Version", "13")
			_, err := websocket.Accept(w, r, &websocket.AcceptOptions{Authenticate: func(*http.Request) (context.Context, error) {
				return nil, &websocket.HandshakeError{Status: 403, Header: http.Header{"connection": {"X-Hop"}}}
			}})
			require.Error(t, err)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(overTCP(t, h), "http://"))
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, twice)
			require.NoError(t, err)
			answers, _ := io.ReadAll(conn) // it may end by a reset: there is more than was read
			require.Equal(t, 1, strings.Count(string(answers), "HTTP/1.1 "), "%s", answers)
		})
	}
}

// Over HTTP/2 a refusal leaves the connection, and whoever else uses it, alone.
func TestServerRefusesOverHTTP2(t *testing.T) {
	for name, server := range map[string]*websocket.Server{"no handler": {}, "the protocol": {Handler: serveEcho}} {
		mux := http.NewServeMux()
		mux.Handle("/ws", server)
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) })
		srv := httptest.NewUnstartedServer(mux)
		srv.EnableHTTP2 = true
		srv.StartTLS()
		t.Cleanup(srv.Close)
		get := func(path string) string {
			resp, err := srv.Client().Get(srv.URL + path)
			require.NoError(t, err)
			defer resp.Body.Close()
			require.Equal(t, 2, resp.ProtoMajor)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			return string(body)
		}
		before := get("/")
		require.NotEqual(t, before, get("/ws"), name)
		require.Equal(t, before, get("/"), name)
	}
}

// What a hook's error wants in the answer stands there once, however it is spelled,
// and nothing of it tells the size of another body.
func TestServerHookHeader(t *testing.T) {
	url := overTCP(t, &websocket.Server{Handler: serveEcho, AcceptOptions: websocket.AcceptOptions{
		Authenticate: func(*http.Request) (context.Context, error) {
			return nil, &websocket.HandshakeError{Status: 401, Body: []byte("the first 4 KiB"), Header: http.Header{
				"WWW-Authenticate": {"Basic"}, "content-length": {"100000"}, "Content-Encoding": {"gzip"}, "Transfer-Encoding": {"chunked"},
			}}
		},
	}})
	_, err := websocket.Dial(t.Context(), url, nil)
	var refused *websocket.HandshakeError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, []string{"Basic"}, refused.Header["Www-Authenticate"])
	require.Equal(t, "the first 4 KiB", string(refused.Body))
	require.Equal(t, []string{"15"}, refused.Header["Content-Length"])
	require.Empty(t, refused.Header["Content-Encoding"])
}
