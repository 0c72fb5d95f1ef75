package websocket_test

// The life of a Server: what becomes of a handler's error, who is let in, and how
// all of it ends.

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// Shutdown tells everybody to come back later, and turns newcomers away.
func ExampleServer_Shutdown() {
	server := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		return c.Serve(ctx, func(op websocket.Opcode, msg []byte) error { return c.Write(ctx, op, msg) })
	}}
	// In a program, after SIGTERM:
	//
	//	server.Shutdown(ctx)     // the connections
	//	httpServer.Shutdown(ctx) // everything else

	ctx := context.Background()
	told := make(chan error)
	for range 3 {
		c, err := wstest.Dial(ctx, server, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		go func() {
			_, _, err := c.Read(ctx)
			told <- err
		}()
	}
	done := make(chan struct{})
	go func() {
		forced, err := server.Shutdown(ctx)
		fmt.Println("ended; by force:", forced, err)
		close(done)
	}()
	for range 3 {
		fmt.Println(<-told)
	}
	<-done
	_, err := wstest.Dial(ctx, server, nil)
	var refused *websocket.HandshakeError
	if errors.As(err, &refused) {
		fmt.Println(refused.Status, "Retry-After:", refused.Header.Get("Retry-After"))
	}
	// Unordered output:
	// websocket: closed by the peer, status 1001
	// websocket: closed by the peer, status 1001
	// websocket: closed by the peer, status 1001
	// ended; by force: 0 <nil>
	// 503 Retry-After: 5
}

// What a handler returns decides what the peer is told.
func TestServerCodes(t *testing.T) {
	readOn := func(ctx context.Context, c *websocket.Conn) error {
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return err
			}
		}
	}
	returns := func(err error) func(context.Context, *websocket.Conn) error {
		return func(context.Context, *websocket.Conn) error { return err }
	}
	for name, row := range map[string]struct {
		handler func(context.Context, *websocket.Conn) error
		code    websocket.StatusCode
		reason  string
	}{
		"nil":          {returns(nil), websocket.StatusNormalClosure, ""},
		"a CloseError": {returns(&websocket.CloseError{Code: 4321, Reason: "why"}), 4321, "why"},
		"a wrapped CloseError": {
			returns(fmt.Errorf("deep down: %w", &websocket.CloseError{Code: 1013, Reason: "later"})), websocket.StatusTryAgainLater, "later",
		},
		"a code that is never sent": {returns(&websocket.CloseError{Code: 1006}), websocket.StatusInternalError, ""},
		"canceled":                  {returns(context.Canceled), websocket.StatusGoingAway, ""},
		"deadline":                  {returns(fmt.Errorf("query: %w", context.DeadlineExceeded)), websocket.StatusGoingAway, ""},
		"another error":             {returns(errors.New("password is hunter2")), websocket.StatusInternalError, ""},
		"a panic":                   {func(context.Context, *websocket.Conn) error { panic("no") }, websocket.StatusInternalError, ""},
		"closed already": {func(ctx context.Context, c *websocket.Conn) error {
			go c.Close(4001, "bye")
			readOn(ctx, c)
			return errors.New("too late to matter")
		}, 4001, "bye"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := wstest.Dial(t.Context(), &websocket.Server{Handler: row.handler}, nil)
				require.NoError(t, err)
				_, _, err = c.Read(t.Context())
				var closed *websocket.CloseError
				require.ErrorAs(t, err, &closed)
				require.Equal(t, websocket.CloseError{Code: row.code, Reason: row.reason, Remote: true}, *closed)
				<-c.Context().Done()
			})
		})
	}
}

// The error of a read, returned, answers the peer with what it said.
func TestServerEchoesTheClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		server := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
			_, _, err := c.Read(ctx)
			ended <- err
			return err
		}}
		c, err := wstest.Dial(t.Context(), server, nil)
		require.NoError(t, err)
		require.NoError(t, c.Close(4444, "mine"))
		var closed *websocket.CloseError
		require.ErrorAs(t, <-ended, &closed)
		require.Equal(t, websocket.CloseError{Code: 4444, Reason: "mine", Remote: true}, *closed)
	})
}

// The handler's context has the request's values, outlives the request, and ends
// with the connection, whose error is its cause.
func TestServerContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		ended := make(chan error, 1)
		server := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
			if ctx.Value(key{}) != "value" {
				return errors.New("the value is missing")
			}
			ctx = c.CloseRead(ctx)
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil
		}}
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancel(context.WithValue(r.Context(), key{}, "value"))
			defer cancel() // as net/http does when ServeHTTP returns
			server.ServeHTTP(w, r.WithContext(ctx))
		})
		c, err := wstest.Dial(t.Context(), h, nil)
		require.NoError(t, err)
		c.CloseRead(t.Context())
		require.NoError(t, c.Ping(t.Context()))
		<-time.After(time.Hour)
		require.NoError(t, c.Ping(t.Context()))
		require.NoError(t, c.Close(4000, ""))
		var closed *websocket.CloseError
		require.ErrorAs(t, <-ended, &closed)
		require.Equal(t, websocket.StatusCode(4000), closed.Code)
	})
}

// Who does not answer the close frame is closed when Shutdown's context ends, and
// counted.
func TestServerShutdownByForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		server := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
			<-stop // reads nothing, returns late
			return nil
		}}
		server.CloseTimeout = time.Hour
		var deaf []*websocket.Conn
		for range 3 {
			c, err := wstest.Dial(t.Context(), server, nil)
			require.NoError(t, err)
			deaf = append(deaf, c) // and nobody reads from it
		}
		good, err := wstest.Dial(t.Context(), server, nil)
		require.NoError(t, err)
		good.CloseRead(t.Context())
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begun := time.Now()
		forced, err := server.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 3, forced)
		require.Equal(t, 5*time.Second, time.Since(begun))
		close(stop)
		<-good.Context().Done()
		for _, c := range deaf {
			_, _, err := c.Read(t.Context())
			var closed *websocket.CloseError
			require.ErrorAs(t, err, &closed)
			require.Equal(t, websocket.StatusGoingAway, closed.Code, "they were told all the same")
			<-c.Context().Done()
		}
		forced, err = server.Shutdown(t.Context())
		require.NoError(t, err, "it may be called again")
		require.Zero(t, forced)
	})
}

// Peers that take no bytes do not keep the others from being told in time, however
// many they are.
func TestServerShutdownWithStuckPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
			op, _, err := c.Read(ctx)
			if op == websocket.Binary {
				return c.Write(ctx, op, make([]byte, 1<<20)) // more than is taken
			}
			if err == nil {
				_, _, err = c.Read(ctx)
			}
			return err
		}}
		var stuck []*websocket.Conn
		told := make(chan time.Time, 50)
		for i := range 250 {
			c, err := wstest.Dial(t.Context(), server, nil)
			require.NoError(t, err)
			if i%5 != 0 {
				require.NoError(t, c.Write(t.Context(), websocket.Binary, nil))
				stuck = append(stuck, c)
				continue
			}
			go func() {
				_, _, err := c.Read(context.Background())
				var closed *websocket.CloseError
				if errors.As(err, &closed) && closed.Code == websocket.StatusGoingAway {
					told <- time.Now()
				}
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		forced, err := server.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, len(stuck), forced)
		for range 50 {
			select {
			case at := <-told:
				require.LessOrEqual(t, at.Sub(begun), time.Second)
			case <-time.After(time.Minute):
				require.Fail(t, "a client that was there was not told")
			}
		}
		for _, c := range stuck {
			c.CloseNow()
		}
		synctest.Wait()
	})
}

// ShutdownSpread keeps clients from coming back all at once.
func TestServerShutdownSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		server := &websocket.Server{Handler: serveEcho, ShutdownSpread: 10 * time.Second, RetryAfter: 1500 * time.Millisecond}
		gone := make(chan time.Time, n)
		for range n {
			c, err := wstest.Dial(t.Context(), server, nil)
			require.NoError(t, err)
			go func() {
				c.Read(context.Background())
				gone <- time.Now()
			}()
		}
		begun := time.Now()
		forced, err := server.Shutdown(t.Context())
		require.NoError(t, err)
		require.Zero(t, forced)
		within := map[int]int{}
		for range n {
			within[int((<-gone).Sub(begun).Seconds()*10)/10]++
		}
		for second := range 10 {
			require.InDelta(t, n/10, within[second], 1, "second %d", second)
		}
		_, err = wstest.Dial(t.Context(), server, nil)
		var refused *websocket.HandshakeError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, http.StatusServiceUnavailable, refused.Status)
		require.Equal(t, "2", refused.Header.Get("Retry-After"), "whole seconds, not too few")
	})
}

// A client in the middle of its handshake when Shutdown begins is let in, told, and
// waited for.
func TestServerShutdownDuringHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		server := &websocket.Server{Handler: func(context.Context, *websocket.Conn) error {
			return errors.New("no handler is to be started any more")
		}}
		server.Authenticate = func(*http.Request) (context.Context, error) {
			<-goOn
			return nil, nil
		}
		told := make(chan error, 1)
		go func() {
			c, err := wstest.Dial(context.Background(), server, nil)
			if err == nil {
				_, _, err = c.Read(context.Background())
			}
			told <- err
		}()
		synctest.Wait()
		type result struct {
			forced int
			err    error
		}
		ended := make(chan result, 1)
		go func() {
			forced, err := server.Shutdown(context.Background())
			ended <- result{forced, err}
		}()
		synctest.Wait()
		require.Empty(t, ended, "it does not wait for the handshake")
		close(goOn)
		var closed *websocket.CloseError
		require.ErrorAs(t, <-told, &closed)
		require.Equal(t, websocket.StatusGoingAway, closed.Code)
		require.Equal(t, result{0, nil}, <-ended)
	})
}

// A Server that nobody has used, and one whose connections are all gone, have
// nothing to wait for.
func TestServerShutdownOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &websocket.Server{Handler: serveEcho}
		c, err := wstest.Dial(t.Context(), server, nil)
		require.NoError(t, err)
		require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
		synctest.Wait()
		for _, s := range []*websocket.Server{server, {}} {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			forced, err := s.Shutdown(ctx)
			require.NoError(t, err)
			require.Zero(t, forced)
		}
	})
}

// As Shutdown's documentation has it: from http.Server.RegisterOnShutdown.
func TestServerRegisterOnShutdown(t *testing.T) {
	ws := &websocket.Server{Handler: serveEcho}
	srv := httptest.NewServer(ws)
	ended := make(chan int, 1)
	srv.Config.RegisterOnShutdown(func() {
		forced, _ := ws.Shutdown(context.Background())
		ended <- forced
	})
	c, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(srv.URL, "http"), nil)
	require.NoError(t, err)
	requireEcho(t, c)
	told := make(chan error, 1)
	go func() {
		_, _, err := c.Read(context.Background())
		told <- err
	}()
	require.NoError(t, srv.Config.Shutdown(t.Context()))
	var closed *websocket.CloseError
	require.ErrorAs(t, <-told, &closed)
	require.Equal(t, websocket.StatusGoingAway, closed.Code)
	require.Zero(t, <-ended)
	<-c.Context().Done()
	srv.Close()
}

// A place is taken for a connection in the handshake already, and given back if
// that fails.
func TestServerPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		server := &websocket.Server{Handler: serveEcho, MaxConns: 3, MaxConnsPerKey: 2, Key: func(r *http.Request) string {
			return r.Header.Get("X-User")
		}}
		server.Authenticate = func(r *http.Request) (context.Context, error) {
			asked.Add(1)
			if r.Header.Get("X-User") == "eve" {
				return nil, errors.New("not you")
			}
			return nil, nil
		}
		enter := func(user string) (*websocket.Conn, int) {
			c, err := wstest.Dial(t.Context(), server, &websocket.DialOptions{Header: http.Header{"X-User": {user}}})
			var refused *websocket.HandshakeError
			if errors.As(err, &refused) {
				return nil, refused.Status
			}
			require.NoError(t, err)
			return c, 0
		}
		for range 10 {
			_, status := enter("eve")
			require.Equal(t, http.StatusUnauthorized, status)
		}
		var in []*websocket.Conn
		for _, step := range []struct {
			user   string
			status int
		}{
			{"ada", 0}, {"ada", 0}, {"ada", http.StatusTooManyRequests}, {"ben", 0}, {"ben", http.StatusServiceUnavailable},
		} {
			c, status := enter(step.user)
			require.Equal(t, step.status, status, step.user)
			if c != nil {
				in = append(in, c)
			}
		}
		require.EqualValues(t, 13, asked.Load(), "who is turned away is not asked who it is")
		require.NoError(t, in[0].Close(websocket.StatusNormalClosure, ""))
		synctest.Wait()
		c, status := enter("ada")
		require.Zero(t, status)
		for _, c := range append(in[1:], c) {
			require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
		}
		synctest.Wait()
		forced, err := server.Shutdown(t.Context())
		require.NoError(t, err)
		require.Zero(t, forced)
	})
}

// Clients that begin a request and say no more never reach net/http.
func ExampleRequestListener() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	echo := func(ctx context.Context, c *websocket.Conn) error {
		return c.Serve(ctx, func(op websocket.Opcode, msg []byte) error { return c.Write(ctx, op, msg) })
	}
	srv := &http.Server{Handler: &websocket.Server{Handler: echo}, ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(websocket.RequestListener(l, srv.ReadHeaderTimeout))
	defer srv.Close()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, "ws://"+l.Addr().String(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	c.Write(ctx, websocket.Text, []byte("whole"))
	_, msg, err := c.Read(ctx)
	fmt.Println(string(msg), err)
	// Output: whole <nil>
}
