package websocket

// The server's side of the handshake, over net/http and a real socket wherever
// bytes matter: requests are written by hand, answers read by hand. HS, ORG and SMG
// names are those of known holes in other implementations.

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
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

// requireEcho sends a message and wants it back.
func requireEcho(t *testing.T, c *Conn) {
	t.Helper()
	require.NoError(t, c.Write(t.Context(), Text, []byte("hi")))
	op, p, err := c.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, Text, op)
	require.Equal(t, "hi", string(p))
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
