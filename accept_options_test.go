package websocket

// What a server can be told: hooks, lists, headers and switches of AcceptOptions,
// on recorded connections where nothing depends on a socket.

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type statusError int

func (e statusError) Error() string   { return "secret detail" }
func (e statusError) HTTPStatus() int { return int(e) }

type ctxKey struct{}

func TestHS22Authenticate(t *testing.T) {
	leakCheck(t)
	for name, row := range map[string]struct {
		err    error
		status int
		body   string
		header http.Header
	}{
		"default":         {errors.New("secret detail"), 401, "the request is not authenticated\n", http.Header{"Www-Authenticate": {"Bearer"}}},
		"HTTPStatus":      {statusError(403), 403, "the request is not authenticated\n", nil},
		"wrapped":         {fmt.Errorf("x: %w", statusError(429)), 429, "the request is not authenticated\n", nil},
		"own answer":      {&HandshakeError{Status: 403, Body: []byte("members only"), Header: http.Header{"X-Why": {"no"}}}, 403, "members only", http.Header{"X-Why": {"no"}}},
		"own challenge":   {&HandshakeError{Header: http.Header{"Www-Authenticate": {"Basic realm=x"}}}, 401, "the request is not authenticated\n", http.Header{"Www-Authenticate": {"Basic realm=x"}}},
		"redirect":        {&HandshakeError{Status: 302, Header: http.Header{"Location": {"/login"}}}, 302, "the request is not authenticated\n", http.Header{"Location": {"/login"}}},
		"unusable status": {statusError(200), 500, "the request is not authenticated\n", nil},
		"a 101, of all":   {statusError(101), 500, "the request is not authenticated\n", nil},
		"header with CR":  {&HandshakeError{Status: 403, Header: http.Header{"X-Why": {"no\r\nX-Injected: 1"}}}, 403, "the request is not authenticated\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			addr, failed := acceptServer(t, &AcceptOptions{Authenticate: func(*http.Request) (context.Context, error) { return nil, row.err }})
			resp, _, body := requireRefused(t, addr, rawRequest(), row.status)
			require.Equal(t, row.body, body)
			require.NotContains(t, body, "secret")
			for k, v := range row.header {
				require.Equal(t, v, resp.Header.Values(k))
			}
			require.Empty(t, resp.Header.Get("X-Injected"))
			err := <-failed
			requireStatus(t, err, row.status)
			require.ErrorIs(t, err, row.err)
		})
	}
}

// TestHS22AuthenticateSeesGoodRequestsOnly: and what it returns reaches the
// connection, but for the end of the request.
func TestHS22AuthenticateContext(t *testing.T) {
	leakCheck(t)
	asked := 0
	opts := &AcceptOptions{Authenticate: func(r *http.Request) (context.Context, error) {
		asked++
		return context.WithValue(r.Context(), ctxKey{}, "alice"), nil
	}}
	for _, edit := range []string{"Upgrade", "Sec-WebSocket-Key: AAAA", "Origin: https://evil.example", "Sec-WebSocket-Protocol: a a", "Sec-WebSocket-Extensions: ;"} {
		_, _, _, err := acceptFake(t, opts, edit)
		require.Error(t, err)
	}
	require.Zero(t, asked, "a hook that looks into a database is not for everybody")
	c, _, _, err := acceptFake(t, opts)
	require.NoError(t, err)
	require.Equal(t, 1, asked)
	require.Equal(t, "alice", c.Context().Value(ctxKey{}))

	ended, cancel := context.WithCancel(context.Background())
	cancel()
	r := parsedRequest(t).WithContext(context.WithValue(ended, ctxKey{}, "bob"))
	c, err = Accept(&fakeServer{httptest.NewRecorder(), &fakeConn{}, nil}, r, &AcceptOptions{
		Authenticate: func(*http.Request) (context.Context, error) { return nil, nil },
	})
	require.NoError(t, err)
	require.Equal(t, "bob", c.Context().Value(ctxKey{}))
	require.NoError(t, c.Context().Err())
	c.CloseNow()
}

// TestHS24Injection: twelve places by which an application could pass on a line
// break, six of those, and not a byte of a 101.
func TestHS24Injection(t *testing.T) {
	leakCheck(t)
	for _, evil := range []string{"\r", "\n", "\x00", "\r\n", "a\r\nX-Injected: 1", "\r\n\r\n<html>"} {
		for name, opts := range map[string]*AcceptOptions{
			"value":             {Header: http.Header{"X-A": {evil}}},
			"second value":      {Header: http.Header{"X-A": {"good", "b" + evil}}},
			"name":              {Header: http.Header{"X-A" + evil: {"a"}}},
			"cookie":            {Header: http.Header{"Set-Cookie": {"a=" + evil}}},
			"chosen":            {SelectSubprotocol: func([]string) (string, error) { return "chat" + evil, nil }},
			"chosen of none":    {SelectSubprotocol: func([]string) (string, error) { return evil, nil }},
			"own Upgrade":       {Header: http.Header{"Upgrade": {"h2c"}}},
			"own Connection":    {Header: http.Header{"connection": {"close"}}},
			"own length":        {Header: http.Header{"Content-Length": {"5"}}},
			"own coding":        {Header: http.Header{"Transfer-Encoding": {"chunked"}}},
			"own accept":        {Header: http.Header{"Sec-Websocket-Accept": {"x"}}},
			"own subprotocol":   {Header: http.Header{"Sec-WebSocket-Protocol": {"x"}}},
			"name with a blank": {Header: http.Header{"X A": {"a"}}},
			"empty name":        {Header: http.Header{"": {"a"}}},
		} {
			_, w, conn, err := acceptFake(t, opts, "Sec-WebSocket-Protocol: chat")
			requireStatus(t, err, 500)
			require.Zero(t, conn.writes, name)
			require.Equal(t, 500, w.Code)
			require.NotContains(t, w.Body.String(), "X-Injected")
		}
		for _, name := range []string{"X-Middleware", "X-Middleware" + evil} {
			conn := &fakeConn{}
			w := &fakeServer{httptest.NewRecorder(), conn, nil}
			w.Header()[name] = []string{"a" + evil}
			_, err := Accept(w, parsedRequest(t), nil)
			requireStatus(t, err, 500)
			require.Zero(t, conn.writes)
		}
	}
}

// TestAcceptMiddlewareHeader: what middleware has set goes out with the 101, but
// for what would speak of a body or of the connection.
func TestAcceptMiddlewareHeader(t *testing.T) {
	leakCheck(t)
	conn := &fakeConn{}
	w := &fakeServer{httptest.NewRecorder(), conn, nil}
	for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Length", "Connection", "Upgrade", "Date", "Trailer", "TE", "Keep-Alive", "Transfer-Encoding",
		"Sec-Websocket-Accept", http.TrailerPrefix + "X"} {
		w.Header()[name] = []string{"unwanted"}
	}
	http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
	w.Header().Set("X-Request-Id", "abc")
	c, err := Accept(w, parsedRequest(t), nil)
	require.NoError(t, err)
	defer c.CloseNow()
	require.NotContains(t, conn.written.String(), "unwanted")
	require.Contains(t, conn.written.String(), "\r\nSet-Cookie: session=1\r\n")
	require.Contains(t, conn.written.String(), "\r\nX-Request-Id: abc\r\n")
}

func TestORG05Switches(t *testing.T) {
	leakCheck(t)
	foreign := "Origin: https://evil.example"
	denied := errors.New("denied")
	for name, row := range map[string]struct {
		opts   *AcceptOptions
		edit   string
		status int // 0 is accepted
	}{
		"default":             {nil, foreign, 403},
		"default, same":       {nil, "Origin: http://server.example.com", 0},
		"default, none":       {nil, "Origin", 0},
		"off":                 {&AcceptOptions{InsecureSkipOriginCheck: true}, foreign, 0},
		"listed":              {&AcceptOptions{Origins: []string{"https://*.example", "https://evil.example"}}, foreign, 0},
		"not listed":          {&AcceptOptions{Origins: []string{"https://good.example"}}, foreign, 403},
		"bad list":            {&AcceptOptions{Origins: []string{"*"}}, "Origin", 500},
		"hook says yes":       {&AcceptOptions{CheckOrigin: func(*http.Request) error { return nil }}, foreign, 0},
		"hook says no":        {&AcceptOptions{CheckOrigin: func(*http.Request) error { return denied }}, "Origin: http://server.example.com", 403},
		"hook chooses status": {&AcceptOptions{CheckOrigin: func(*http.Request) error { return statusError(451) }}, foreign, 451},
		"hook before off":     {&AcceptOptions{InsecureSkipOriginCheck: true, CheckOrigin: func(*http.Request) error { return denied }}, foreign, 403},
	} {
		t.Run(name, func(t *testing.T) {
			_, w, conn, err := acceptFake(t, row.opts, row.edit)
			if row.status == 0 {
				require.NoError(t, err)
				require.Equal(t, 1, conn.writes)
				return
			}
			requireStatus(t, err, row.status)
			require.Equal(t, row.status, w.Code)
			require.Equal(t, "close", w.Header().Get("Connection"))
			require.Zero(t, conn.writes)
		})
	}
}

// TestORG02Scheme: TLS is part of what a server's own origin is.
func TestORG02Scheme(t *testing.T) {
	leakCheck(t)
	for _, row := range []struct {
		origin string
		tls    bool
		ok     bool
	}{{"https", true, true}, {"http", false, true}, {"http", true, false}, {"https", false, false}} {
		r := parsedRequest(t, "Origin: "+row.origin+"://server.example.com")
		if row.tls {
			r.TLS = &tls.ConnectionState{}
		}
		c, err := Accept(&fakeServer{httptest.NewRecorder(), &fakeConn{}, nil}, r, nil)
		require.Equal(t, row.ok, err == nil)
		if err == nil {
			c.CloseNow()
		}
	}
}

func TestAcceptSubprotocols(t *testing.T) {
	leakCheck(t)
	last := func(offered []string) (string, error) {
		if len(offered) == 0 {
			return "", errors.New("one is needed")
		}
		return offered[len(offered)-1], nil
	}
	for name, row := range map[string]struct {
		opts   *AcceptOptions
		edits  []string
		want   string
		status int
	}{
		"none":              {nil, nil, "", 0},
		"offered, unwanted": {nil, []string{"Sec-WebSocket-Protocol: a"}, "", 0},
		"server's order":    {&AcceptOptions{Subprotocols: []string{"b", "a"}}, []string{"Sec-WebSocket-Protocol: a, b"}, "b", 0},
		"over lines":        {&AcceptOptions{Subprotocols: []string{"b"}}, []string{"Sec-WebSocket-Protocol: a", "sec-websocket-protocol: b"}, "b", 0},
		"nothing in common": {&AcceptOptions{Subprotocols: []string{"x"}}, []string{"Sec-WebSocket-Protocol: a, b"}, "", 0},
		"case matters":      {&AcceptOptions{Subprotocols: []string{"A"}}, []string{"Sec-WebSocket-Protocol: a"}, "", 0},
		"hook":              {&AcceptOptions{SelectSubprotocol: last, Subprotocols: []string{"a"}}, []string{"Sec-WebSocket-Protocol: a, b"}, "b", 0},
		"hook wants one":    {&AcceptOptions{SelectSubprotocol: last}, nil, "", 400},
		"hook, none":        {&AcceptOptions{SelectSubprotocol: func([]string) (string, error) { return "", nil }}, []string{"Sec-WebSocket-Protocol: a"}, "", 0},
		"hook, own status":  {&AcceptOptions{SelectSubprotocol: func([]string) (string, error) { return "", statusError(406) }}, nil, "", 406},
		"hook, not offered": {&AcceptOptions{SelectSubprotocol: func([]string) (string, error) { return "c", nil }}, []string{"Sec-WebSocket-Protocol: a"}, "", 500},
		"hook, nothing asked": {&AcceptOptions{SelectSubprotocol: func(o []string) (string, error) {
			require.Nil(t, o)
			return "", nil
		}}, nil, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			c, _, conn, err := acceptFake(t, row.opts, row.edits...)
			if row.status != 0 {
				requireStatus(t, err, row.status)
				require.Zero(t, conn.writes)
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.want, c.Subprotocol())
			if row.want == "" { // "The empty string is not the same as the null value"
				require.NotContains(t, conn.written.String(), "Sec-WebSocket-Protocol")
			} else {
				require.Contains(t, conn.written.String(), "\r\nSec-WebSocket-Protocol: "+row.want+"\r\n")
			}
		})
	}
}

// TestHS04UnknownExtensions: unknown names are declined by saying nothing of them.
func TestHS04UnknownExtensions(t *testing.T) {
	leakCheck(t)
	for _, v := range []string{"constructor", "__proto__; x=1", "foo, bar; baz=2", "permessage-deflate"} {
		c, _, conn, err := acceptFake(t, nil, "Sec-WebSocket-Extensions: "+v)
		require.NoError(t, err)
		require.Empty(t, c.Handshake().Extensions)
		require.NotContains(t, conn.written.String(), "Sec-WebSocket-Extensions")
	}
}

func TestAcceptExtensions(t *testing.T) {
	leakCheck(t)
	opts := &AcceptOptions{Options: Options{Compression: &Compression{}}}
	c, _, conn, err := acceptFake(t, opts, "Sec-WebSocket-Extensions: foo, permessage-deflate; client_max_window_bits")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(c.Handshake().Extensions, "permessage-deflate"), c.Handshake().Extensions)
	require.Contains(t, conn.written.String(), "\r\nSec-WebSocket-Extensions: "+c.Handshake().Extensions+"\r\n")
}

func TestAcceptHTTP2(t *testing.T) {
	r := parsedRequest(t)
	r.ProtoMajor, r.ProtoMinor, r.Proto = 2, 0, "HTTP/2.0"
	w := httptest.NewRecorder()
	_, err := Accept(w, r, nil)
	requireStatus(t, err, 505)
	require.Contains(t, w.Body.String(), "ALPN")
}

func TestHandshakeErrorText(t *testing.T) {
	for _, row := range []struct {
		err  HandshakeError
		want string
	}{
		{HandshakeError{}, "websocket: opening handshake failed"},
		{HandshakeError{Status: 403, Reason: "no"}, "websocket: opening handshake failed: 403 Forbidden: no"},
		{HandshakeError{Status: 403, Reason: "no", Body: []byte("sent by us")}, "websocket: opening handshake failed: 403 Forbidden: no"},
		{HandshakeError{Reason: "connecting", Err: errExtensionSyntax}, "websocket: opening handshake failed: connecting: Sec-WebSocket-Extensions does not follow the grammar of RFC 6455, section 9.1"},
		{HandshakeError{Status: 599, Body: []byte("a\r\n" + strings.Repeat("b", 500)), received: true}, `websocket: opening handshake failed: 599 : "a\r\n` + strings.Repeat("b", 157) + `"`},
	} {
		require.Equal(t, row.want, row.err.Error())
	}
}

// FuzzAccept: HS-23, whole requests. What is accepted was asked for in the one way
// there is; what is not is answered.
func FuzzAccept(f *testing.F) {
	f.Add(rawRequest())
	f.Add(rawRequest("Sec-WebSocket-Protocol: a, b", "Origin: http://server.example.com", "Sec-WebSocket-Extensions: x; y=\"z\""))
	f.Add(rawRequest("Upgrade", "Connection", "Cookie: \x01=\xff"))
	f.Add(rawRequest("Content-Length: 5") + "hello")
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			return
		}
		conn := &fakeConn{}
		w := &fakeServer{httptest.NewRecorder(), conn, nil}
		c, err := Accept(w, r, &AcceptOptions{Subprotocols: []string{"a"}, Options: Options{Compression: &Compression{}}})
		if err != nil {
			var e *HandshakeError
			require.ErrorAs(t, err, &e)
			require.Equal(t, e.Status, w.Code)
			require.GreaterOrEqual(t, w.Code, 400)
			require.Zero(t, conn.writes)
			return
		}
		defer c.CloseNow()
		require.Equal(t, "GET", r.Method)
		require.True(t, r.ProtoAtLeast(1, 1))
		require.Len(t, r.Header["Sec-Websocket-Key"], 1)
		require.Equal(t, []string{"13"}, r.Header["Sec-Websocket-Version"])
		resp, err := http.ReadResponse(bufio.NewReader(&conn.written), nil)
		require.NoError(t, err)
		require.Equal(t, 101, resp.StatusCode)
	})
}

func BenchmarkAccept(b *testing.B) {
	r := parsedRequest(b)
	conn := &fakeConn{}
	w := &fakeServer{httptest.NewRecorder(), conn, bufio.NewReadWriter(bufio.NewReader(strings.NewReader("")), bufio.NewWriter(io.Discard))}
	opts := &AcceptOptions{Options: Options{KeepaliveInterval: -1}}
	b.ReportAllocs()
	for b.Loop() {
		conn.written.Reset()
		conn.deadlines = conn.deadlines[:0]
		c, err := Accept(w, r, opts)
		if err != nil {
			b.Fatal(err)
		}
		c.CloseNow()
	}
}
