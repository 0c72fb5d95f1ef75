package websocket

// What a client sends, and to whom: URLs, header fields, credentials, cookies and
// redirects.

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseTarget(t *testing.T) {
	for _, row := range []struct{ raw, addr, host, path, tunnel string }{
		{"ws://example.com", "example.com:80", "example.com", "/", "example.com:80"},
		{"ws://example.com/", "example.com:80", "example.com", "/", "example.com:80"},
		{"wss://example.com/chat", "example.com:443", "example.com", "/chat", "example.com:443"},
		{"http://example.com:8080/chat?a=1&b=2", "example.com:8080", "example.com:8080", "/chat?a=1&b=2", "example.com:8080"},
		{"https://example.com:443/", "example.com:443", "example.com", "/", "example.com:443"}, // "when not using the default port"
		{"ws://example.com:80/", "example.com:80", "example.com", "/", "example.com:80"},
		{"wss://example.com:80/", "example.com:80", "example.com:80", "/", "example.com:80"},
		{"WS://example.com", "example.com:80", "example.com", "/", "example.com:80"},
		{"ws://example.com:/", "example.com:80", "example.com", "/", "example.com:80"},
		{"ws://127.0.0.1:1/", "127.0.0.1:1", "127.0.0.1:1", "/", "127.0.0.1:1"},
		{"ws://[::1]/", "[::1]:80", "[::1]", "/", "[::1]:80"},
		{"ws://[::1]:8080/", "[::1]:8080", "[::1]:8080", "/", "[::1]:8080"},
		{"ws://[fe80::1%25eth0]:8080/", "[fe80::1%eth0]:8080", "[fe80::1]:8080", "/", "[fe80::1]:8080"}, // CLI-13
		{"ws://[fe80::1%25eth0]/", "[fe80::1%eth0]:80", "[fe80::1]", "/", "[fe80::1]:80"},
		{"ws://example.com?q", "example.com:80", "example.com", "/?q", "example.com:80"},
		{"ws://example.com/?", "example.com:80", "example.com", "/?", "example.com:80"},
		{"ws://example.com//a//b", "example.com:80", "example.com", "//a//b", "example.com:80"},
		{"ws://example.com/a%2Fb%23c", "example.com:80", "example.com", "/a%2Fb%23c", "example.com:80"},
		{"ws://example.com/a b", "example.com:80", "example.com", "/a%20b", "example.com:80"},
		{"ws://example.com/\u00e9?\u00e9=a b\"<>", "example.com:80", "example.com", "/%C3%A9?%C3%A9=a%20b%22%3C%3E", "example.com:80"},
		{"ws://example.com/?a=%zz&b=%20", "example.com:80", "example.com", "/?a=%zz&b=%20", "example.com:80"},
		{"ws://user:pw@example.com/", "example.com:80", "example.com", "/", "example.com:80"},
	} {
		to, _, err := parseTarget(row.raw)
		require.NoError(t, err, "%q", row.raw)
		require.Equal(t, row.addr, to.addr, "%q", row.raw)
		require.Equal(t, row.host, to.host, "%q", row.raw)
		require.Equal(t, row.path, to.path, "%q", row.raw)
		require.Equal(t, row.tunnel, to.tunnel, "%q", row.raw)
		require.Equal(t, "tcp", to.network)
		require.Equal(t, row.path, to.url.RequestURI(), "%q", row.raw)
		require.Nil(t, to.url.User)
	}
}

func TestParseUnixTarget(t *testing.T) {
	for _, row := range []struct{ raw, addr, path string }{
		{"ws+unix:///run/app.sock:/chat", "/run/app.sock", "/chat"},
		{"ws+unix:///run/app.sock:/chat?a=b", "/run/app.sock", "/chat?a=b"},
		{"wss+unix:///run/app.sock", "/run/app.sock", "/"},
		{"ws+unix:///run/app.sock:", "/run/app.sock", "/"},
		{"ws+unix:///run/a%3Ab%20c.sock:/x:y", "/run/a:b c.sock", "/x:y"},
		{"ws+unix:/run/app.sock:/chat", "/run/app.sock", "/chat"},
	} {
		to, _, err := parseTarget(row.raw)
		require.NoError(t, err, row.raw)
		require.Equal(t, "unix", to.network)
		require.Equal(t, row.addr, to.addr)
		require.Equal(t, row.path, to.path)
		require.Equal(t, "localhost", to.host)
		require.Equal(t, strings.HasPrefix(row.raw, "wss"), to.secure)
	}
	for _, raw := range []string{"ws+unix://host/run/app.sock:/chat", "ws+unix:app.sock:/chat", "ws+unix:///", "ws+unix://", "ws+unix:///run/app.sock:chat", "ws+unix:///a%00b"} {
		_, _, err := parseTarget(raw)
		require.Same(t, errUnixURL, err, raw)
	}
	_, _, err := parseTarget("http+unix:///run/app.sock")
	require.Same(t, errScheme, err)
}

func TestBadURLs(t *testing.T) {
	for raw, want := range map[string]error{
		"":                          errScheme,
		"example.com":               errScheme,
		"ftp://example.com":         errScheme,
		"wsx://example.com":         errScheme,
		"//example.com":             errScheme,
		"ws:example.com":            errURL,
		"ws:/example.com":           errURLHost,
		"ws://":                     errURLHost,
		"ws:///chat":                errURLHost,
		"ws://:80/":                 errURLHost,
		"ws://a b/":                 errURL,
		"ws://example.com:99999/":   errURLHost,
		"ws://example.com:0x50/":    errURL,
		"ws://a:b:c/":               errURL,
		"ws://[::1/":                errURL,
		"ws://a,b/":                 errURLHost,
		"ws://a%25b/":               errURLHost,
		"ws://b\u00fccher.example/": errURLHost,
		"ws://example.com/%zz":      errURL,
		"ws://example.com/\r\nX: y": errURL,
		"ws://example.com/\x00":     errURL,
		"ws://example.com/\x7f":     errURL,
		"ws://example.com/a#frag":   errFragment, // CLI-14
		"ws://example.com/#":        errFragment,
		"ws://example.com/?a#":      errFragment,
	} {
		_, _, err := parseTarget(raw)
		require.Same(t, want, err, "%q", raw)
	}
	// Package url refuses more of these itself with each release.
	for _, raw := range []string{
		"ws://:1%25eths]:8080/", "ws://:1%25eths]/", "ws://a]:80/", "ws://a]/", "ws://a[/", "ws://[a]:80/", "ws://[127.0.0.1]/",
		"ws://[]/", "ws://[]:80/", "ws://[:1]/", "ws://[::g]/", "ws://[::1]]:80/", "ws://[::1%25a]]:80/", "ws://[::1%25[a]/", "ws://[::1%25]/",
		"ws://::1/", "ws://::1:80/", "ws://::1%25eth0/",
	} {
		to, _, err := parseTarget(raw)
		require.Error(t, err, "%q went to %+v", raw, to)
		require.Contains(t, []error{errURL, errURLHost}, err, "%q", raw)
	}
}

// TestDialRequest compares a whole request, byte by byte: the names are spelled as
// in RFC 6455, for servers that compare them so.
func TestDialRequest(t *testing.T) {
	leakCheck(t)
	addr, requests := answering(t, good101)
	seen := map[string]bool{}
	for range 3 {
		c, err := Dial(t.Context(), "ws://"+addr+"/chat?room=1", &DialOptions{
			Header:       http.Header{"origin": {"http://example.com"}, "X-A": {"1", "2"}, "Cookie": {"c=3"}},
			Subprotocols: []string{"chat", "superchat"},
			Jar:          fixedJar{{Name: "a", Value: "1"}, {Name: "b", Value: "x y"}},
		})
		require.NoError(t, err)
		c.CloseNow()
		raw := <-requests
		_, rest, _ := strings.Cut(raw, "Sec-WebSocket-Key: ")
		key, _, _ := strings.Cut(rest, "\r\n")
		require.True(t, validKey(key))
		require.False(t, seen[key], "a nonce is used once")
		seen[key] = true
		require.Equal(t, strings.Join([]string{
			"GET /chat?room=1 HTTP/1.1",
			"Host: " + addr,
			"Upgrade: websocket",
			"Connection: Upgrade",
			"Sec-WebSocket-Key: " + key,
			"Sec-WebSocket-Version: 13",
			"Sec-WebSocket-Protocol: chat, superchat",
			"User-Agent: Go-websocket",
			`Cookie: c=3; a=1; b="x y"`,
			"X-A: 1",
			"X-A: 2",
			"origin: http://example.com",
			"", "",
		}, "\r\n"), raw)
	}
	for _, header := range []http.Header{{"User-Agent": {"mine"}}, {"user-agent": nil}} {
		c, err := Dial(t.Context(), "ws://"+addr, &DialOptions{Header: header, Host: "virtual.example:8080"})
		require.NoError(t, err)
		c.CloseNow()
		raw := <-requests
		require.Contains(t, raw, "\r\nHost: virtual.example:8080\r\n")
		require.NotContains(t, raw, "Go-websocket")
	}
}

// fixedJar gives the same cookies to everybody.
type fixedJar []*http.Cookie

func (j fixedJar) Cookies(*url.URL) []*http.Cookie     { return j }
func (j fixedJar) SetCookies(*url.URL, []*http.Cookie) {}

// TestCLI01Injection: whatever a caller passes on, from wherever, cannot end a line
// of the request: an error, and nobody is even connected to.
func TestCLI01Injection(t *testing.T) {
	for _, evil := range []string{"\r", "\n", "\x00", "\r\n", "p\r\nX-Inj: 1", "\r\n\r\nGET / HTTP/1.1"} {
		for name, row := range map[string]struct {
			url  string
			opts DialOptions
		}{
			"URL, path":         {url: "ws://h/" + evil},
			"URL, query":        {url: "ws://h/?" + evil},
			"URL, host":         {url: "ws://h" + evil + "/"},
			"URL, user":         {url: "ws://u" + evil + "@h/"},
			"URL, socket":       {url: "ws+unix:///s" + evil + ":/"},
			"Host":              {opts: DialOptions{Host: "h" + evil}},
			"Origin":            {opts: DialOptions{Header: http.Header{"Origin": {"http://h" + evil}}}},
			"Cookie":            {opts: DialOptions{Header: http.Header{"Cookie": {"a=" + evil}}}},
			"Authorization":     {opts: DialOptions{Header: http.Header{"Authorization": {"Bearer " + evil}}}},
			"header value":      {opts: DialOptions{Header: http.Header{"X-A": {"good", "a" + evil}}}},
			"header name":       {opts: DialOptions{Header: http.Header{"X-A" + evil: {"a"}}}},
			"subprotocol":       {opts: DialOptions{Subprotocols: []string{"good", "p" + evil}}},
			"cookie jar, value": {opts: DialOptions{Jar: fixedJar{{Name: "a", Value: "v" + evil}}}},
			"cookie jar, name":  {opts: DialOptions{Jar: fixedJar{{Name: "a" + evil, Value: "v"}}}},
		} {
			row.opts.DialContext = func(context.Context, string, string) (net.Conn, error) {
				t.Errorf("%s: connected with %q", name, evil)
				return nil, io.EOF
			}
			if row.url == "" {
				row.url = "ws://h"
			}
			e := dialError(t, row.url, &row.opts, 0)
			require.NotContains(t, e.Error(), "\n", name)
		}
	}
}

// What a jar knows about a cookie beside its name and value is not sent.
func TestDialCookieAttributes(t *testing.T) {
	addr, requests := answering(t, good101)
	jar := fixedJar{{Name: "a", Value: "1", Path: "/chat", HttpOnly: true}}
	c, err := Dial(t.Context(), "ws://"+addr, &DialOptions{Jar: jar})
	require.NoError(t, err)
	c.CloseNow()
	require.Contains(t, <-requests, "\r\nCookie: a=1\r\n")
}

// A Date is part of what some clients sign.
func TestDialDate(t *testing.T) {
	addr, requests := answering(t, good101)
	c, err := Dial(t.Context(), "ws://"+addr, &DialOptions{Header: http.Header{"Date": {"Tue, 24 Nov 2026 00:00:00 GMT"}}})
	require.NoError(t, err)
	c.CloseNow()
	require.Contains(t, <-requests, "\r\nDate: Tue, 24 Nov 2026 00:00:00 GMT\r\n")
}

func TestDialOptionsCheck(t *testing.T) {
	for name, row := range map[string]struct {
		opts DialOptions
		says string
	}{
		"Host with a path":      {DialOptions{Host: "h/x"}, "DialOptions.Host"},
		"Host in the header":    {DialOptions{Header: http.Header{"Host": {"h"}}}, "goes to DialOptions.Host"},
		"subprotocol in header": {DialOptions{Header: http.Header{"Sec-Websocket-Protocol": {"a"}}}, "goes to Subprotocols"},
		"key":                   {DialOptions{Header: http.Header{"Sec-WebSocket-Key": {"a"}}}, "Dial's to set"},
		"version":               {DialOptions{Header: http.Header{"sec-websocket-version": {"8"}}}, "Dial's to set"},
		"extensions":            {DialOptions{Header: http.Header{"Sec-Websocket-Extensions": {"a"}}}, "Dial's to set"},
		"Upgrade":               {DialOptions{Header: http.Header{"Upgrade": {"a"}}}, "Dial's to set"},
		"Connection":            {DialOptions{Header: http.Header{"connection": {"close"}}}, "Dial's to set"},
		"Content-Length":        {DialOptions{Header: http.Header{"Content-Length": {"1"}}}, "Dial's to set"},
		"Transfer-Encoding":     {DialOptions{Header: http.Header{"Transfer-Encoding": {"chunked"}}}, "Dial's to set"},
		"empty subprotocol":     {DialOptions{Subprotocols: []string{""}}, "not a token"},
		"list for a token":      {DialOptions{Subprotocols: []string{"a, b"}}, "not a token"},
		"subprotocol twice":     {DialOptions{Subprotocols: []string{"a", "b", "a"}}, "twice"}, // "MUST all be unique strings"
		"second cookie":         {DialOptions{Jar: fixedJar{{Name: "a", Value: "1; b=2"}}}, "the cookie jar has"},
		"cookie with a quote":   {DialOptions{Jar: fixedJar{{Name: "a", Value: `"`}}}, "the cookie jar has"},
		"cookie, not ASCII":     {DialOptions{Jar: fixedJar{{Name: "a", Value: "\u00e9"}}}, "the cookie jar has"},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, dialError(t, "ws://127.0.0.1:1", &row.opts, 0), row.says)
		})
	}
}

func basic(userinfo string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo))
}

func TestCLI03Userinfo(t *testing.T) {
	leakCheck(t)
	addr, requests := answering(t, good101)
	for _, row := range []struct {
		user, want string
		header     http.Header
	}{
		{"alice:secret@", basic("alice:secret"), nil},
		{"alice@", basic("alice:"), nil},
		{"al%40ice:se%2Fc%3Aret%0D%0A@", basic("al@ice:se/c:ret\r\n"), nil}, // inside base64, where it harms nobody
		{"alice:secret@", "Bearer t", http.Header{"Authorization": {"Bearer t"}}},
		{"", "", nil},
	} {
		c, err := Dial(t.Context(), "ws://"+row.user+addr, &DialOptions{Header: row.header})
		require.NoError(t, err)
		c.CloseNow()
		raw := <-requests
		if row.want == "" {
			require.NotContains(t, raw, "Authorization")
			continue
		}
		require.Equal(t, 1, strings.Count(raw, "Authorization: "+row.want+"\r\n"))
		require.Contains(t, raw, "\r\nHost: "+addr+"\r\n")
	}
	refused, _ := answering(t, func(*http.Request) string { return "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n" })
	for _, url := range []string{
		"ws://alice:secret@" + refused, "ws://alice:secret@127.0.0.1:1", "ws://alice:secret@h:port/", "ws://alice:secret@h/%zz", "ws://alice:secret/@h/", "ws://alice:secret@h/#a",
		"ftp://alice:secret@h", "wss://alice:secret@" + refused, "alice:secret@h", "ws://alice:sec ret@h", "ws://alice:%zzsecret@h", "ws+unix://alice:secret@h/x", "ws://alice:secret@\x00",
	} {
		c, err := Dial(t.Context(), url, nil)
		require.Nil(t, c)
		for _, part := range []string{"secret", "sec ret", "alice"} {
			require.NotContains(t, err.Error(), part, url)
			require.NotContains(t, fmt.Sprintf("%+v", err), part, url)
		}
	}
}

func TestDialUnixSocket(t *testing.T) {
	leakCheck(t)
	path := filepath.Join(t.TempDir(), "a b.sock")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	requests := make(chan string, 10)
	serveScript(t, l, func(conn net.Conn, r *http.Request, raw string) {
		requests <- raw
		if r.URL.Path == "/old" {
			_, _ = io.WriteString(conn, "HTTP/1.1 301 Moved\r\nLocation: "+r.URL.Query().Get("to")+"\r\nContent-Length: 0\r\n\r\n")
			return
		}
		_, _ = io.WriteString(conn, switching(r)+helloEchoed)
		_, _ = io.Copy(io.Discard, conn)
	})
	noProxy := func(*http.Request) (*url.URL, error) { panic("no proxy leads to a socket") }
	base := "ws+unix://" + (&url.URL{Path: path}).EscapedPath()
	c, err := Dial(t.Context(), base+":/chat?a=b", &DialOptions{Proxy: noProxy})
	require.NoError(t, err)
	_, p, err := c.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, "hi", string(p))
	c.CloseNow()
	require.True(t, strings.HasPrefix(<-requests, "GET /chat?a=b HTTP/1.1\r\nHost: localhost\r\n"))

	c, err = Dial(t.Context(), base+":/old?to=/new", &DialOptions{MaxRedirects: 1, Header: http.Header{"Authorization": {"x"}}})
	require.NoError(t, err)
	c.CloseNow()
	<-requests
	raw := <-requests
	require.True(t, strings.HasPrefix(raw, "GET /new HTTP/1.1\r\n"))
	require.Contains(t, raw, "Authorization: x", "it is the same server")
	e := dialError(t, base+":/old?to=http://example.com/", &DialOptions{MaxRedirects: 1}, 301)
	require.ErrorContains(t, e, "Unix socket")
}

// site is a network of named servers for redirects: every address leads to one
// scripted server, which answers by path.
func site(t *testing.T) (dial func(context.Context, string, string) (net.Conn, error), dialed *[]string, requests chan string) {
	requests = make(chan string, 100)
	addr := scripted(t, func(conn net.Conn, r *http.Request, raw string) {
		requests <- raw
		if to := r.URL.Query().Get("to"); to != "" {
			status := r.URL.Query().Get("status")
			_, _ = io.WriteString(conn, "HTTP/1.1 "+status+" Elsewhere\r\nSet-Cookie: hop="+r.Host[:1]+"; Path=/\r\nLocation: "+to+"\r\nContent-Length: 5\r\n\r\nmoved")
			return
		}
		_, _ = io.WriteString(conn, switching(r))
		_, _ = io.Copy(io.Discard, conn)
	})
	dialed = new([]string)
	return func(ctx context.Context, network, name string) (net.Conn, error) {
		*dialed = append(*dialed, name)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}, dialed, requests
}

// TestCLI02Redirects: who gets to know the credentials.
func TestCLI02Redirects(t *testing.T) {
	leakCheck(t)
	const all, none = true, false
	for _, row := range []struct {
		status, to string
		dialed     string // where the second request went to
		path       string
		trusted    bool
	}{
		{"301", "/new", "a.example:80", "/new", all},
		{"302", "/new?x=y", "a.example:80", "/new?x=y", all},
		{"303", "new", "a.example:80", "/new", all},
		{"307", "http://a.example/new", "a.example:80", "/new", all},
		{"308", "ws://a.example/new", "a.example:80", "/new", all},
		{"302", "http://A.EXAMPLE:80/new", "A.EXAMPLE:80", "/new", all},
		{"302", "//a.example/new", "a.example:80", "/new", all},
		{"302", "?q", "a.example:80", "/?q", all},
		{"302", "http://b.example/new", "b.example:80", "/new", none},
		{"302", "//b.example/new", "b.example:80", "/new", none},
		{"302", "http://a.example:8080/new", "a.example:8080", "/new", none},
		{"302", "ws://sub.a.example/", "sub.a.example:80", "/", none},
		{"302", "http://a.example.evil/", "a.example.evil:80", "/", none},
		{"302", "http://a.example@evil.example/", "evil.example:80", "/", none},
		{"302", "http://eve:x@b.example/", "b.example:80", "/", none},
		{"302", "http://eve:x@a.example/new", "a.example:80", "/new", all},
		{"302", "/new#fragment", "a.example:80", "/new", all},
		{"302", "http://[::1]/", "[::1]:80", "/", none},
	} {
		t.Run(row.status+" "+row.to, func(t *testing.T) {
			dial, dialed, requests := site(t)
			query := "?status=" + row.status + "&to=" + url.QueryEscape(row.to)
			c, err := Dial(t.Context(), "ws://alice:secret@a.example/"+query, &DialOptions{
				DialContext: dial, Proxy: noProxy, MaxRedirects: 1, Host: "virtual.example",
				Header: http.Header{"Cookie": {"session=1"}, "Proxy-Authorization": {"Basic cHJveHk="}, "X-Api-Key": {"k"}, "User-Agent": {"ua"}, "Origin": {"http://o"}},
			})
			require.NoError(t, err)
			c.CloseNow()
			first, second := <-requests, <-requests
			require.Equal(t, []string{"a.example:80", row.dialed}, *dialed)
			require.True(t, strings.HasPrefix(second, "GET "+row.path+" HTTP/1.1\r\n"), second)
			for _, secret := range []string{"Authorization: " + basic("alice:secret"), "Cookie: session=1", "Proxy-Authorization: Basic", "X-Api-Key: k", "Host: virtual.example"} {
				require.Contains(t, first, "\r\n"+secret)
				require.Equal(t, row.trusted, strings.Contains(second, "\r\n"+secret), "%s in\n%s", secret, second)
			}
			require.Contains(t, second, "User-Agent: ua")
			require.Contains(t, second, "Origin: http://o")
			require.NotContains(t, second, basic("eve:x"))
			key := func(raw string) string {
				_, rest, _ := strings.Cut(raw, "Sec-WebSocket-Key: ")
				return rest[:24]
			}
			require.NotEqual(t, key(first), key(second), "a connection has a nonce of its own")
		})
	}
}

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

func TestCLI02RedirectsRefused(t *testing.T) {
	leakCheck(t)
	for name, row := range map[string]struct {
		status int
		to     string
		max    int
		says   string
	}{
		"by default":       {302, "/new", 0, "MaxRedirects is 0"},
		"negative":         {302, "/new", -1, "MaxRedirects is -1"},
		"no Location":      {302, " ", 1, "without saying where to"},
		"another scheme":   {302, "ftp://a.example/", 1, "without saying where to"},
		"file":             {302, "file:///etc/passwd", 1, "without saying where to"},
		"a socket":         {302, "ws+unix:///run/s:/", 1, "without saying where to"},
		"bad host":         {302, "http://a b/", 1, "without saying where to"},
		"no redirect, 300": {300, "/new", 1, "not 101"},
		"no redirect, 304": {304, "/new", 1, "not 101"},
		"no redirect, 305": {305, "http://proxy/", 1, "not 101"},
		"no redirect, 201": {201, "/new", 1, "not 101"},
		"one too many":     {302, "/?status=302&to=/new", 1, "MaxRedirects is 1"},
	} {
		t.Run(name, func(t *testing.T) {
			dial, dialed, _ := site(t)
			query := fmt.Sprintf("?status=%d&to=%s", row.status, url.QueryEscape(row.to))
			e := dialError(t, "ws://a.example/"+query, &DialOptions{DialContext: dial, Proxy: noProxy, MaxRedirects: row.max}, row.status)
			require.ErrorContains(t, e, row.says)
			require.LessOrEqual(t, len(*dialed), 2)
			if row.status == 302 {
				require.Equal(t, "moved", string(e.Body))
			}
		})
	}
}

// TestCLI02RedirectsEnd: ten hops are the most, whatever is asked for.
func TestCLI02RedirectsEnd(t *testing.T) {
	leakCheck(t)
	addr, requests := answering(t, func(*http.Request) string {
		return "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"
	})
	e := dialError(t, "ws://"+addr, &DialOptions{MaxRedirects: 1000}, 302)
	require.ErrorContains(t, e, "MaxRedirects")
	require.Len(t, requests, 11)
}

// TestCLI02RedirectThereAndBack: credentials that were dropped do not come back.
func TestCLI02RedirectThereAndBack(t *testing.T) {
	leakCheck(t)
	dial, dialed, requests := site(t)
	back := "http://b.example/?status=302&to=" + url.QueryEscape("http://a.example/end")
	c, err := Dial(t.Context(), "ws://alice:secret@a.example/?status=302&to="+url.QueryEscape(back),
		&DialOptions{DialContext: dial, Proxy: noProxy, MaxRedirects: 2, Header: http.Header{"Cookie": {"session=1"}}})
	require.NoError(t, err)
	c.CloseNow()
	require.Equal(t, []string{"a.example:80", "b.example:80", "a.example:80"}, *dialed)
	require.Contains(t, <-requests, "Authorization")
	for range 2 {
		raw := <-requests
		require.NotContains(t, raw, "Authorization")
		require.NotContains(t, raw, "session")
	}
}

// TestCLI02RedirectsAndTLS: never from wss to ws; from ws to wss as to any other
// origin.
func TestCLI02RedirectsAndTLS(t *testing.T) {
	leakCheck(t)
	plain, plainRequests := answering(t, good101)
	pki := newPKI(t)
	opts := &DialOptions{TLSConfig: pki.client(), MaxRedirects: 3, Header: http.Header{"Authorization": {"x"}}}
	for _, scheme := range []string{"ws", "http"} {
		down := pki.answering(t, func(*http.Request) string {
			return "HTTP/1.1 302 Found\r\nLocation: " + scheme + "://" + plain + "/\r\nContent-Length: 0\r\n\r\n"
		})
		e := dialError(t, "wss://"+down, opts, 302)
		require.ErrorContains(t, e, "from wss to ws")
	}
	require.Empty(t, plainRequests)

	var got string
	secure := pki.answering(t, func(r *http.Request) string {
		got = r.Header.Get("Authorization")
		return switching(r)
	})
	up, _ := answering(t, func(*http.Request) string {
		return "HTTP/1.1 301 Moved\r\nLocation: https://" + secure + "/\r\nContent-Length: 0\r\n\r\n"
	})
	c, err := Dial(t.Context(), "ws://"+up, opts)
	require.NoError(t, err)
	c.CloseNow()
	require.Empty(t, got)
}

// TestDialJar: cookies come from the jar and go there, for each server its own,
// also those of refusals and redirects.
func TestDialJar(t *testing.T) {
	leakCheck(t)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	for _, host := range []string{"a", "b"} {
		u := &url.URL{Scheme: "http", Host: host + ".example", Path: "/"}
		jar.SetCookies(u, []*http.Cookie{{Name: "of", Value: host}, {Name: "safe", Value: "1", Secure: true}})
	}
	dial, _, requests := site(t)
	opts := &DialOptions{DialContext: dial, Proxy: noProxy, MaxRedirects: 1, Client: &http.Client{Jar: jar}}
	c, err := Dial(t.Context(), "ws://a.example/?status=302&to="+url.QueryEscape("http://b.example/"), opts)
	require.NoError(t, err)
	c.CloseNow()
	require.Contains(t, <-requests, "\r\nCookie: of=a\r\n")
	require.Contains(t, <-requests, "\r\nCookie: of=b\r\n")
	c, err = Dial(t.Context(), "ws://a.example/", opts)
	require.NoError(t, err)
	c.CloseNow()
	raw := <-requests
	require.Contains(t, raw, "of=a")
	require.Contains(t, raw, "hop=a", "set by the redirect")
	require.NotContains(t, raw, "safe", "over ws")
}

// FuzzParseTarget: of any string, either an error without a part of it, or a
// request that is one line and one Host.
func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"ws://example.com/chat?a=b", "wss://user:pw@[fe80::1%25eth0]:8443/a b", "ws+unix:///run/s:/x", "ws://h/\u00e9?\u00e9", "http://a%25b", "ws://h:1/#"} {
		f.Add(s, "/next")
	}
	f.Add("ws://a/b", "//c:1/d?e#f")
	f.Add("wss://a/b", "ws://a/b")
	f.Fuzz(func(t *testing.T, raw, location string) {
		to, _, err := parseTarget(raw)
		if err != nil {
			return
		}
		requireSaneTarget(t, to)
		next, err := to.redirect(location)
		if err != nil {
			return
		}
		requireSaneTarget(t, next)
		require.False(t, to.secure && !next.secure)
		require.False(t, to.network == "unix" && next.network != "unix")
	})
}

func requireSaneTarget(t *testing.T, to *target) {
	head := string(appendRequest(nil, to.path, to.host, nil))
	require.Equal(t, 3, strings.Count(head, "\r\n"))
	require.Equal(t, 3, strings.Count(head, "\n"))
	line, _, _ := strings.Cut(head, "\r\n")
	require.Len(t, strings.Split(line, " "), 3, line)
	require.Equal(t, byte('/'), to.path[0])
	require.True(t, validHost(to.host))
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	require.NoError(t, err)
	require.Equal(t, to.host, r.Host)
	require.Equal(t, to.path, r.RequestURI)
	require.Nil(t, to.url.User)
}
