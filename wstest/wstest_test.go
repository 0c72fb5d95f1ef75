package wstest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/stretchr/testify/require"
)

var ctx = context.Background()

// bubble runs fn where time is ours. That it ends at all is the proof that
// nothing is left behind: a bubble waits for all its goroutines.
func bubble(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, fn)
}

func echo(ctx context.Context, c *websocket.Conn) error {
	return c.Serve(ctx, func(op websocket.Opcode, p []byte) error { return c.Write(ctx, op, p) })
}

func TestPipe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		server, client := Pipe(&Options{Subprotocol: "chat", Header: http.Header{"X-A": {"b"}}})
		done := make(chan error, 1)
		go func() { done <- echo(ctx, server) }()
		for _, n := range []int{0, 1, 4096, 300_000} {
			want := strings.Repeat("x", n)
			require.NoError(t, client.Write(ctx, websocket.Text, []byte(want)))
			op, p, err := client.Read(ctx)
			require.NoError(t, err)
			require.Equal(t, websocket.Text, op)
			require.Equal(t, want, string(p))
		}
		require.Equal(t, "chat", server.Subprotocol())
		require.Equal(t, "b", client.Handshake().Header.Get("X-A"))
		require.Equal(t, websocket.RoleClient, client.Handshake().Role)
		require.Empty(t, client.Handshake().Extensions)
		begun := time.Now()
		require.NoError(t, client.Close(websocket.StatusNormalClosure, "bye"))
		require.NoError(t, <-done)
		require.NoError(t, server.Close(websocket.StatusNormalClosure, ""))
		require.Zero(t, time.Since(begun), "a closing handshake in memory takes no time")
	})
}

func TestPipeNegotiatesCompression(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var rec Recorder
		server, client := Pipe(&Options{
			Server:   websocket.Options{Compression: &websocket.Compression{}},
			Client:   websocket.Options{Compression: &websocket.Compression{}},
			Recorder: &rec,
		})
		defer server.CloseNow()
		defer client.CloseNow()
		require.Contains(t, server.Handshake().Extensions, "permessage-deflate")
		want := strings.Repeat("the same again ", 1000)
		require.NoError(t, server.Write(ctx, websocket.Text, []byte(want)))
		_, p, err := client.Read(ctx)
		require.NoError(t, err)
		require.Equal(t, want, string(p))
		require.Len(t, rec.Frames(), 1)
		require.Equal(t, byte(4), rec.Frames()[0].RSV)
		require.Less(t, len(rec.Frames()[0].Payload), len(want)/10)
	})
}

// A peer that is there but does not read: the write waits at the pipe's bound and
// WriteTimeout ends it, to the second.
func TestPipeIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		server, client := Pipe(&Options{Buffer: 1 << 10, Server: websocket.Options{WriteTimeout: 3 * time.Second}})
		defer client.CloseNow()
		begun := time.Now()
		var err error
		for n := 0; err == nil; n++ {
			require.Less(t, n, 20)
			err = server.Write(ctx, websocket.Binary, make([]byte, 100))
		}
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 3*time.Second, time.Since(begun))
	})
}

func TestDial(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := &websocket.Server{Handler: echo}
		srv.Subprotocols = []string{"a", "b"}
		mux := http.NewServeMux()
		mux.Handle("/echo", srv)
		client, err := DialURL(ctx, mux, "ws://example.com/echo?q=1", &websocket.DialOptions{Subprotocols: []string{"b"}})
		require.NoError(t, err)
		require.Equal(t, "b", client.Subprotocol())
		require.NoError(t, client.Write(ctx, websocket.Text, []byte("hi")))
		_, p, err := client.Read(ctx)
		require.NoError(t, err)
		require.Equal(t, "hi", string(p))
		require.NoError(t, client.Close(websocket.StatusNormalClosure, ""))

		_, err = Dial(ctx, mux, nil)
		var refused *websocket.HandshakeError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, http.StatusNotFound, refused.Status)
		_, err = srv.Shutdown(ctx)
		require.NoError(t, err)
	})
}

func TestNetPipe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := NetPipe(8)
		n, err := a.Write([]byte("12345678"))
		require.NoError(t, err)
		require.Equal(t, 8, n)

		// Full: the rest waits, in part, until its deadline.
		require.NoError(t, a.SetWriteDeadline(time.Now().Add(time.Second)))
		go func() {
			time.AfterFunc(time.Millisecond, func() { b.Read(make([]byte, 3)) })
		}()
		n, err = a.Write([]byte("abcdef"))
		require.Equal(t, 3, n)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		var ne net.Error
		require.ErrorAs(t, err, &ne)
		require.True(t, ne.Timeout())

		// The deadline has passed for later calls too, until it is set anew.
		_, err = a.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, a.SetWriteDeadline(time.Time{}))

		// One direction ends, the other goes on.
		require.NoError(t, a.(interface{ CloseWrite() error }).CloseWrite())
		_, err = a.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE)
		p, err := io.ReadAll(b)
		require.NoError(t, err)
		require.Equal(t, "45678abc", string(p))
		_, err = b.Write([]byte("back"))
		require.NoError(t, err)

		// What was written before Close is still read; what the closed end has not
		// read is gone.
		require.NoError(t, b.Close())
		p, err = io.ReadAll(a)
		require.NoError(t, err)
		require.Equal(t, "back", string(p))
		_, err = b.Read(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
		require.ErrorIs(t, b.SetDeadline(time.Now()), net.ErrClosed)
		require.NoError(t, a.Close())
		require.Equal(t, "server", a.LocalAddr().String())
		require.Equal(t, "client", a.RemoteAddr().String())
	})
}

func TestNetPipeClosedUnderneath(t *testing.T) {
	calls := map[string]func(net.Conn) error{
		"read":  func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err },
		"write": func(c net.Conn) error { _, err := c.Write(make([]byte, 100)); return err },
	}
	for call, do := range calls {
		for _, tc := range []struct {
			name string
			do   func(a, b net.Conn)
			want map[string]error
		}{
			{"close here", func(a, _ net.Conn) { a.Close() }, map[string]error{"read": net.ErrClosed, "write": net.ErrClosed}},
			{"close there", func(_, b net.Conn) { b.Close() }, map[string]error{"read": io.EOF, "write": syscall.EPIPE}},
			{"reset here", func(a, _ net.Conn) { a.(*end).Reset() }, map[string]error{"read": syscall.ECONNRESET, "write": syscall.ECONNRESET}},
			{"reset there", func(_, b net.Conn) { b.(*end).Reset() }, map[string]error{"read": syscall.ECONNRESET, "write": syscall.ECONNRESET}},
		} {
			t.Run(call+", "+tc.name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					a, b := NetPipe(10)
					time.AfterFunc(time.Second, func() { tc.do(a, b) })
					require.ErrorIs(t, do(a), tc.want[call])
					a.Close()
					b.Close()
				})
			})
		}
	}
}

// Writes of several goroutines do not mix, also when they do not fit.
func TestNetPipeConcurrentWrites(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := NetPipe(7)
		for _, s := range []string{"a", "b", "c"} {
			go a.Write([]byte(strings.Repeat(s, 50)))
		}
		got := make([]byte, 150)
		for n := range got {
			_, err := b.Read(got[n : n+1])
			require.NoError(t, err)
		}
		for i := range 3 {
			part := string(got[i*50 : i*50+50])
			require.Equal(t, strings.Repeat(part[:1], 50), part)
		}
		a.Close()
		b.Close()
	})
}

func TestRecorder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var rec Recorder
		server, client := Pipe(&Options{Recorder: &rec})
		done := make(chan error, 1)
		go func() { done <- echo(ctx, server) }()
		require.NoError(t, client.Write(ctx, websocket.Text, []byte("hello")))
		_, _, err := client.Read(ctx)
		require.NoError(t, err)
		w, err := client.Writer(ctx, websocket.Binary)
		require.NoError(t, err)
		_, err = w.Write(make([]byte, 4097))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		_, _, err = client.Read(ctx)
		require.NoError(t, err)
		require.NoError(t, client.Close(websocket.StatusNormalClosure, ""))
		require.NoError(t, <-done)
		server.CloseNow()
		frames := rec.Frames()
		require.Equal(t, []string{
			`client: text fin masked "hello"`,
			`server: text fin "hello"`,
		}, []string{frames[0].String(), frames[1].String()})
		require.Equal(t, Frame{From: websocket.RoleClient, Op: websocket.Binary, Masked: true, Payload: make([]byte, 4096)}, frames[2])
		require.Equal(t, `client: continuation fin masked "\x00"`, frames[3].String())
		require.Equal(t, Frame{From: websocket.RoleServer, Op: websocket.Binary, Fin: true, Payload: make([]byte, 4097)}, frames[4])
		require.Equal(t, `client: close fin masked "\x03\xe8"`, frames[5].String())
		require.Equal(t, `server: close fin "\x03\xe8"`, frames[6].String())
		require.Len(t, frames, 7)
		require.Len(t, rec.From(websocket.RoleServer), 3)
		require.Empty(t, rec.Rest(websocket.RoleServer))
	})
}

// The parser against pictures of frames, cut at every byte.
func TestRecorderParses(t *testing.T) {
	wire := "GET / HTTP/1.1\r\nHost: x\r\n\r\n" +
		"\x81\x05Hello" + // RFC 6455, section 5.7
		"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" +
		"\x01\x03Hel" + "\x80\x02lo" +
		"\x89\x05Hello" +
		"\x82\x7e\x01\x00" + strings.Repeat("\xab", 256) +
		"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + strings.Repeat("\xcd", 65536) +
		"\xc1\x00" +
		"\xf3\x80\x01\x02\x03\x04"
	want := []string{
		`client: text fin "Hello"`, `client: text fin masked "Hello"`,
		`client: text "Hel"`, `client: continuation fin "lo"`,
		`client: ping fin "Hello"`, "", "",
		`client: text fin rsv=100`, `client: opcode 3 fin rsv=111 masked`,
	}
	for at := range wire {
		if at > 400 && at < len(wire)-20 && at%4999 != 0 {
			continue // inside of a payload
		}
		var rec Recorder
		rec.record(websocket.RoleClient, []byte(wire[:at]))
		rec.record(websocket.RoleClient, []byte(wire[at:]))
		frames := rec.Frames()
		require.Len(t, frames, len(want), "cut at %d", at)
		for i, f := range frames {
			if want[i] != "" {
				require.Equal(t, want[i], f.String())
			}
		}
		require.Equal(t, strings.Repeat("\xab", 256), string(frames[5].Payload))
		require.Equal(t, strings.Repeat("\xcd", 65536), string(frames[6].Payload))
	}
	var rec Recorder
	rec.record(websocket.RoleServer, []byte("\x81\xffHello"))
	require.Equal(t, "\x81\xffHello", string(rec.Rest(websocket.RoleServer)))
}

func TestRecorderWrap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, c := NetPipe(0)
		var rec Recorder
		w := rec.Wrap(c, websocket.RoleClient)
		_, err := w.Write([]byte("\x8a\x00"))
		require.NoError(t, err)
		_, err = s.Write([]byte("\x89\x01"))
		require.NoError(t, err)
		_, err = s.Write([]byte("x"))
		require.NoError(t, err)
		_, err = io.ReadFull(w, make([]byte, 3))
		require.NoError(t, err)
		require.Equal(t, "[client: pong fin server: ping fin \"x\"]", sprint(rec.Frames()))
		require.NoError(t, w.(*tap).CloseWrite())
		_, err = s.Read(make([]byte, 3))
		require.NoError(t, err)
		_, err = s.Read(make([]byte, 3))
		require.Equal(t, io.EOF, err)
		w.(*tap).Reset()
		_, err = s.Read(make([]byte, 3))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		x, y := net.Pipe()
		defer y.Close()
		w = rec.Wrap(x, websocket.RoleClient)
		require.ErrorIs(t, w.(*tap).CloseWrite(), errors.ErrUnsupported)
		w.(*tap).Reset()
		_, err = x.Read(make([]byte, 1))
		require.Equal(t, io.ErrClosedPipe, err)
	})
}

func sprint(frames []Frame) string {
	var all []string
	for _, f := range frames {
		all = append(all, f.String())
	}
	return "[" + strings.Join(all, " ") + "]"
}
