package websocket

// The ways to a server: TLS, and proxies that are written here byte by byte.

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pki is a certificate authority and a server with certificates of all kinds.
type pki struct {
	ca    *x509.Certificate
	key   *ecdsa.PrivateKey
	roots *x509.CertPool
}

func newPKI(t testing.TB) *pki {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p := &pki{key: key, roots: x509.NewCertPool()}
	now := time.Now()
	p.ca = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, p.ca, p.ca, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	p.roots.AddCert(cert)
	return p
}

// certificate is one for names and 127.0.0.1, good for so long from yesterday on.
func (p *pki) certificate(t testing.TB, good time.Duration, selfSigned bool, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	start := time.Now().Add(-24 * time.Hour)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, NotBefore: start, NotAfter: start.Add(good), DNSNames: names,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if len(names) == 0 {
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	parent, signer := p.ca, p.key
	if selfSigned {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (p *pki) client() *tls.Config { return &tls.Config{RootCAs: p.roots} }

// answering is a scripted server behind TLS.
func (p *pki) answering(t testing.TB, answer func(r *http.Request) string) (addr string) {
	return listenTLS(t, &tls.Config{Certificates: []tls.Certificate{p.certificate(t, 48*time.Hour, false)}}, answer)
}

func listenTLS(t testing.TB, config *tls.Config, answer func(r *http.Request) string) (addr string) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	serveScript(t, l, func(conn net.Conn, r *http.Request, _ string) {
		_, _ = io.WriteString(conn, answer(r))
		_, _ = io.Copy(io.Discard, conn)
	})
	return l.Addr().String()
}

func TestDialTLS(t *testing.T) {
	leakCheck(t)
	p := newPKI(t)
	addr := p.answering(t, func(r *http.Request) string { return switching(r) + helloEchoed })
	for _, scheme := range []string{"wss", "https"} {
		c, err := Dial(t.Context(), scheme+"://"+addr, &DialOptions{TLSConfig: p.client()})
		require.NoError(t, err)
		_, msg, err := c.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, "hi", string(msg))
		c.CloseNow()
	}
}

func TestCLI04Certificates(t *testing.T) {
	leakCheck(t)
	p := newPKI(t)
	const day = 24 * time.Hour
	for name, row := range map[string]struct {
		cert   tls.Certificate
		host   string
		config *tls.Config
		ok     bool
	}{
		"good name":           {p.certificate(t, 2*day, false, "good.example"), "good.example", p.client(), true},
		"good name, its dot":  {p.certificate(t, 2*day, false, "good.example"), "good.example.", p.client(), true},
		"good address":        {p.certificate(t, 2*day, false), "127.0.0.1", p.client(), true},
		"name in options":     {p.certificate(t, 2*day, false, "good.example"), "other.example", &tls.Config{RootCAs: p.roots, ServerName: "good.example"}, true},
		"not checked":         {p.certificate(t, 2*day, true, "x.example"), "other.example", &tls.Config{InsecureSkipVerify: true}, true},
		"unknown authority":   {p.certificate(t, 2*day, false, "good.example"), "good.example", nil, false},
		"self-signed":         {p.certificate(t, 2*day, true, "good.example"), "good.example", p.client(), false},
		"expired":             {p.certificate(t, day/2, false, "good.example"), "good.example", p.client(), false},
		"wrong name":          {p.certificate(t, 2*day, false, "good.example"), "evil.example", p.client(), false},
		"name for an address": {p.certificate(t, 2*day, false, "good.example"), "127.0.0.1", p.client(), false},
		"address for a name":  {p.certificate(t, 2*day, false), "good.example", p.client(), false},
	} {
		t.Run(name, func(t *testing.T) {
			served := make(chan string, 1)
			var sni atomic.Value
			config := &tls.Config{Certificates: []tls.Certificate{row.cert}, GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				sni.Store(h.ServerName)
				return nil, nil
			}}
			addr := listenTLS(t, config, func(r *http.Request) string { served <- r.Host; return switching(r) })
			opts := &DialOptions{TLSConfig: row.config, Proxy: noProxy, Header: http.Header{"Authorization": {"secret"}},
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, addr)
				}}
			url := "wss://" + row.host + ":8443/"
			if row.ok {
				c, err := Dial(t.Context(), url, opts)
				require.NoError(t, err)
				c.CloseNow()
				require.Equal(t, row.host+":8443", <-served)
				if row.host == "good.example" {
					require.Equal(t, "good.example", sni.Load(), "without the port")
				}
				return
			}
			e := dialError(t, url, opts, 0)
			require.ErrorContains(t, e, "TLS")
			var bad *tls.CertificateVerificationError
			require.ErrorAs(t, e, &bad)
			require.Empty(t, served, "not a byte of the request")
		})
	}
}

// TestDialALPN: a config that is shared with an HTTP/2 client does not make the
// server speak it, and stays as it was.
func TestDialALPN(t *testing.T) {
	leakCheck(t)
	p := newPKI(t)
	var offered atomic.Value
	config := &tls.Config{Certificates: []tls.Certificate{p.certificate(t, 48*time.Hour, false)}, NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) { offered.Store(h.SupportedProtos); return nil, nil }}
	addr := listenTLS(t, config, good101)
	shared := &tls.Config{RootCAs: p.roots, NextProtos: []string{"h2", "http/1.1"}}
	c, err := Dial(t.Context(), "wss://"+addr, &DialOptions{TLSConfig: shared})
	require.NoError(t, err)
	c.CloseNow()
	require.Equal(t, []string{"http/1.1"}, offered.Load())
	require.Equal(t, []string{"h2", "http/1.1"}, shared.NextProtos)
	require.Empty(t, shared.ServerName)
	// So too when the config comes from a Transport, which also sets it up for h2.
	c, err = Dial(t.Context(), "wss://"+addr, &DialOptions{Client: &http.Client{Transport: &http.Transport{TLSClientConfig: shared, ForceAttemptHTTP2: true}}})
	require.NoError(t, err)
	c.CloseNow()
	require.Equal(t, []string{"http/1.1"}, offered.Load())
}

// TestDialClientCertificate: mutual TLS.
func TestDialClientCertificate(t *testing.T) {
	leakCheck(t)
	p := newPKI(t)
	addr := listenTLS(t, &tls.Config{
		Certificates: []tls.Certificate{p.certificate(t, 48*time.Hour, false)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.roots,
	}, good101)
	config := p.client()
	dialError(t, "wss://"+addr, &DialOptions{TLSConfig: config}, 0)
	config.Certificates = []tls.Certificate{p.certificate(t, 48*time.Hour, false, "client")}
	c, err := Dial(t.Context(), "wss://"+addr, &DialOptions{TLSConfig: config})
	require.NoError(t, err)
	c.CloseNow()
}

// TestDialTLSContext: a Transport's own way to do TLS is taken, where there is no
// proxy in between.
func TestDialTLSContext(t *testing.T) {
	leakCheck(t)
	p := newPKI(t)
	addr := p.answering(t, good101)
	var used atomic.Int32
	transport := &http.Transport{DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		used.Add(1)
		return (&tls.Dialer{Config: p.client()}).DialContext(ctx, network, addr)
	}}
	c, err := Dial(t.Context(), "wss://"+addr, &DialOptions{Client: &http.Client{Transport: transport}})
	require.NoError(t, err)
	c.CloseNow()
	require.EqualValues(t, 1, used.Load())

	// But not past a TLSConfig, which it knows nothing of.
	_, err = Dial(t.Context(), "wss://"+addr, &DialOptions{Client: &http.Client{Transport: transport}, TLSConfig: &tls.Config{}})
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown)
	require.EqualValues(t, 1, used.Load())
}

func TestDialTLSOverUnixSocket(t *testing.T) {
	leakCheck(t)
	p := newPKI(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{p.certificate(t, 48*time.Hour, false, "localhost")}})
	serveScript(t, l, func(conn net.Conn, r *http.Request, _ string) { _, _ = io.WriteString(conn, switching(r)) })
	c, err := Dial(t.Context(), "wss+unix://"+path+":/chat", &DialOptions{TLSConfig: p.client()})
	require.NoError(t, err)
	c.CloseNow()
}

func TestDialPlainServerOverTLS(t *testing.T) {
	leakCheck(t)
	addr := scripted(t, func(net.Conn, *http.Request, string) {})
	e := dialError(t, "wss://"+addr, &DialOptions{Proxy: noProxy}, 0)
	require.ErrorContains(t, e, "speaking TLS with 127.0.0.1")
}

// connectProxy is an HTTP proxy; answer is what it says to CONNECT, and if that is a
// 2xx, it joins the streams. Requests go to the channel.
func connectProxy(t testing.TB, wrap func(net.Listener) net.Listener, answer string) (addr string, requests chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr = l.Addr().String()
	if wrap != nil {
		l = wrap(l)
	}
	requests = make(chan string, 10)
	serveScript(t, l, func(conn net.Conn, r *http.Request, raw string) {
		requests <- raw
		_, err := io.WriteString(conn, answer)
		if err != nil || r.Method != "CONNECT" || !strings.HasPrefix(answer, "HTTP/1.1 2") {
			return
		}
		join(conn, r.Host)
	})
	return addr, requests
}

// join connects to addr and copies both ways until either ends.
func join(conn net.Conn, addr string) {
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(server, conn)
		server.Close()
	}()
	_, _ = io.Copy(conn, server)
	conn.Close()
	<-done
}

func via(proxy string) func(*http.Request) (*url.URL, error) {
	return func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }
}

func TestProxyConnect(t *testing.T) {
	leakCheck(t)
	p := newPKI(t)
	plain, _ := answering(t, func(r *http.Request) string { return switching(r) + helloEchoed })
	secure := p.answering(t, func(r *http.Request) string { return switching(r) + helloEchoed })
	const established = "HTTP/1.1 200 Connection established\r\n\r\n"
	overTLS := func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{p.certificate(t, 48*time.Hour, false)}})
	}
	for name, row := range map[string]struct {
		scheme, target string
		wrap           func(net.Listener) net.Listener
		answer         string
	}{
		"http, ws":     {"http", "ws://" + plain, nil, established},
		"http, wss":    {"http", "wss://" + secure, nil, established},
		"https, ws":    {"https", "ws://" + plain, overTLS, established},
		"https, wss":   {"https", "wss://" + secure, overTLS, established},
		"another 2xx":  {"http", "ws://" + plain, nil, "HTTP/1.1 204 No Content\r\n\r\n"},
		"with a field": {"http", "ws://" + plain, nil, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nVia: x\r\n\r\n"}, // which is to be ignored
	} {
		t.Run(name, func(t *testing.T) {
			proxy, requests := connectProxy(t, row.wrap, row.answer)
			c, err := Dial(t.Context(), row.target, &DialOptions{TLSConfig: p.client(), Proxy: via(row.scheme + "://alice:se%3Acret@" + proxy), Header: http.Header{"Cookie": {"not for proxies"}}})
			require.NoError(t, err)
			_, msg, err := c.Read(t.Context())
			require.NoError(t, err)
			require.Equal(t, "hi", string(msg))
			c.CloseNow()
			_, target, _ := strings.Cut(row.target, "://")
			require.Equal(t, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\nProxy-Authorization: "+basic("alice:se:cret")+"\r\n\r\n", <-requests)
		})
	}
}

// TestProxyHeader: the header that a Transport has for CONNECT.
func TestProxyHeader(t *testing.T) {
	leakCheck(t)
	server, _ := answering(t, good101)
	for name, transport := range map[string]*http.Transport{
		"fixed": {ProxyConnectHeader: http.Header{"Proxy-Authorization": {"Bearer t"}, "X-P": {"1"}}},
		"not its business": {ProxyConnectHeader: http.Header{
			"proxy-authorization": {"Bearer t"}, "X-P": {"1"}, "Host": {"other"}, "Content-Length": {"5"}, "Transfer-Encoding": {"chunked"},
		}},
		"made": {GetProxyConnectHeader: func(_ context.Context, proxy *url.URL, target string) (http.Header, error) {
			require.Equal(t, server, target)
			return http.Header{"Proxy-Authorization": {"Bearer t"}, "X-P": {"1"}}, nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			proxy, requests := connectProxy(t, nil, "HTTP/1.1 200 OK\r\n\r\n")
			transport.Proxy = via("http://alice:secret@" + proxy)
			c, err := Dial(t.Context(), "ws://"+server, &DialOptions{Client: &http.Client{Transport: transport}})
			require.NoError(t, err)
			c.CloseNow()
			raw := <-requests
			require.Equal(t, 1, strings.Count(strings.ToLower(raw), "\r\nproxy-authorization: "))
			require.Contains(t, strings.ToLower(raw), "\r\nproxy-authorization: bearer t\r\n")
			require.Contains(t, raw, "\r\nHost: "+server+"\r\n")
			require.Equal(t, 1, strings.Count(raw, "Host: "))
			require.NotContains(t, raw, "Content-Length")
			require.NotContains(t, raw, "Transfer-Encoding")
			require.Contains(t, raw, "\r\nX-P: 1\r\n")
		})
	}
	boom := errors.New("boom")
	failing := &http.Transport{GetProxyConnectHeader: func(context.Context, *url.URL, string) (http.Header, error) { return nil, boom }}
	proxy, requests := connectProxy(t, nil, "")
	failing.Proxy = via("http://" + proxy)
	require.ErrorIs(t, dialError(t, "ws://"+server, &DialOptions{Client: &http.Client{Transport: failing}}, 0), boom)
	// CLI-01 at the proxy.
	evil := &http.Transport{Proxy: failing.Proxy, ProxyConnectHeader: http.Header{"X-P": {"a\r\nX-Inj: 1"}}}
	dialError(t, "ws://"+server, &DialOptions{Client: &http.Client{Transport: evil}}, 0)
	require.Empty(t, requests)
}

func TestCLI12ProxyRefusals(t *testing.T) {
	leakCheck(t)
	for name, row := range map[string]struct {
		answer string
		status int
		says   string
	}{
		"407":             {"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 6\r\n\r\nlog in", 407, "log in"},
		"403, long":       {"HTTP/1.1 403 No\r\n\r\n" + strings.Repeat("x", 10000), 403, "refuses to connect"},
		"redirect":        {"HTTP/1.1 302 Found\r\nLocation: http://portal/\r\nContent-Length: 0\r\n\r\n", 302, "refuses to connect"},
		"101":             {"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 101, "refuses to connect"},
		"endless header":  {"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 10000), 0, "16 KiB"},
		"endless line":    {"HTTP/1.1 200 " + strings.Repeat("a", 100000), 0, "16 KiB"},
		"nonsense":        {"hello\r\n\r\n", 0, "malformed"},
		"nothing":         {"", 0, "EOF"},
		"half an answer":  {"HTTP/1.1 200 O", 0, "EOF"},
		"frame for a 200": {"\x81\x02hi", 0, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy, _ := connectProxy(t, nil, row.answer)
			e := dialError(t, "ws://server.invalid", &DialOptions{Proxy: via("http://alice:secret@" + proxy), MaxRedirects: 5}, row.status)
			require.ErrorContains(t, e, row.says)
			require.ErrorContains(t, e, "proxy "+proxy)
			require.NotContains(t, e.Error(), "secret")
			require.LessOrEqual(t, len(e.Body), maxErrorBody)
			if row.status == 407 {
				require.Equal(t, "Basic", e.Header.Get("Proxy-Authenticate"))
			}
		})
	}
}

// TestCLI12ProxyEarlyBytes: bytes in the same segment as the proxy's 200 are the
// server's, be they TLS or, from one that does not wait for a request, HTTP.
func TestCLI12ProxyEarlyBytes(t *testing.T) {
	leakCheck(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serveScript(t, l, func(conn net.Conn, _ *http.Request, _ string) {
		// Half of the answer with the 200, half behind the request.
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
		r, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "Connection: Upgrade\r\nSec-WebSocket-Accept: "+acceptOf(keyOf(r))+"\r\n\r\n"+helloEchoed)
		_, _ = io.Copy(io.Discard, conn)
	})
	c, err := Dial(t.Context(), "ws://server.invalid", &DialOptions{Proxy: via("http://" + l.Addr().String())})
	require.NoError(t, err)
	_, msg, err := c.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, "hi", string(msg))
	c.CloseNow()
}

func TestProxyChoice(t *testing.T) {
	leakCheck(t)
	server, _ := answering(t, good101)
	var asked []string
	look := func(r *http.Request) (*url.URL, error) {
		asked = append(asked, r.URL.String()+" "+r.Host)
		return nil, nil
	}
	for _, opts := range []*DialOptions{{Proxy: look}, {Client: &http.Client{Transport: &http.Transport{Proxy: look}}}} {
		asked = nil
		c, err := Dial(t.Context(), "ws://alice:secret@"+server+"/a?b", opts)
		require.NoError(t, err)
		c.CloseNow()
		require.Equal(t, []string{"http://" + server + "/a?b " + server}, asked)
	}
	boom := errors.New("boom")
	failing := func(*http.Request) (*url.URL, error) { return nil, boom }
	require.ErrorIs(t, dialError(t, "ws://"+server, &DialOptions{Proxy: failing}, 0), boom)
	leaky := func(*http.Request) (*url.URL, error) { return nil, errors.New("invalid http://alice:secret@proxy") }
	require.NotContains(t, dialError(t, "ws://"+server, &DialOptions{Proxy: leaky}, 0).Error(), "secret")
	for _, bad := range []string{"ftp://proxy", "socks4://proxy", "http://", "proxy:80", "//proxy", "http://alice:secret@/"} {
		e := dialError(t, "ws://"+server, &DialOptions{Proxy: via(bad)}, 0)
		require.ErrorContains(t, e, "proxy's URL")
		require.NotContains(t, e.Error(), "secret")
	}
}

func TestProxyAddr(t *testing.T) {
	for raw, want := range map[string]string{
		"http://p": "p:80", "https://p": "p:443", "socks5://p": "p:1080", "socks5h://p": "p:1080",
		"http://p:3128": "p:3128", "http://u:s@p:3128/x": "p:3128", "socks5://[::1]:1": "[::1]:1", "ftp://p": "", "http:///x": "",
	} {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		require.Equal(t, want, proxyAddr(u), raw)
	}
}

// TestProxyDefaults: the default asks the environment, which the standard
// library reads once in a process; so it is looked at, and not used.
func TestProxyDefaults(t *testing.T) {
	d, err := newDialer("ws://example.com", nil)
	require.NoError(t, err)
	require.NotNil(t, d.proxy)
	d, err = newDialer("ws://example.com", &DialOptions{Client: &http.Client{}})
	require.NoError(t, err)
	require.NotNil(t, d.proxy)
	d, err = newDialer("ws://example.com", &DialOptions{Client: &http.Client{Transport: &http.Transport{}}})
	require.NoError(t, err)
	require.Nil(t, d.proxy, "none is what this Transport says")
}

// socksProxy says what it is told to, message by message, and then joins the
// streams, or ends. want is what each message of the client has to be.
func socksProxy(t testing.TB, target string, exchange ...string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for i := 0; i < len(exchange); i += 2 {
			got := make([]byte, len(exchange[i]))
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != exchange[i] {
				t.Errorf("the client says %x (%v), not %x", got, err, exchange[i])
				return
			}
			if _, err := io.WriteString(conn, exchange[i+1]); err != nil {
				return
			}
		}
		if target != "" {
			join(conn, target)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

const (
	socksHello     = "\x05\x01\x00"
	socksHelloUser = "\x05\x02\x00\x02"
	socksLoginText = "\x01\x05alice\x06secret"
	socksHost      = "\x05\x01\x00\x03\x0chost.example\x00\x50"
	socksOK4       = "\x05\x00\x00\x01\x7f\x00\x00\x01\x1f\x90"
)

func TestProxySOCKS5(t *testing.T) {
	leakCheck(t)
	server, _ := answering(t, func(r *http.Request) string { return switching(r) + helloEchoed })
	long := strings.Repeat("a", 255)
	for name, row := range map[string]struct {
		scheme, user, host string
		exchange           []string
	}{
		"name":          {"socks5", "", "host.example", []string{socksHello, "\x05\x00", socksHost, socksOK4}},
		"name, socks5h": {"socks5h", "", "host.example", []string{socksHello, "\x05\x00", socksHost, socksOK4}},
		"IPv4":          {"socks5", "", "192.0.2.1", []string{socksHello, "\x05\x00", "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50", socksOK4}},
		"IPv6":          {"socks5", "", "[2001:db8::1]:8080", []string{socksHello, "\x05\x00", "\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x1f\x90", socksOK4}},
		"user":          {"socks5", "alice:secret@", "host.example", []string{socksHelloUser, "\x05\x02", socksLoginText, "\x01\x00", socksHost, socksOK4}},
		"user, as long as can be": {"socks5", long + ":" + long + "@", "host.example",
			[]string{socksHelloUser, "\x05\x02", "\x01\xff" + long + "\xff" + long, "\x01\x00", socksHost, socksOK4}},
		"user, not wanted":   {"socks5", "alice:secret@", "host.example", []string{socksHelloUser, "\x05\x00", socksHost, socksOK4}},
		"bound to IPv6":      {"socks5", "", "host.example", []string{socksHello, "\x05\x00", socksHost, "\x05\x00\x00\x04" + strings.Repeat("\x00", 18)}},
		"bound to a name":    {"socks5", "", "host.example", []string{socksHello, "\x05\x00", socksHost, "\x05\x00\x00\x03\x02ab\x00\x01"}},
		"bound to long name": {"socks5", "", "host.example", []string{socksHello, "\x05\x00", socksHost, "\x05\x00\x00\x03\xff" + strings.Repeat("a", 255) + "\x00\x01"}},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := socksProxy(t, server, row.exchange...)
			c, err := Dial(t.Context(), "ws://"+row.host, &DialOptions{Proxy: via(row.scheme + "://" + row.user + proxy)})
			require.NoError(t, err)
			_, msg, err := c.Read(t.Context())
			require.NoError(t, err)
			require.Equal(t, "hi", string(msg))
			c.CloseNow()
		})
	}
}

func TestProxySOCKS5Refusals(t *testing.T) {
	leakCheck(t)
	long := strings.Repeat("a", 256)
	for name, row := range map[string]struct {
		user, host string
		exchange   []string
		says       string
	}{
		"HTTP":             {"", "host.example", []string{socksHello, "HT"}, "does not speak SOCKS5"},
		"wants more":       {"", "host.example", []string{socksHello, "\x05\xff"}, "wants another kind of authentication"},
		"wants a password": {"", "host.example", []string{socksHello, "\x05\x02"}, "wants another kind of authentication"},
		"wants GSSAPI":     {"alice:secret@", "host.example", []string{socksHelloUser, "\x05\x01"}, "wants another kind of authentication"},
		"wrong password":   {"alice:secret@", "host.example", []string{socksHelloUser, "\x05\x02", socksLoginText, "\x01\x01"}, "does not accept"},
		"long user":        {long + ":x@", "host.example", []string{socksHelloUser, "\x05\x02"}, "too long"},
		"long password":    {"x:" + long + "@", "host.example", []string{socksHelloUser, "\x05\x02"}, "too long"},
		"empty user":       {":x@", "host.example", []string{socksHelloUser, "\x05\x02"}, "too long"},
		"long host":        {"", long, nil, "too long"},
		"general failure":  {"", "host.example", []string{socksHello, "\x05\x00", socksHost, "\x05\x01\x00\x01"}, "general failure"},
		"refused":          {"", "host.example", []string{socksHello, "\x05\x00", socksHost, "\x05\x05\x00\x01"}, "connection refused"},
		"unknown reply":    {"", "host.example", []string{socksHello, "\x05\x00", socksHost, "\x05\x63\x00\x01"}, "reply 99"},
		"wrong version":    {"", "host.example", []string{socksHello, "\x05\x00", socksHost, "\x04\x00\x00\x01"}, "does not speak SOCKS5"},
		"strange address":  {"", "host.example", []string{socksHello, "\x05\x00", socksHost, "\x05\x00\x00\x09"}, "does not speak SOCKS5"},
		"ends at once":     {"", "host.example", []string{socksHello, ""}, "EOF"},
		"ends in login":    {"alice:secret@", "host.example", []string{socksHelloUser, "\x05\x02", socksLoginText, "\x01"}, "EOF"},
		"ends in reply":    {"", "host.example", []string{socksHello, "\x05\x00", socksHost, "\x05\x00"}, "EOF"},
		"ends in address":  {"", "host.example", []string{socksHello, "\x05\x00", socksHost, "\x05\x00\x00\x01\x00"}, "EOF"},
		"ends in name":     {"", "host.example", []string{socksHello, "\x05\x00", socksHost, "\x05\x00\x00\x03"}, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := socksProxy(t, "", row.exchange...)
			e := dialError(t, "ws://"+row.host, &DialOptions{Proxy: via("socks5://" + row.user + proxy)}, 0)
			require.ErrorContains(t, e, row.says)
			require.ErrorContains(t, e, "proxy "+proxy)
			require.NotContains(t, e.Error(), "secret")
		})
	}
	for _, addr := range []string{"", "host", "host:port", "host:99999"} {
		_, err := socksRequest(addr)
		require.Error(t, err, addr)
	}
}

// FuzzSOCKS5: whatever a proxy says, the client says at most three things.
func FuzzSOCKS5(f *testing.F) {
	f.Add([]byte("\x05\x00" + socksOK4))
	f.Add([]byte("\x05\x02\x01\x00\x05\x00\x00\x03\x02ab\x00\x01"))
	f.Fuzz(func(t *testing.T, says []byte) {
		conn := &cannedStream{in: says}
		if socks5(conn, url.UserPassword("alice", "secret"), "host.example:80") == nil {
			require.Contains(t, string(conn.out), socksHost)
		}
		require.LessOrEqual(t, conn.writes, 3)
	})
}

type cannedStream struct {
	in, out []byte
	writes  int
}

func (s *cannedStream) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *cannedStream) Write(p []byte) (int, error) {
	s.writes++
	s.out = append(s.out, p...)
	return len(p), nil
}
