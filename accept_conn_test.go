package websocket

// Accept and the connection it takes: wrappers, buffers, deadlines, sockets that
// break, listeners of other kinds, and what a failed handshake leaves behind.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// plainWriter hides everything but the ResponseWriter; unwrapping says what it hides.
type (
	plainWriter      struct{ http.ResponseWriter }
	unwrappingWriter struct{ http.ResponseWriter }
	circularWriter   struct{ http.ResponseWriter }
	failingHijacker  struct{ http.ResponseWriter }
	emptyHijacker    struct{ http.ResponseWriter }
)

func (w *unwrappingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *circularWriter) Unwrap() http.ResponseWriter   { return &plainlyCircular{w} }

type plainlyCircular struct{ *circularWriter }

func (w *failingHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errors.New("taken by somebody else")
}
func (w *emptyHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, nil }

func TestHS17Wrappers(t *testing.T) {
	leakCheck(t)
	wrapper := func(wrap func(http.ResponseWriter) http.ResponseWriter) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(wrap(w), r) })
		}
	}
	addr, _ := acceptServer(t, nil, wrapper(func(w http.ResponseWriter) http.ResponseWriter {
		return &unwrappingWriter{&unwrappingWriter{w}}
	}))
	_, r := rawDial(t, addr, rawRequest()+helloFrame)
	resp, _ := readResponse(t, r)
	require.Equal(t, 101, resp.StatusCode)
	requireBytes(t, r, helloEchoed)

	for name, row := range map[string]struct {
		wrap func(http.Handler) http.Handler
		says string
	}{
		"no Unwrap": {wrapper(func(w http.ResponseWriter) http.ResponseWriter { return &unwrappingWriter{&plainWriter{w}} }),
			"*websocket.unwrappingWriter -> *websocket.plainWriter, which has neither Hijack nor Unwrap"},
		"Hijack fails": {wrapper(func(w http.ResponseWriter) http.ResponseWriter { return &failingHijacker{w} }),
			"*websocket.failingHijacker, whose Hijack failed: taken by somebody else"},
		"Hijack returns nothing": {wrapper(func(w http.ResponseWriter) http.ResponseWriter { return &emptyHijacker{w} }), "neither a connection nor an error"},
		"TimeoutHandler":         {func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Minute, "") }, "*http.timeoutWriter, which has neither"},
	} {
		t.Run(name, func(t *testing.T) {
			addr, failed := acceptServer(t, nil, row.wrap)
			_, _, body := requireRefused(t, addr, rawRequest(), 500)
			require.Contains(t, body, "Unwrap")
			require.NotContains(t, body, "*websocket", "types are not the client's affair")
			e := requireStatus(t, <-failed, 500)
			require.ErrorContains(t, e, row.says)
		})
	}
	// The chain of a wrapper that goes in circles has an end.
	require.True(t, strings.HasSuffix(wrapperChain(&circularWriter{}), "and so on"))
}

// fakeServer is a ResponseWriter whose connection is recorded.
type fakeServer struct {
	*httptest.ResponseRecorder
	conn     net.Conn
	buffered *bufio.ReadWriter
}

func (f *fakeServer) Hijack() (net.Conn, *bufio.ReadWriter, error) { return f.conn, f.buffered, nil }

// fakeConn counts writes and remembers deadlines; reads end at once.
type fakeConn struct {
	net.Conn
	written   bytes.Buffer
	writes    int
	deadlines []time.Time
	closed    bool
	writeErr  error
	limitErr  error
}

func (c *fakeConn) Read([]byte) (int, error) { return 0, io.EOF }
func (c *fakeConn) Write(p []byte) (int, error) {
	if c.writeErr != nil {
		return 0, c.writeErr
	}
	c.writes++
	return c.written.Write(p)
}
func (c *fakeConn) Close() error { c.closed = true; return nil }
func (c *fakeConn) SetDeadline(d time.Time) error {
	c.deadlines = append(c.deadlines, d)
	return c.limitErr
}
func (c *fakeConn) SetReadDeadline(time.Time) error  { return nil }
func (c *fakeConn) SetWriteDeadline(time.Time) error { return nil }

// parsedRequest is rawRequest as net/http would pass it on.
func parsedRequest(t testing.TB, edits ...string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(rawRequest(edits...))))
	require.NoError(t, err)
	return r
}

// acceptFake runs Accept on recorded ends.
func acceptFake(t testing.TB, opts *AcceptOptions, edits ...string) (*Conn, *fakeServer, *fakeConn, error) {
	t.Helper()
	conn := &fakeConn{}
	w := &fakeServer{ResponseRecorder: httptest.NewRecorder(), conn: conn}
	c, err := Accept(w, parsedRequest(t, edits...), opts)
	if err == nil {
		t.Cleanup(func() { c.CloseNow() })
	}
	return c, w, conn, err
}

func TestAcceptWritesOnce(t *testing.T) {
	leakCheck(t)
	opts := &AcceptOptions{
		Subprotocols: []string{"v2", "v1"},
		Header:       http.Header{"X-One": {"a", "b"}, "Set-Cookie": {"s=1"}},
	}
	before := time.Now()
	c, _, conn, err := acceptFake(t, opts, "Sec-WebSocket-Protocol: v1, v2")
	require.NoError(t, err)
	require.Equal(t, 1, conn.writes)
	resp, err := http.ReadResponse(bufio.NewReader(&conn.written), nil)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, resp.Header.Values("X-One"))
	require.Equal(t, "s=1", resp.Header.Get("Set-Cookie"))
	require.Equal(t, "v2", resp.Header.Get("Sec-WebSocket-Protocol"))
	require.Equal(t, "v2", c.Subprotocol())
	require.Equal(t, RoleServer, c.Handshake().Role)
	// HS-18: a deadline for the answer, and none afterwards.
	require.Len(t, conn.deadlines, 2)
	require.WithinDuration(t, before.Add(10*time.Second), conn.deadlines[0], 9*time.Second)
	require.True(t, conn.deadlines[1].IsZero())
}

// TestAcceptKeepsNoBuffer: early bytes survive what happens to net/http's buffers,
// and the answer goes out however little of them there is.
func TestAcceptKeepsNoBuffer(t *testing.T) {
	leakCheck(t)
	array := []byte(helloFrame)
	for name, buffered := range map[string]*bufio.ReadWriter{
		"nil":       nil,
		"both nil":  {},
		"no writer": bufio.NewReadWriter(bufio.NewReader(strings.NewReader("")), nil),
		"small":     bufio.NewReadWriter(nil, bufio.NewWriterSize(io.Discard, 16)),
	} {
		t.Run(name, func(t *testing.T) {
			conn := &fakeConn{}
			c, err := Accept(&fakeServer{httptest.NewRecorder(), conn, buffered}, parsedRequest(t), nil)
			require.NoError(t, err)
			require.Contains(t, conn.written.String(), sampleAccept)
			require.Equal(t, 1, conn.writes)
			c.CloseNow()
		})
	}
	reader := bufio.NewReader(bytes.NewReader(array))
	early, err := reader.Peek(len(array))
	require.NoError(t, err)
	c, err := Accept(&fakeServer{httptest.NewRecorder(), &fakeConn{}, bufio.NewReadWriter(reader, nil)}, parsedRequest(t), nil)
	require.NoError(t, err)
	clear(early) // as the next connection that gets this buffer would
	op, p, err := c.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, Text, op)
	require.Equal(t, "hi", string(p))
	c.CloseNow()
}

func TestAcceptBrokenConnections(t *testing.T) {
	leakCheck(t)
	boom := errors.New("boom")
	for name, conn := range map[string]*fakeConn{"write": {writeErr: boom}, "deadline": {limitErr: boom}} {
		t.Run(name, func(t *testing.T) {
			_, err := Accept(&fakeServer{httptest.NewRecorder(), conn, nil}, parsedRequest(t), nil)
			requireStatus(t, err, 0)
			require.ErrorIs(t, err, boom)
			require.True(t, conn.closed)
		})
	}
	conn := &fakeConn{limitErr: boom}
	_, err := Accept(&fakeServer{httptest.NewRecorder(), conn, nil}, parsedRequest(t), nil)
	require.ErrorContains(t, err, "*websocket.fakeConn cannot set deadlines")
}

// memoryListener makes an http.Server serve the ends of pipes, so that its time is
// a bubble's.
type memoryListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func listenMemory(t testing.TB, s *http.Server) (dial func() net.Conn) {
	l := &memoryListener{make(chan net.Conn), make(chan struct{})}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-served })
	return func() net.Conn {
		client, server := net.Pipe()
		l.conns <- server
		return client
	}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *memoryListener) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}
func (l *memoryListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "pipe"} }

// TestHS18ServerTimeouts: the deadlines of http.Server are for HTTP and end with it.
func TestHS18ServerTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial := listenMemory(t, &http.Server{
			ReadTimeout: time.Second, WriteTimeout: time.Second, IdleTimeout: time.Second, ReadHeaderTimeout: time.Second,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := Accept(w, r, &AcceptOptions{Options: Options{KeepaliveInterval: -1}})
				if err == nil {
					echoUntilEnd(c)
				}
			}),
		})
		conn := dial()
		defer conn.Close()
		_, err := io.WriteString(conn, rawRequest())
		require.NoError(t, err)
		r := bufio.NewReader(conn)
		resp, _ := readResponse(t, r)
		require.Equal(t, 101, resp.StatusCode)
		<-time.After(time.Hour)
		_, err = io.WriteString(conn, helloFrame)
		require.NoError(t, err)
		requireBytes(t, r, helloEchoed)
	})
}

// TestHS19SilentReader: a client that does not take the answer is given up in time.
func TestHS19SilentReader(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{0: 10 * time.Second, 3 * time.Second: 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			failed := make(chan error, 1)
			dial := listenMemory(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err := Accept(w, r, &AcceptOptions{HandshakeTimeout: timeout})
				failed <- err
			})})
			conn := dial()
			defer conn.Close()
			start := time.Now()
			_, err := io.WriteString(conn, rawRequest())
			require.NoError(t, err)
			err = <-failed
			requireStatus(t, err, 0)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Equal(t, want, time.Since(start))
			_, err = conn.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
		})
	}
}

// TestHS19SlowWriter: with http.Server's ReadHeaderTimeout, a request that comes in
// drops ends at an absolute time.
func TestHS19SlowWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial := listenMemory(t, &http.Server{ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
			Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("served") })})
		conn := dial()
		defer conn.Close()
		ended := make(chan struct{})
		go func() { defer close(ended); _, _ = io.Copy(io.Discard, conn) }()
		start := time.Now()
		for _, c := range []byte(rawRequest()) {
			if _, err := conn.Write([]byte{c}); err != nil {
				break
			}
			<-time.After(3 * time.Second)
		}
		<-ended
		require.LessOrEqual(t, time.Since(start), 12*time.Second)
	})
}

// TestHS20NothingLeft: a handshake that fails at any step leaves neither goroutine
// nor file descriptor.
func TestHS20NothingLeft(t *testing.T) {
	leakCheck(t)
	addr, _ := acceptServer(t, &AcceptOptions{Authenticate: func(r *http.Request) (context.Context, error) {
		if r.URL.Path == "/denied" {
			return nil, errors.New("denied")
		}
		return nil, nil
	}})
	kinds := []string{
		rawRequest("Upgrade"), rawRequest("Host: a:b:c"), rawRequest("Sec-WebSocket-Key"), rawRequest("Origin: null"), rawRequest("GET /denied HTTP/1.1"),
		rawRequest("Content-Length: 5"), rawRequest("Sec-WebSocket-Extensions: ;"), rawRequest("POST /chat HTTP/1.1"), "nonsense\r\n\r\n", "GET /ch", "", rawRequest(),
	}
	round := func() {
		for _, kind := range kinds {
			conn, err := net.Dial("tcp", addr)
			require.NoError(t, err)
			require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
			_, err = io.WriteString(conn, kind)
			require.NoError(t, err)
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			_, err = io.Copy(io.Discard, conn)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			conn.Close()
		}
	}
	round()
	before, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc/self/fd to count descriptors in")
	}
	for range 50 {
		round()
	}
	// Both ends have seen the end of each; the server's may need a moment to close.
	for deadline := time.After(5 * time.Second); ; {
		after, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		if len(after) <= len(before)+2 {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%d descriptors before, %d after", len(before), len(after))
		case <-time.After(time.Millisecond):
		}
	}
}

// TestAcceptTLS: behind a server that speaks HTTP/2 too, a client that offers
// http/1.1 alone gets its connection, the page's origin is one of https, and what
// comes by HTTP/2 is told why not.
func TestAcceptTLS(t *testing.T) {
	leakCheck(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := Accept(w, r, nil); err == nil {
			echoUntilEnd(c)
		}
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	addr := s.Listener.Addr().String()
	for origin, status := range map[string]int{"https://" + addr: 0, "http://" + addr: 403} {
		c, err := Dial(t.Context(), "wss://"+addr, &DialOptions{Header: http.Header{"Origin": {origin}}, Client: s.Client()})
		if status != 0 {
			requireStatus(t, err, status)
			continue
		}
		require.NoError(t, err)
		requireEcho(t, c)
		require.NoError(t, c.Close(StatusNormalClosure, ""))
	}
	resp, err := s.Client().Get(s.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 2, resp.ProtoMajor)
	require.Equal(t, 505, resp.StatusCode)
}

// TestAcceptUnixSocket: the server works on any listener.
func TestAcceptUnixSocket(t *testing.T) {
	leakCheck(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := Accept(w, r, nil); err == nil {
			echoUntilEnd(c)
		}
	}))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	defer s.Close()
	conn, err := net.Dial("unix", path)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, rawRequest()+helloFrame)
	require.NoError(t, err)
	r := bufio.NewReader(conn)
	resp, _ := readResponse(t, r)
	require.Equal(t, 101, resp.StatusCode)
	requireBytes(t, r, helloEchoed)
}
