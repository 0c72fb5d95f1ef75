package websocket_test

// What hooks are told, and what they cost.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// A diary writes down what hooks are told.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) hooks() *websocket.Hooks {
	return &websocket.Hooks{
		Open: func(c *websocket.Conn) { d.write("open, %q", c.Subprotocol()) },
		Message: func(_ *websocket.Conn, op websocket.Opcode, sent bool, payload, wire int) {
			d.write("%v, sent %v, %d bytes, on the wire %d", op, sent, payload, wire)
		},
		Control: func(_ *websocket.Conn, op websocket.Opcode, payload []byte) { d.write("%v %q", op, payload) },
		Close: func(c *websocket.Conn, code websocket.StatusCode, remote bool, err error) {
			s := c.Stats()
			d.write("closed %d, remote %v, %d in, %d out, %v", code, remote, s.MessagesIn, s.MessagesOut, errors.Unwrap(err))
		},
	}
}

func TestHooks(t *testing.T) {
	for _, tc := range []struct {
		name        string
		compression *websocket.Compression
		do          func(c, peer *websocket.Conn)
		want        string
	}{
		{"messages", nil, func(c, peer *websocket.Conn) {
			peer.Write(context.Background(), websocket.Text, []byte("hello"))
			c.Read(context.Background())
			c.Write(context.Background(), websocket.Binary, make([]byte, 60000))
			peer.Read(context.Background())
			peer.Close(4000, "")
		}, `open, "v1"
text, sent false, 5 bytes, on the wire 5
binary, sent true, 60000 bytes, on the wire 60000
close ""
closed 4000, remote true, 1 in, 1 out, <nil>`},
		{"compressed", &websocket.Compression{}, func(c, peer *websocket.Conn) {
			peer.Write(context.Background(), websocket.Text, []byte(strings.Repeat("a", 1000)))
			c.Read(context.Background())
			c.Write(context.Background(), websocket.Text, []byte(strings.Repeat("b", 1000)))
			peer.Read(context.Background())
			peer.Close(4000, "")
		}, `open, "v1"
text, sent false, 1000 bytes, on the wire few
text, sent true, 1000 bytes, on the wire few
close ""
closed 4000, remote true, 1 in, 1 out, <nil>`},
		{"in pieces", nil, func(c, peer *websocket.Conn) {
			w, _ := peer.Writer(context.Background(), websocket.Text)
			for range 3 {
				io.WriteString(w, strings.Repeat("x", 3000))
			}
			w.Close()
			_, r, _ := c.Reader(context.Background())
			io.Copy(io.Discard, r)
			w, _ = c.Writer(context.Background(), websocket.Text)
			for range 3 {
				io.WriteString(w, strings.Repeat("y", 3000))
			}
			w.Close()
			peer.Read(context.Background())
			c.CloseNow()
		}, `open, "v1"
text, sent false, 9000 bytes, on the wire 9000
text, sent true, 9000 bytes, on the wire 9000
closed 1006, remote false, 1 in, 1 out, use of closed network connection`},
		{"seen by a writer", nil, func(c, peer *websocket.Conn) {
			peer.Write(context.Background(), websocket.Text, []byte("unread"))
			peer.CloseNow()
			for c.Write(context.Background(), websocket.Text, []byte("x")) == nil {
			} // it looks for a close frame, and comes upon the message
			var err error
			for err == nil {
				_, _, err = c.Read(context.Background())
			}
		}, `open, "v1"
text, sent false, 6 bytes, on the wire 6
closed 1006, remote true, 1 in, 0 out, unexpected EOF`},
		{"lost", nil, func(c, peer *websocket.Conn) {
			peer.CloseNow()
			c.Read(context.Background())
		}, `open, "v1"
closed 1006, remote true, 0 in, 0 out, unexpected EOF`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d diary
				opts := &wstest.Options{Subprotocol: "v1"}
				opts.Server.Hooks, opts.Server.Compression, opts.Client.Compression = d.hooks(), tc.compression, tc.compression
				c, peer := wstest.Pipe(opts)
				var wg sync.WaitGroup
				if strings.HasSuffix(tc.want, "<nil>") {
					wg.Go(func() {
						synctest.Wait()
						c.Read(context.Background()) // sees the close
					})
				}
				wg.Go(func() { tc.do(c, peer) })
				wg.Wait()
				<-c.Context().Done()
				peer.CloseNow()
				synctest.Wait()
				d.mu.Lock()
				defer d.mu.Unlock()
				got := strings.Join(d.lines, "\n")
				for n := range 100 {
					got = strings.ReplaceAll(got, fmt.Sprintf("1000 bytes, on the wire %d\n", n), "1000 bytes, on the wire few\n")
				}
				require.Equal(t, tc.want, got)
			})
		})
	}
}

// Pings and pongs, in both directions, are control frames.
func TestHooksControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		opts := &wstest.Options{}
		opts.Server.Hooks, opts.Server.KeepaliveInterval = d.hooks(), -1
		c, peer := wstest.Pipe(opts)
		c.CloseRead(t.Context())
		peer.CloseRead(t.Context())
		require.NoError(t, peer.Ping(t.Context()))
		require.NoError(t, c.Ping(t.Context()))
		require.NoError(t, peer.Close(websocket.StatusNormalClosure, "bye"))
		<-c.Context().Done()
		synctest.Wait()
		require.Equal(t, []string{
			`open, ""`, `ping "\x00\x00\x00\x00\x00\x00\x00\x01"`, `pong "\x00\x00\x00\x00\x00\x00\x00\x01"`,
			`close "bye"`, "closed 1000, remote true, 0 in, 0 out, <nil>",
		}, d.lines)
	})
}

// An endless client sends the same message for ever and takes every answer.
type endless struct {
	frames []byte
	at     int
	closed atomic.Bool
}

func (e *endless) Read(p []byte) (int, error) {
	if e.closed.Load() {
		return 0, io.EOF
	}
	n := copy(p, e.frames[e.at:])
	e.at = (e.at + n) % len(e.frames)
	return n, nil
}

func (e *endless) Write(p []byte) (int, error) { return len(p), nil }

func (e *endless) Close() error {
	e.closed.Store(true)
	return nil
}

// BenchmarkHooks answers a message of 128 bytes without hooks, with hooks of which
// none is set, and with all set: what hooks cost is what they do.
func BenchmarkHooks(b *testing.B) {
	var n int
	for _, bc := range []struct {
		name  string
		hooks *websocket.Hooks
	}{
		{"nil", nil},
		{"none set", &websocket.Hooks{}},
		{"all set", &websocket.Hooks{
			Open:    func(*websocket.Conn) { n++ },
			Message: func(*websocket.Conn, websocket.Opcode, bool, int, int) { n++ },
			Control: func(*websocket.Conn, websocket.Opcode, []byte) { n++ },
			Close:   func(*websocket.Conn, websocket.StatusCode, bool, error) { n++ },
		}},
	} {
		b.Run(bc.name, func(b *testing.B) {
			frame := append([]byte{0x82, 0xfe, 0, 128, 0, 0, 0, 0}, make([]byte, 128)...)
			c, err := websocket.NewConn(&endless{frames: bytes.Repeat(frame, 100)}, websocket.Handshake{},
				&websocket.Options{Hooks: bc.hooks, KeepaliveInterval: -1})
			require.NoError(b, err)
			defer c.CloseNow()
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				op, msg, err := c.Next(ctx)
				if err != nil {
					b.Fatal(err)
				}
				if err := c.Write(ctx, op, msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
