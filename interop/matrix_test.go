package interop

// What is sent, and our side of it: an echo server, and a client that checks what
// comes back.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/stretchr/testify/require"
)

// sizes are the edges of the length encodings, and two that take many reads.
var sizes = []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20}

// payload is what every peer here makes for a size: text of letters after one
// euro sign, or bytes that repeat after 251.
func payload(op websocket.Opcode, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		if op == websocket.Text {
			p[i] = byte('a' + i%26)
		} else {
			p[i] = byte(i % 251)
		}
	}
	if op == websocket.Text && n >= 3 {
		copy(p, "\u20ac")
	}
	return p
}

// modes are the compressions that are tried.
var modes = []struct {
	name string
	z    *websocket.Compression
}{
	{"plain", nil},
	{"deflate", &websocket.Compression{}},
	{"takeover", &websocket.Compression{SendTakeover: true, ReceiveTakeover: true, Level: 2}},
}

func options(z *websocket.Compression) websocket.Options {
	return websocket.Options{ReadLimit: 32 << 20, Compression: z, WriteTimeout: time.Minute}
}

// startEcho serves our echo and returns its address: /whole replies with whole
// messages, /fragments with fragments.
func startEcho(t *testing.T, z *websocket.Compression) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := func(reply func(context.Context, *websocket.Conn, websocket.Opcode, []byte) error) *websocket.Server {
		return &websocket.Server{
			AcceptOptions: websocket.AcceptOptions{Options: options(z), InsecureSkipOriginCheck: true},
			Handler: func(ctx context.Context, c *websocket.Conn) error {
				for {
					op, p, err := c.Next(ctx)
					if err != nil {
						return err
					}
					if err := reply(ctx, c, op, p); err != nil {
						return err
					}
				}
			},
		}
	}
	whole, fragments := server(whole), server(inFragments)
	mux := http.NewServeMux()
	mux.Handle("/whole", whole)
	mux.Handle("/fragments", fragments)
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><title>interop</title>")
	})
	srv := &http.Server{Handler: mux}
	go srv.Serve(l)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		whole.Shutdown(ctx)
		fragments.Shutdown(ctx)
		srv.Close()
	})
	return "ws://" + l.Addr().String()
}

func whole(ctx context.Context, c *websocket.Conn, op websocket.Opcode, p []byte) error {
	return c.Write(ctx, op, p)
}

func inFragments(ctx context.Context, c *websocket.Conn, op websocket.Opcode, p []byte) error {
	w, err := c.Writer(ctx, op)
	if err != nil {
		return err
	}
	if _, err := w.Write(p); err != nil {
		return err
	}
	return w.Close()
}

// drive is our client: it sends every message, whole and in fragments, to an echo
// server at url, compares what comes back, and closes.
func drive(t *testing.T, url string, z *websocket.Compression) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c, err := websocket.Dial(ctx, url, &websocket.DialOptions{Options: options(z)})
	require.NoError(t, err)
	defer c.CloseNow()
	require.Equal(t, z != nil, c.Handshake().Extensions != "", "extensions %q", c.Handshake().Extensions)
	for _, send := range []func(context.Context, *websocket.Conn, websocket.Opcode, []byte) error{whole, inFragments} {
		for _, n := range sizes {
			for _, op := range []websocket.Opcode{websocket.Text, websocket.Binary} {
				require.NoError(t, exchange(ctx, c, op, payload(op, n), send), "%v of %d bytes", op, n)
			}
		}
	}
	require.NoError(t, c.Close(websocket.StatusNormalClosure, "done"))
}

// exchange writes and reads at the same time: a peer may echo what it has of a
// message before it has the rest.
func exchange(ctx context.Context, c *websocket.Conn, op websocket.Opcode, p []byte, send func(context.Context, *websocket.Conn, websocket.Opcode, []byte) error) error {
	written := make(chan error, 1)
	go func() { written <- send(ctx, c, op, p) }()
	gotOp, got, err := c.Read(ctx)
	if err := errors.Join(err, <-written); err != nil {
		return err
	}
	if gotOp != op || !bytes.Equal(got, p) {
		return fmt.Errorf("%d bytes of %v came back as %d bytes of %v", len(p), op, len(got), gotOp)
	}
	return nil
}
