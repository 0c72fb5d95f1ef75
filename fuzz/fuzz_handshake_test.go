package fuzz

// Fuzz targets of the opening handshake, without a network: what arbitrary
// requests, answers, header values and URLs do to Accept and Dial.

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seed9f1f0156/websocket"
	"github.com/stretchr/testify/require"
)

func serverOptions() *websocket.AcceptOptions {
	return &websocket.AcceptOptions{
		Options:      deflating(),
		Subprotocols: []string{"chat"},
		Origins:      []string{"https://app.example.com", "https://*.example.org"},
	}
}

// upgraded checks what Accept did with raw: either one good 101 to a request that
// deserved it, or an answer by the ResponseWriter and nothing on the stream.
func upgraded(t *testing.T, raw string, opts *websocket.AcceptOptions) (response *http.Response) {
	t.Helper()
	w, err := accept(raw, opts)
	if errors.Is(err, errNoRequest) {
		return nil
	}
	if err != nil {
		var he *websocket.HandshakeError
		require.ErrorAs(t, err, &he)
		require.Equal(t, he.Status, w.Code)
		require.GreaterOrEqual(t, w.Code, 400)
		if w.major < 2 {
			require.Equal(t, "close", w.Header().Get("Connection"))
		} else {
			require.Empty(t, w.Header().Get("Connection"), "HTTP/2 has no such field")
		}
		require.LessOrEqual(t, w.Body.Len(), 1024)
		require.False(t, w.hijacked)
		return nil
	}
	require.True(t, w.hijacked)
	require.Zero(t, w.Body.Len())
	response, err = http.ReadResponse(bufio.NewReader(&w.written), nil)
	require.NoError(t, err)
	require.Equal(t, 101, response.StatusCode)
	return response
}

// FuzzRequest: arbitrary bytes as a request.
func FuzzRequest(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw string) {
		if len(raw) > maxInput {
			return
		}
		if upgraded(t, raw, serverOptions()) == nil {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		require.NoError(t, err)
		require.Equal(t, "GET", r.Method)
		require.Equal(t, []string{"13"}, r.Header["Sec-Websocket-Version"])
		require.Len(t, r.Header["Sec-Websocket-Key"], 1)
		require.Zero(t, r.ContentLength)
		require.Empty(t, r.TransferEncoding)
		require.Contains(t, strings.ToLower(strings.Join(r.Header["Connection"], ",")), "upgrade")
	})
}

// FuzzHeaders: arbitrary extensions, subprotocols and origin in a good request.
func FuzzHeaders(f *testing.F) {
	f.Fuzz(func(t *testing.T, extensions, protocols, origin string) {
		if len(extensions)+len(protocols)+len(origin) > maxInput || strings.ContainsAny(extensions+protocols+origin, "\r\n") {
			return
		}
		lines := "Sec-WebSocket-Extensions: " + extensions + "\r\nSec-WebSocket-Protocol: " + protocols + "\r\nOrigin: " + origin + "\r\n"
		response := upgraded(t, request("", lines), serverOptions())
		if response == nil {
			return
		}
		if chosen := response.Header["Sec-Websocket-Protocol"]; chosen != nil {
			require.Equal(t, []string{"chat"}, chosen)
			require.Contains(t, protocols, "chat")
		}
		if granted := response.Header["Sec-Websocket-Extensions"]; granted != nil {
			require.Len(t, granted, 1)
			require.Contains(t, strings.ToLower(extensions), "permessage-deflate")
			_, err := websocket.NewConn(nil, websocket.Handshake{Extensions: granted[0]}, nil)
			require.Error(t, err, "not without compression")
		}
		if origin = strings.Trim(origin, " \t"); origin == "" {
			return
		}
		u, err := url.Parse(origin)
		require.NoError(t, err)
		host := strings.ToLower(u.Hostname())
		require.True(t, host == "server.example.com" || host == "app.example.com" || strings.HasSuffix(host, ".example.org"), origin)
	})
}

// FuzzResponse: arbitrary bytes as an answer, with %ACCEPT% in them standing for
// what the server owes. A connection is made only of a good 101.
func FuzzResponse(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw string, offering bool) {
		if len(raw) > maxInput {
			return
		}
		var opts websocket.DialOptions
		if offering {
			opts.Options, opts.Subprotocols = deflating(), []string{"chat"}
		}
		good := ""
		c, err := dial("ws://server.example.com/chat", opts, func(r *http.Request) string {
			_, key, _ := strings.Cut(answer(r, ""), "Accept: ")
			good, _, _ = strings.Cut(key, "\r\n")
			return strings.ReplaceAll(raw, "%ACCEPT%", good)
		})
		if err != nil {
			var he *websocket.HandshakeError
			require.ErrorAs(t, err, &he)
			require.LessOrEqual(t, len(he.Body), 4096)
			return
		}
		defer c.CloseNow()
		require.Contains(t, raw, "101")
		require.Equal(t, []string{good}, c.Handshake().Header["Sec-Websocket-Accept"])
		if !offering {
			require.Empty(t, c.Subprotocol()+c.Handshake().Extensions)
		}
		_, err = readAll(c)
		require.Error(t, err)
	})
}

var errNoNetwork = errors.New("there is no network here")

// FuzzURL: Dial either refuses a URL, or goes where it says and nowhere else.
func FuzzURL(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw string) {
		if len(raw) > maxInput {
			return
		}
		dialled := ""
		_, err := websocket.Dial(context.Background(), raw, &websocket.DialOptions{
			Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
			DialContext: func(_ context.Context, network, addr string) (net.Conn, error) {
				dialled = network + " " + addr
				return nil, errNoNetwork
			},
		})
		var he *websocket.HandshakeError
		require.ErrorAs(t, err, &he)
		require.Zero(t, he.Status)
		if dialled == "" {
			require.NotErrorIs(t, err, errNoNetwork)
			return
		}
		require.ErrorIs(t, err, errNoNetwork)
		require.False(t, strings.ContainsAny(dialled, "\r\n\x00"), dialled)
		require.NotContains(t, raw, "#")
		scheme, _, _ := strings.Cut(strings.ToLower(raw), ":")
		require.Contains(t, []string{"ws", "wss", "http", "https", "ws+unix", "wss+unix"}, scheme)
		if network, addr, _ := strings.Cut(dialled, " "); network == "tcp" {
			_, _, err := net.SplitHostPort(addr)
			require.NoError(t, err)
		}
	})
}

// oneCookie is a jar with one cookie for everybody.
type oneCookie http.Cookie

func (c *oneCookie) Cookies(*url.URL) []*http.Cookie     { return []*http.Cookie{(*http.Cookie)(c)} }
func (c *oneCookie) SetCookies(*url.URL, []*http.Cookie) {}

// FuzzDialOptions: what an application passes on from elsewhere is refused before a
// byte goes out, or stands in the request where it belongs, and nothing beside it.
func FuzzDialOptions(f *testing.F) {
	f.Fuzz(func(t *testing.T, host, name, value, protocol, cookie, crumb, user, password string) {
		if len(host)+len(name)+len(value)+len(protocol)+len(cookie)+len(crumb)+len(user)+len(password) > maxInput {
			return
		}
		w := new(hijackable)
		where := url.URL{Scheme: "ws", Host: "server.example.com", Path: "/chat", User: url.UserPassword(user, password)}
		_, err := websocket.Dial(context.Background(), where.String(), &websocket.DialOptions{
			Host:         host,
			Header:       http.Header{name: {value}},
			Subprotocols: []string{protocol},
			Jar:          &oneCookie{Name: cookie, Value: crumb},
			Proxy:        func(*http.Request) (*url.URL, error) { return nil, nil },
			DialContext:  func(context.Context, string, string) (net.Conn, error) { return (*hijackedConn)(w), nil },
		})
		var he *websocket.HandshakeError
		require.ErrorAs(t, err, &he)
		require.NotContains(t, err.Error(), "\n")
		raw := w.written.String()
		if raw == "" {
			return
		}
		if host == "" {
			host = "server.example.com"
		}
		if strings.ContainsAny(crumb, " ,") {
			crumb = `"` + crumb + `"` // RFC 6265 allows neither as it is, and many servers take them so
		}
		cookies, agent := cookie+"="+crumb, "User-Agent: Go-websocket"
		authorization := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
		own := name + ": " + value
		switch strings.ToLower(name) {
		case "cookie":
			cookies, own = value+"; "+cookies, ""
		case "user-agent":
			agent = ""
		case "authorization":
			authorization = ""
		}
		_, key, _ := strings.Cut(raw, "Sec-WebSocket-Key: ")
		key = key[:min(len(key), 24)]
		require.Regexp(t, "^[+/0-9A-Za-z]{21}[AQgw]==$", key)
		want := []string{
			"GET /chat HTTP/1.1", "Host: " + host, "Upgrade: websocket", "Connection: Upgrade",
			"Sec-WebSocket-Key: " + key, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: " + protocol,
			agent, authorization, "Cookie: " + cookies, own,
		}
		want = slices.DeleteFunc(want, func(line string) bool { return line == "" })
		require.Equal(t, strings.Join(want, "\r\n")+"\r\n\r\n", raw)
	})
}
