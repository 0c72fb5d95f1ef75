package fuzz

// Holes of servers as a whole: handlers that panic, connections without number,
// buffers that stay.

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// A handler that panics costs its own connection, which ends with 1011.
func TestCON09HandlerPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panicked := make(chan any, 1)
		s := &websocket.Server{
			Handler: func(ctx context.Context, c *websocket.Conn) error {
				_, p, err := c.Read(ctx)
				if err == nil && string(p) == "panic" {
					panic("as asked for")
				}
				return c.Write(ctx, websocket.Text, p)
			},
			Panic: func(_ *websocket.Conn, v any, _ []byte) { panicked <- v },
		}
		bad, err := wstest.Dial(t.Context(), s, nil)
		require.NoError(t, err)
		good, err := wstest.Dial(t.Context(), s, nil)
		require.NoError(t, err)
		require.NoError(t, bad.Write(t.Context(), websocket.Text, []byte("panic")))
		_, _, err = bad.Read(t.Context())
		var ce *websocket.CloseError
		require.ErrorAs(t, err, &ce)
		require.Equal(t, websocket.StatusInternalError, ce.Code)
		require.Empty(t, ce.Reason, "the peer is not told what with")
		require.Equal(t, "as asked for", <-panicked)
		require.NoError(t, good.Write(t.Context(), websocket.Text, []byte("go on")))
		_, p, err := good.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, "go on", string(p))
		_, _, err = good.Read(t.Context())
		require.Error(t, err)
	})
}

func TestRES03ConnectionsAreLimited(t *testing.T) {
	for name, row := range map[string]struct {
		server *websocket.Server
		status int
	}{
		"all":     {&websocket.Server{MaxConns: 2}, http.StatusServiceUnavailable},
		"per key": {&websocket.Server{MaxConnsPerKey: 2, Key: func(*http.Request) string { return "one" }}, http.StatusTooManyRequests},
	} {
		synctest.Test(t, func(t *testing.T) {
			row.server.Handler = echoOnce
			var conns []*websocket.Conn
			for range 2 {
				c, err := wstest.Dial(t.Context(), row.server, nil)
				require.NoError(t, err, name)
				conns = append(conns, c)
			}
			_, err := wstest.Dial(t.Context(), row.server, nil)
			var he *websocket.HandshakeError
			require.ErrorAs(t, err, &he, name)
			require.Equal(t, row.status, he.Status)
			require.NoError(t, conns[0].Close(websocket.StatusNormalClosure, ""))
			synctest.Wait()
			c, err := wstest.Dial(t.Context(), row.server, nil)
			require.NoError(t, err, "a place is free again")
			c.CloseNow()
			conns[1].CloseNow()
			synctest.Wait()
		})
	}
}

// Connections that have read something large, and are idle since, do not hold its
// buffers; nor does a pool, for long.
func TestPOOL08LargeBuffersGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := heapInUse()
		in := frames(websocket.RoleServer, frame(0x82, make([]byte, 8<<20))+" 820161")
		for range 8 {
			c, peer := open(t, websocket.RoleServer, "", &unlimited, 4096)
			go c.Serve(t.Context(), func(websocket.Opcode, []byte) error { return nil })
			_, err := peer.Write(in)
			require.NoError(t, err)
		}
		synctest.Wait()
		in = nil
		heapInUse() // a pool keeps what it has for two collections
		heapInUse()
		require.Less(t, heapInUse(), before+8<<20)
	})
}
