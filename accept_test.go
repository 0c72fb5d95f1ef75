package websocket

// The server's side of the handshake, over net/http and a real socket wherever
// bytes matter: requests are written by hand, answers read by hand. HS, ORG and SMG
// names are those of known holes in other implementations.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// rawRequest is a good request with some lines replaced, left out or added: each
// of edits is a line; its name takes the place of the line of that name, and a
// name without a colon takes it out.
func rawRequest(edits ...string) string {
	lines := []string{
		"GET /chat HTTP/1.1",
		"Host: server.example.com",
		"Upgrade: websocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Key: " + sampleKey,
		"Sec-WebSocket-Version: 13",
	}
	for _, e := range edits {
		name, _, keep := strings.Cut(e, ":")
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
		switch {
		case strings.HasSuffix(e, "HTTP/1.1") || strings.HasSuffix(e, "HTTP/1.0"):
			lines[0] = e
		case i < 0 && keep:
			lines = append(lines, e)
		case i >= 0 && keep:
			lines[i] = e
		case i >= 0:
			lines = slices.Delete(lines, i, i+1)
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

const (
	helloFrame  = "\x81\x82\x00\x00\x00\x00hi" // FIN, text, masked with zeros, length 2
	helloEchoed = "\x81\x02hi"
	closeFrame  = "\x88\x82\x00\x00\x00\x00\x03\xe8" // 1000
)

// acceptServer is an HTTP server whose every request is given to Accept, and then
// echoes messages until the connection ends. Errors of Accept go to the channel.
func acceptServer(t testing.TB, opts *AcceptOptions, wrap ...func(http.Handler) http.Handler) (addr string, failed chan error) {
	t.Helper()
	failed = make(chan error, 1000)
	var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, opts)
		if err != nil {
			failed <- err
			return
		}
		echoUntilEnd(c)
	})
	for _, f := range wrap {
		handler = f(handler)
	}
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), failed
}

func echoUntilEnd(c *Conn) {
	defer c.CloseNow()
	ctx := context.Background()
	for {
		op, p, err := c.Read(ctx)
		if err != nil {
			return
		}
		if c.Write(ctx, op, p) != nil {
			return
		}
	}
}

// rawDial connects to addr and sends text.
func rawDial(t testing.TB, addr, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second))) // of the test, not of the code
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	return conn, bufio.NewReader(conn)
}

func readResponse(t testing.TB, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, &http.Request{Method: "GET"})
	require.NoError(t, err)
	if resp.StatusCode == 101 {
		return resp, ""
	}
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

// requireRefused sends a request with another one and a frame right behind it, and
// looks at the one answer there may be.
func requireRefused(t *testing.T, addr, request string, status int) (resp *http.Response, head, body string) {
	t.Helper()
	conn, r := rawDial(t, addr, request+"GET /admin HTTP/1.1\r\nHost: server.example.com\r\n\r\n"+helloFrame)
	defer conn.Close()
	raw, err := io.ReadAll(r)
	if err != nil { // a reset is as good an end as any
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	}
	head, _, _ = strings.Cut(string(raw), "\r\n\r\n")
	require.Contains(t, head, "\r\nConnection: close")
	r = bufio.NewReader(bytes.NewReader(raw))
	resp, body = readResponse(t, r)
	require.Equal(t, status, resp.StatusCode, body)
	require.LessOrEqual(t, len(body), 1024)
	require.NotEmpty(t, body)
	_, err = r.ReadByte()
	require.ErrorIs(t, err, io.EOF, "what came behind the request was answered")
	return resp, head, body
}

func requireStatus(t testing.TB, err error, status int) *HandshakeError {
	t.Helper()
	var e *HandshakeError
	require.ErrorAs(t, err, &e)
	require.Equal(t, status, e.Status, "%v", err)
	require.NotEmpty(t, e.Reason)
	return e
}

func TestAccept(t *testing.T) {
	leakCheck(t)
	addr, _ := acceptServer(t, nil)
	conn, r := rawDial(t, addr, rawRequest())
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + sampleAccept + "\r\n\r\n"
	got := make([]byte, len(want))
	_, err := io.ReadFull(r, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
	_, err = io.WriteString(conn, helloFrame)
	require.NoError(t, err)
	requireBytes(t, r, helloEchoed)
	_, err = io.WriteString(conn, closeFrame)
	require.NoError(t, err)
	requireBytes(t, r, "\x88\x02\x03\xe8")
}

func requireBytes(t testing.TB, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(r, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// TestHS05Refusals: what is wrong, who is told what. Every one of them closes the
// connection and serves nothing that was sent behind it (HS-13, SMG-06).
func TestHS05Refusals(t *testing.T) {
	leakCheck(t)
	addr, failed := acceptServer(t, nil)
	for _, row := range []struct {
		name   string
		edits  []string
		status int
		says   string
	}{
		{"HS-05 no Upgrade", []string{"Upgrade"}, 426, "proxy_set_header Upgrade"},
		{"HS-05 no Connection", []string{"Connection"}, 426, "Connection"},
		{"HS-05 a page", []string{"Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"}, 426, "browser"},
		{"HS-05 no key", []string{"Sec-WebSocket-Key"}, 400, "Sec-WebSocket-Key"},
		{"HS-05 empty key", []string{"Sec-WebSocket-Key:"}, 400, "16 bytes"},
		{"HS-05 no version", []string{"Sec-WebSocket-Version"}, 426, "13"},
		{"HS-07 Host is no host", []string{"Host: a:b:c"}, 400, "Host"},
		{"HS-07 empty Host", []string{"Host:"}, 400, "Host"},
		{"HS-07 open bracket", []string{"Host: [::1"}, 400, "Host"},
		{"HS-07 origin is no origin", []string{"Origin: http://a:b"}, 403, "Origin"},
		{"HS-08 short key", []string{"Sec-WebSocket-Key: AAAA"}, 400, "16 bytes"},
		{"HS-08 15 bytes", []string{"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"}, 400, "16 bytes"},
		{"HS-08 17 bytes", []string{"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="}, 400, "16 bytes"},
		{"HS-08 no base64", []string{"Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!!!"}, 400, "16 bytes"},
		{"HS-08 stray bits", []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="}, 400, "16 bytes"},
		{"HS-09 two keys", []string{"sec-websocket-key: " + sampleKey}, 400, "more than one"},
		{"HS-09 two versions", []string{"sec-websocket-version: 13"}, 400, "more than one"},
		{"HS-10 not a token", []string{"Connection: notupgrade"}, 426, "Connection"},
		{"HS-11 HTTP/1.0", []string{"GET /chat HTTP/1.0"}, 426, "HTTP/1.1"},
		{"HS-12 body", []string{"Content-Length: 5"}, 400, "body"},
		{"HS-12 body that does not come", []string{"Content-Length: 5000"}, 400, "body"},
		{"HS-12 chunked", []string{"Transfer-Encoding: chunked"}, 400, "body"},
		{"method", []string{"POST /chat HTTP/1.1"}, 405, "GET"},
		{"HS-02 ReDoS", []string{"Sec-WebSocket-Protocol: b" + strings.Repeat(" ", 32000) + "x"}, 400, "Sec-WebSocket-Protocol"},
		{"HS-03 open quote", []string{`Sec-WebSocket-Extensions: a; b="` + strings.Repeat(`\c`, 32000)}, 400, "Sec-WebSocket-Extensions"},
		{"HS-04 malformed", []string{"Sec-WebSocket-Extensions: ,;constructor"}, 400, "Sec-WebSocket-Extensions"},
		{"ORG-01 foreign", []string{"Origin: https://evil.example"}, 403, "evil.example"},
		{"ORG-02 null", []string{"Origin: null"}, 403, "Origin"},
		{"ORG-02 two", []string{"Origin: http://server.example.com", "origin: http://server.example.com"}, 403, "more than one"},
		{"SMG-02 version trick", []string{"Sec-WebSocket-Version: 777"}, 426, "13"},
		{"subprotocol twice", []string{"Sec-WebSocket-Protocol: a, a"}, 400, "Sec-WebSocket-Protocol"},
	} {
		t.Run(row.name, func(t *testing.T) {
			request := rawRequest(row.edits...)
			resp, head, body := requireRefused(t, addr, request, row.status)
			e := requireStatus(t, <-failed, row.status)
			require.Equal(t, body, string(e.Body), "the error has what was answered")
			require.Contains(t, body, e.Reason)
			require.Contains(t, body, row.says)
			require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
			require.Equal(t, "text/plain; charset=utf-8", resp.Header.Get("Content-Type"))
			if row.status == 426 {
				require.Equal(t, "websocket", resp.Header.Get("Upgrade"))
				require.Contains(t, head, "\r\nConnection: close\r\nConnection: Upgrade\r\n")
			}
			if row.status == 405 {
				require.Equal(t, "GET", resp.Header.Get("Allow"))
			}
			if strings.Contains(row.name, "version") && row.status == 426 {
				require.Equal(t, "13", resp.Header.Get("Sec-WebSocket-Version"))
			}
		})
	}
	require.Empty(t, failed, "one request, one call")
}

// TestSMG04Syntax: requests that parsers read in different ways are not upgraded,
// whether net/http refuses them or Accept does.
func TestSMG04Syntax(t *testing.T) {
	leakCheck(t)
	addr, _ := acceptServer(t, nil)
	for name, request := range map[string]string{
		"signed length":          rawRequest("Content-Length: +5"),
		"two lengths":            rawRequest("Content-Length: 5", "content-length: 6"),
		"blank before the colon": rawRequest("Transfer-Encoding : chunked"),
		"unknown coding":         rawRequest("Transfer-Encoding: xchunked"),
		"NUL in a value":         rawRequest("X-A: a\x00b"),
		"folded line":            rawRequest("X-A: a\r\n\tUpgrade: h2c", "Upgrade: h2c"),
		"no colon":               rawRequest("X-A: a\r\nnonsense"),
		"blank in a name":        rawRequest("X A: a"),
		"bare CR":                rawRequest("X-A: a\rUpgrade: websocket", "Upgrade"),
		"two Hosts":              rawRequest("host: evil.example"),
		"no Host":                rawRequest("Host"),
		"lower case method":      rawRequest("get /chat HTTP/1.1"),
		"no target":              rawRequest("GET HTTP/1.1"),
		"tab for a blank":        strings.Replace(rawRequest(), "GET /chat", "GET\t/chat", 1),
		"HTTP/1.1 is HTTP/11":    strings.Replace(rawRequest(), "HTTP/1.1", "HTTP/11", 1),
		"HTTP/2 in text":         strings.Replace(rawRequest(), "HTTP/1.1", "HTTP/2.0", 1),
		"body by both":           rawRequest("Content-Length: 5", "Transfer-Encoding: chunked"),
		"negative length":        rawRequest("Content-Length: -1"),
		"hexadecimal length":     rawRequest("Content-Length: 0x5"),
		"length is a list":       rawRequest("Content-Length: 5, 6"),
		"two lengths in one":     rawRequest("Content-Length: 5 5"),
		"chunked twice":          rawRequest("Transfer-Encoding: chunked", "transfer-encoding: chunked"),
		"chunked and more":       rawRequest("Transfer-Encoding: chunked, identity"),
		"blank behind a name":    rawRequest("Sec-WebSocket-Key", "Sec-WebSocket-Key : "+sampleKey),
		"tab behind a name":      rawRequest("Upgrade", "Upgrade\t: websocket"),
		"blank before a name":    strings.Replace(rawRequest(), "Host:", " Host:", 1),
		"name that is not ASCII": rawRequest("X-\u00e9: a"),
		"NUL in a name":          rawRequest("X-\x00: a"),
		"empty name":             rawRequest(": a"),
		"two blanks":             strings.Replace(rawRequest(), "GET /chat", "GET  /chat", 1),
		"blank in the target":    strings.Replace(rawRequest(), "/chat", "/ch at", 1),
		"NUL in the target":      strings.Replace(rawRequest(), "/chat", "/ch\x00at", 1),
		"lower case version":     strings.Replace(rawRequest(), "HTTP/1.1", "http/1.1", 1),
		"no version":             strings.Replace(rawRequest(), " HTTP/1.1", "", 1),
		"HTTP/1.10":              strings.Replace(rawRequest(), "HTTP/1.1", "HTTP/1.10", 1),
		"HTTP/3":                 strings.Replace(rawRequest(), "HTTP/1.1", "HTTP/3.0", 1),
		"tunnel":                 strings.Replace(rawRequest(), "GET /chat", "CONNECT server.example.com:80", 1),
		"another method":         strings.Replace(rawRequest(), "GET /chat", "OPTIONS /chat", 1),
		"Host with a user":       rawRequest("Host: user@server.example.com"),
		"Host with a path":       rawRequest("Host: server.example.com/x"),
		"Host is a list":         rawRequest("Host: server.example.com, evil.example"),
		"parameter for a token":  rawRequest("Upgrade: websocket;q=1"),
		"quoted token":           rawRequest(`Connection: "Upgrade"`),
	} {
		t.Run(name, func(t *testing.T) {
			conn, r := rawDial(t, addr, request+"hello")
			resp, _ := readResponse(t, r)
			require.GreaterOrEqual(t, resp.StatusCode, 400)
			require.True(t, resp.Close)
			rest, err := io.ReadAll(r)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Empty(t, rest)
			conn.Close()
		})
	}
	// An absolute target is a good one: "or an absolute HTTP/HTTPS URI".
	_, r := rawDial(t, addr, rawRequest("GET http://server.example.com/chat HTTP/1.1"))
	resp, _ := readResponse(t, r)
	require.Equal(t, 101, resp.StatusCode)
}

func TestHS01HeaderInPieces(t *testing.T) {
	leakCheck(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("served") }))
	s.Config.MaxHeaderBytes = 64 << 10
	s.Start()
	t.Cleanup(s.Close)
	conn, r := rawDial(t, s.Listener.Addr().String(), "")
	header := strings.TrimSuffix(rawRequest("X-Long: "+strings.Repeat("a", 1<<20)), "\r\n\r\n")
	for piece := range slices.Chunk([]byte(header), 16) {
		if _, err := conn.Write(piece); err != nil {
			break // it has been refused
		}
	}
	resp, err := http.ReadResponse(r, nil)
	if err == nil { // and not reset meanwhile
		require.Equal(t, 431, resp.StatusCode)
	}
}

func TestHS06ManyFields(t *testing.T) {
	leakCheck(t)
	addr, _ := acceptServer(t, nil)
	var many strings.Builder
	many.WriteString(strings.TrimSuffix(rawRequest(), "\r\n"))
	for i := range 10000 {
		fmt.Fprintf(&many, "X-%d: %s\r\n", i, strings.Repeat("a", 200))
	}
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, _ = io.WriteString(conn, many.String()+"\r\n") // may fail when it is refused before its end
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		require.Equal(t, 431, resp.StatusCode)
	} else {
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	}
}

func TestHS14KeyFirstAndLast(t *testing.T) {
	leakCheck(t)
	addr, _ := acceptServer(t, nil)
	filler := make([]string, 8)
	for i := range filler {
		filler[i] = fmt.Sprintf("X-Filler-%d: %s", i, strings.Repeat("f", 1000))
	}
	key := "Sec-WebSocket-Key: " + sampleKey
	for _, request := range []string{
		strings.Replace(rawRequest(filler...), "Host:", key+"\r\nHost:", 1),
		rawRequest(append(filler, key)...),
	} {
		if strings.Count(request, key) == 2 { // keep the first
			i := strings.LastIndex(request, key)
			request = request[:i] + request[i+len(key)+2:]
		}
		_, r := rawDial(t, addr, request)
		resp, _ := readResponse(t, r)
		require.Equal(t, 101, resp.StatusCode)
		require.Equal(t, sampleAccept, resp.Header.Get("Sec-WebSocket-Accept"))
	}
}

// TestHS15FrameBehindTheRequest: bytes in the same segment as the request are the
// connection's, however many there are.
func TestHS15FrameBehindTheRequest(t *testing.T) {
	leakCheck(t)
	addr, _ := acceptServer(t, nil)
	for _, n := range []int{1, 2, 100, 2000} {
		_, r := rawDial(t, addr, rawRequest()+strings.Repeat(helloFrame, n))
		resp, _ := readResponse(t, r)
		require.Equal(t, 101, resp.StatusCode)
		requireBytes(t, r, strings.Repeat(helloEchoed, n))
	}
	// Half of a frame, and the rest later.
	conn, r := rawDial(t, addr, rawRequest()+helloFrame[:5])
	resp, _ := readResponse(t, r)
	require.Equal(t, 101, resp.StatusCode)
	_, err := io.WriteString(conn, helloFrame[5:])
	require.NoError(t, err)
	requireBytes(t, r, helloEchoed)
}

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
		require.NoError(t, c.Write(t.Context(), Text, []byte("hi")))
		_, p, err := c.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, "hi", string(p))
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
