package websocket

// The client's side of the handshake against servers that are written here byte by
// byte. CLI names are those of known holes in other implementations. request_test.go
// has what is sent, proxy_test.go the ways to get there.

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// acceptOf is the answer to a key, not by the code under test.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// keyOf is the key of a request that was parsed, or that a RoundTripper was given.
func keyOf(r *http.Request) string { return r.Header.Get("Sec-WebSocket-Key") }

// switching is the 101 that a server owes to r, with lines added.
func switching(r *http.Request, lines ...string) string {
	lines = append([]string{
		"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Accept: " + acceptOf(keyOf(r)),
	}, lines...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// scripted listens, reads one request of each connection and leaves the rest to
// the script; raw is the request as it came. The connection ends with the script.
func scripted(t testing.TB, script func(conn net.Conn, r *http.Request, raw string)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serveScript(t, l, script)
	return l.Addr().String()
}

func serveScript(t testing.TB, l net.Listener, script func(conn net.Conn, r *http.Request, raw string)) {
	var running sync.WaitGroup
	var open sync.Map
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(conn, nil)
			running.Go(func() {
				defer conn.Close()
				var raw bytes.Buffer
				r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &raw)))
				if err == nil {
					script(conn, r, raw.String())
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		open.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
		running.Wait()
	})
}

// answering is a scripted server that gives everybody the same answer; requests
// go to the channel.
func answering(t testing.TB, answer func(r *http.Request) string) (addr string, requests chan string) {
	requests = make(chan string, 100)
	addr = scripted(t, func(conn net.Conn, r *http.Request, raw string) {
		requests <- raw
		_, _ = io.WriteString(conn, answer(r))
		_, _ = io.Copy(io.Discard, conn)
	})
	return addr, requests
}

func good101(r *http.Request) string { return switching(r) }

func dialError(t testing.TB, url string, opts *DialOptions, status int) *HandshakeError {
	t.Helper()
	c, err := Dial(t.Context(), url, opts)
	if err == nil {
		c.CloseNow()
	}
	require.Nil(t, c)
	return requireStatus(t, err, status)
}

func TestDial(t *testing.T) {
	leakCheck(t)
	addr, _ := acceptServer(t, &AcceptOptions{Subprotocols: []string{"chat"}})
	for _, scheme := range []string{"ws", "http"} {
		c, err := Dial(t.Context(), scheme+"://"+addr+"/chat?room=1", &DialOptions{Subprotocols: []string{"superchat", "chat"}})
		require.NoError(t, err)
		require.Equal(t, "chat", c.Subprotocol())
		hs := c.Handshake()
		require.Equal(t, RoleClient, hs.Role)
		require.Equal(t, "websocket", hs.Header.Get("Upgrade"))
		requireEcho(t, c)
		require.NoError(t, c.Close(StatusNormalClosure, ""))
	}
}

func TestDialExtensions(t *testing.T) {
	leakCheck(t)
	options := Options{Compression: &Compression{}}
	addr, _ := acceptServer(t, &AcceptOptions{Options: options})
	c, err := Dial(t.Context(), "ws://"+addr, &DialOptions{Options: options})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(c.Handshake().Extensions, "permessage-deflate"))
	text := strings.Repeat("hello ", 1000)
	require.NoError(t, c.Write(t.Context(), Text, []byte(text)))
	_, p, err := c.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, text, string(p))
	require.NoError(t, c.Close(StatusNormalClosure, ""))
}

// TestHS15FrameBehindTheAnswer: bytes in the same segment as the 101 are read.
func TestHS15FrameBehindTheAnswer(t *testing.T) {
	leakCheck(t)
	for _, n := range []int{1, 2, 1000, 10000} { // less and more than a buffer
		addr, _ := answering(t, func(r *http.Request) string { return switching(r) + strings.Repeat(helloEchoed, n) })
		c, err := Dial(t.Context(), "ws://"+addr, nil)
		require.NoError(t, err)
		for range n {
			_, p, err := c.Next(t.Context())
			require.NoError(t, err)
			require.Equal(t, "hi", string(p))
		}
		c.CloseNow()
	}
}

func TestDialInterimResponses(t *testing.T) {
	leakCheck(t)
	addr, _ := answering(t, func(r *http.Request) string {
		return "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + switching(r)
	})
	c, err := Dial(t.Context(), "ws://"+addr, nil)
	require.NoError(t, err)
	c.CloseNow()
	endless, _ := answering(t, func(r *http.Request) string { return strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 10000) })
	require.ErrorContains(t, dialError(t, "ws://"+endless, nil, 0), "16 KiB")
}

func TestCLI05EndlessStatusLine(t *testing.T) { endless(t, "HTTP/1.1 101 ", "aaaaaaaaaaaaaaaa") }
func TestCLI06EndlessHeader(t *testing.T)     { endless(t, "HTTP/1.1 101 S\r\n", "X-Header: value\r\n") }
func TestCLI06EndlessLine(t *testing.T) {
	endless(t, "HTTP/1.1 101 S\r\nX-Header: ", "aaaaaaaaaaaaaaaa")
}

// endless has a server repeat itself for ever and counts what is taken of it.
func endless(t *testing.T, begin, more string) {
	leakCheck(t)
	addr := scripted(t, func(conn net.Conn, _ *http.Request, _ string) {
		_, err := io.WriteString(conn, begin)
		for chunk := strings.Repeat(more, 1000); err == nil; {
			_, err = io.WriteString(conn, chunk)
		}
	})
	var taken atomic.Int64
	e := dialError(t, "ws://"+addr, &DialOptions{DialContext: counting(&taken)}, 0)
	require.ErrorContains(t, e, "16 KiB")
	require.LessOrEqual(t, taken.Load(), int64(maxResponseHeader))
	require.Less(t, len(e.Error()), 1000)
}

type countingConn struct {
	net.Conn
	n *atomic.Int64
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func counting(n *atomic.Int64) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return countingConn{conn, n}, err
	}
}

func TestCLI06BoundIsExact(t *testing.T) {
	leakCheck(t)
	for _, row := range []struct {
		size int
		ok   bool
	}{{maxResponseHeader, true}, {maxResponseHeader + 1, false}} {
		addr, _ := answering(t, func(r *http.Request) string {
			head := switching(r)
			return strings.Replace(head, "Upgrade:", "X-Fill: "+strings.Repeat("a", row.size-len(head)-len("X-Fill: \r\n"))+"\r\nUpgrade:", 1)
		})
		c, err := Dial(t.Context(), "ws://"+addr, nil)
		require.Equal(t, row.ok, err == nil, "%d: %v", row.size, err)
		if err == nil {
			c.CloseNow()
		}
	}
}

func TestCLI08NotSwitched(t *testing.T) {
	leakCheck(t)
	long := strings.Repeat("explanation ", 1000)
	for name, row := range map[string]struct {
		answer func(r *http.Request) string
		status int
		body   string
	}{
		"200 with a good Accept": {func(r *http.Request) string {
			return strings.Replace(switching(r, "Content-Length: 2"), "101 Switching Protocols", "200 OK", 1) + "ok"
		}, 200, "ok"},
		"401": {func(*http.Request) string {
			return "HTTP/1.1 401 Unauthorized\r\nWww-Authenticate: Bearer\r\nContent-Length: 8\r\n\r\nwho then"
		}, 401, "who then"},
		"4xx with a good Accept": {func(r *http.Request) string {
			return strings.Replace(switching(r, "Content-Length: 0"), "101 Switching Protocols", "403 Forbidden", 1)
		}, 403, ""},
		"chunked": {func(*http.Request) string {
			return "HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n"
		}, 502, "bad"},
		"long body":     {func(*http.Request) string { return "HTTP/1.1 500 Oh\r\nContent-Length: 12000\r\n\r\n" + long }, 500, long[:4096]},
		"no length":     {func(*http.Request) string { return "HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\n" + long }, 500, long[:4096]},
		"no content":    {func(*http.Request) string { return "HTTP/1.1 204 No Content\r\n\r\n" }, 204, ""},
		"3xx":           {func(*http.Request) string { return "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n" }, 302, ""},
		"old HTTP, 200": {func(*http.Request) string { return "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok" }, 200, "ok"},
		"old HTTP":      {func(*http.Request) string { return "HTTP/1.0 404 Not Found\r\nContent-Length: 2\r\n\r\nno" }, 404, "no"},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := answering(t, row.answer)
			e := dialError(t, "ws://"+addr, nil, row.status)
			require.Equal(t, row.body, string(e.Body))
			require.NotNil(t, e.Header)
			if row.body != "" {
				require.ErrorContains(t, e, row.body[:2])
			}
			require.ErrorContains(t, e, fmt.Sprint(row.status))
		})
	}
}

func TestDialRefusesWrongAnswers(t *testing.T) {
	leakCheck(t)
	replace := func(old, with string) func(*http.Request) string {
		return func(r *http.Request) string { return strings.Replace(switching(r), old, with, 1) }
	}
	add := func(lines ...string) func(*http.Request) string {
		return func(r *http.Request) string { return switching(r, lines...) }
	}
	for name, row := range map[string]struct {
		answer func(r *http.Request) string
		status int
		says   string
	}{
		"CLI-09 subprotocol":         {add("Sec-WebSocket-Protocol: evil"), 101, "subprotocol"},
		"CLI-09 two subprotocols":    {add("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: chat"), 101, "more than one"},
		"CLI-09 unknown extension":   {add("Sec-WebSocket-Extensions: foo"), 101, "extension"},
		"CLI-09 deflate, unasked":    {add("Sec-WebSocket-Extensions: permessage-deflate"), 101, "extension"},
		"CLI-09 malformed extension": {add("Sec-WebSocket-Extensions: ;"), 101, "extension"},
		"CLI-10 no accept":           {replace("Sec-WebSocket-Accept", "X-Accept"), 101, "Sec-WebSocket-Accept"},
		"CLI-10 wrong accept":        {func(r *http.Request) string { return strings.Replace(switching(r), "Accept: ", "Accept: A", 1) }, 101, "Sec-WebSocket-Accept"},
		"CLI-10 two accepts":         {func(r *http.Request) string { return switching(r, "Sec-WebSocket-Accept: "+sampleAccept) }, 101, "Sec-WebSocket-Accept"},
		"no Upgrade":                 {replace("Upgrade: websocket\r\n", ""), 101, "Upgrade"},
		"other Upgrade":              {replace("Upgrade: websocket", "Upgrade: h2c"), 101, "Upgrade"},
		"no Connection":              {replace("Connection: Upgrade\r\n", ""), 101, "Connection"},
		"HTTP/1.0":                   {replace("HTTP/1.1", "HTTP/1.0"), 0, "older"},
		"no HTTP":                    {func(*http.Request) string { return "\x00\x00\x12\x04\x00\x00\r\n" }, 0, "malformed"},
		"long nonsense":              {func(*http.Request) string { return strings.Repeat("x", 5000) + "\r\n" }, 0, "malformed"},
		"nothing":                    {nil, 0, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := scripted(t, func(conn net.Conn, r *http.Request, _ string) {
				if row.answer != nil {
					_, _ = io.WriteString(conn, row.answer(r))
					_, _ = io.Copy(io.Discard, conn)
				}
			})
			e := dialError(t, "ws://"+addr, &DialOptions{Subprotocols: []string{"chat"}}, row.status)
			require.ErrorContains(t, e, row.says)
			require.Less(t, len(e.Error()), 400)
		})
	}
}

// TestCLI11MaskedServer: a masked frame from a server ends the connection.
func TestCLI11MaskedServer(t *testing.T) {
	leakCheck(t)
	addr, _ := answering(t, func(r *http.Request) string { return switching(r) + helloFrame })
	c, err := Dial(t.Context(), "ws://"+addr, nil)
	require.NoError(t, err)
	defer c.CloseNow()
	_, _, err = c.Read(t.Context())
	var e *ProtocolError
	require.ErrorAs(t, err, &e)
	require.Equal(t, StatusProtocolError, e.Code)
}

// TestDialWriteErrors: what is sent first may fail to be sent, in every way there.
func TestDialWriteErrors(t *testing.T) {
	boom := errors.New("boom")
	for _, proxy := range []string{"", "http://proxy", "socks5://proxy"} {
		opts := &DialOptions{Proxy: noProxy, DialContext: func(context.Context, string, string) (net.Conn, error) { return &fakeConn{writeErr: boom}, nil }}
		if proxy != "" {
			opts.Proxy = via(proxy)
		}
		require.ErrorIs(t, dialError(t, "ws://example.com", opts, 0), boom)
	}
}

func TestDialNilContext(t *testing.T) {
	var none context.Context
	_, err := Dial(none, "ws://127.0.0.1:1", nil)
	requireStatus(t, err, 0)
	require.ErrorContains(t, err, "context is nil")
}

func TestDialRefusedConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	l.Close()
	e := dialError(t, "ws://"+addr, nil, 0)
	require.ErrorContains(t, e, "connecting to "+addr)
	var netErr *net.OpError
	require.ErrorAs(t, e, &netErr)
	nothing := func(context.Context, string, string) (net.Conn, error) { return nil, nil }
	require.ErrorContains(t, dialError(t, "ws://"+addr, &DialOptions{DialContext: nothing}, 0), "neither a connection nor an error")
}

func TestDialConcurrently(t *testing.T) {
	leakCheck(t)
	addr, _ := acceptServer(t, nil)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	opts := &DialOptions{Header: http.Header{"X-A": {"1"}}, Subprotocols: []string{"a"}, Jar: jar}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			c, err := Dial(t.Context(), "ws://"+addr, opts)
			if err != nil {
				t.Error(err)
				return
			}
			if err := c.Close(StatusNormalClosure, ""); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// FuzzServerAnswer: whatever a server answers, Dial ends, and a connection was
// agreed on in the one way there is.
func FuzzServerAnswer(f *testing.F) {
	f.Add("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\n\r\n\x81\x00")
	f.Add("HTTP/1.1 302 Found\r\nLocation: ws://user:pw@other/#f\r\nContent-Length: 3\r\n\r\nabc")
	f.Add("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n")
	f.Add("HTTP/1.1 101\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Extensions: permessage-deflate\r\nSet-Cookie: a=b\r\n\r\n")
	f.Fuzz(func(t *testing.T, answer string) {
		hops := 0
		opts := &DialOptions{MaxRedirects: 2, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				hops++
				return &cannedConn{answer: answer}, nil
			}}
		c, err := Dial(context.Background(), "ws://user:secret@example.com", opts)
		require.LessOrEqual(t, hops, 3)
		if err != nil {
			var e *HandshakeError
			require.ErrorAs(t, err, &e)
			require.LessOrEqual(t, len(e.Body), maxErrorBody)
			require.NotContains(t, err.Error(), "secret")
			return
		}
		require.True(t, strings.Contains(answer, " 101"))
		require.True(t, strings.Contains(answer, "KEY"))
		c.CloseNow()
	})
}

// cannedConn answers always the same; KEY in it stands for the answer to the key.
type cannedConn struct {
	fakeConn
	answer string
	r      io.Reader
}

func (c *cannedConn) Read(p []byte) (int, error) {
	if c.r == nil {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(c.written.Bytes())))
		if err != nil {
			return 0, err
		}
		c.r = strings.NewReader(strings.ReplaceAll(c.answer, "KEY", acceptOf(keyOf(r))))
	}
	return c.r.Read(p)
}

func BenchmarkDial(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := Accept(w, r, nil); err == nil {
			c.CloseNow()
		}
	}))
	defer s.Close()
	addr := "ws" + strings.TrimPrefix(s.URL, "http")
	b.ReportAllocs()
	for b.Loop() {
		c, err := Dial(context.Background(), addr, nil)
		if err != nil {
			b.Fatal(err)
		}
		c.CloseNow()
	}
}
