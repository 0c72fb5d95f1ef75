package websocket_test

// Recipes to see what connections do: counters for expvar, lines for slog. The
// library counts and prints nothing of this by itself; Hooks are where it can be
// done, and Stats is what a connection has counted.

import (
	"context"
	"expvar"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
)

// count returns hooks that keep counters in m, for any number of connections.
// expvar's are atomic, so the hooks may run at the same time.
func count(m *expvar.Map) *websocket.Hooks {
	return &websocket.Hooks{
		Open: func(*websocket.Conn) {
			m.Add("opened", 1)
			m.Add("open", 1)
		},
		Message: func(_ *websocket.Conn, op websocket.Opcode, sent bool, payload, wire int) {
			direction := "received"
			if sent {
				direction = "sent"
			}
			m.Add(direction+"_"+op.String(), 1)
			m.Add(direction+"_payload_bytes", int64(payload))
			m.Add(direction+"_wire_bytes", int64(wire)) // fewer, if compressed
		},
		Close: func(_ *websocket.Conn, code websocket.StatusCode, _ bool, _ error) {
			m.Add("open", -1)
			m.Add("closed_"+strconv.Itoa(int(code)), 1)
		},
	}
}

// Counters of all connections, for expvar: what is open, what came and went, and
// how connections ended.
func ExampleHooks_expvar() {
	m := new(expvar.Map) // in a program: expvar.NewMap("websocket"), which net/http then shows at /debug/vars
	server := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		return c.Serve(ctx, func(op websocket.Opcode, msg []byte) error { return c.Write(ctx, op, msg) })
	}}
	server.Hooks = count(m)

	ctx := context.Background()
	c, err := wstest.Dial(ctx, server, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, word := range []string{"one", "two", "three"} {
		c.Write(ctx, websocket.Text, []byte(word))
		c.Read(ctx)
	}
	fmt.Println("open:", m.Get("open"))
	c.Close(websocket.StatusNormalClosure, "")
	server.Shutdown(ctx)
	m.Do(func(kv expvar.KeyValue) { fmt.Println(kv.Key, kv.Value) })
	// Output:
	// open: 1
	// closed_1000 1
	// open 0
	// opened 1
	// received_payload_bytes 11
	// received_text 3
	// received_wire_bytes 11
	// sent_payload_bytes 11
	// sent_text 3
	// sent_wire_bytes 11
}

// A line when a connection opens and one when it has ended, with the reason and
// what Stats has counted. The error of an end that nobody wanted has its cause in it.
func ExampleHooks_slog() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{} // for the sake of this example's output
			}
			return a
		},
	}))
	server := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		return c.Serve(ctx, func(op websocket.Opcode, msg []byte) error {
			if string(msg) == "panic" {
				panic("as asked for")
			}
			return c.Write(ctx, op, msg)
		})
	}}
	id := func(c *websocket.Conn) slog.Attr {
		return slog.String("id", c.Handshake().Header.Get("X-Request-Id"))
	}
	server.Hooks = &websocket.Hooks{
		Open: func(c *websocket.Conn) { log.Info("open", id(c)) },
		Close: func(c *websocket.Conn, code websocket.StatusCode, remote bool, err error) {
			level := slog.LevelInfo
			if code != websocket.StatusNormalClosure && code != websocket.StatusGoingAway {
				level = slog.LevelWarn
			}
			s := c.Stats()
			log.Log(context.Background(), level, "closed", id(c), "code", code, "byPeer", remote,
				"received", s.MessagesIn, "sent", s.MessagesOut, "bytesOut", s.BytesOut, "error", err)
		},
	}
	server.Panic = func(c *websocket.Conn, v any, stack []byte) {
		log.Error("the handler panicked", id(c), "value", v) // and the stack
	}

	ctx := context.Background()
	for i, word := range []string{"hello", "panic"} {
		c, err := wstest.Dial(ctx, server, &websocket.DialOptions{Header: http.Header{"X-Request-Id": {strconv.Itoa(i)}}})
		if err != nil {
			fmt.Println(err)
			return
		}
		c.Write(ctx, websocket.Text, []byte(word))
		c.Read(ctx)
		c.Close(websocket.StatusGoingAway, "")
		<-c.Context().Done()
	}
	server.Shutdown(ctx)
	// Unordered output:
	// level=INFO msg=open id=0
	// level=INFO msg=closed id=0 code=1001 byPeer=true received=1 sent=1 bytesOut=11 error="websocket: closed by the peer, status 1001"
	// level=INFO msg=open id=1
	// level=ERROR msg="the handler panicked" id=1 value="as asked for"
	// level=WARN msg=closed id=1 code=1011 byPeer=false received=1 sent=0 bytesOut=4 error="websocket: closed here, status 1011"
}
