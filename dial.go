package websocket

// The client's side of the opening handshake: Dial, its options, and the way from
// a URL to an established connection or a HandshakeError. request.go turns the URL
// and the options into bytes, proxy.go opens the stream they are sent on,
// handshake.go judges the answer.
//
// What always holds: everything the caller gave is checked before a byte is sent;
// the context and HandshakeTimeout bound every step, because either closes the
// stream under it, and mean nothing once Dial has returned; at most 16 KiB of an
// answer's header are taken; what comes behind it goes to the Conn.

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// DialOptions says how [Dial] connects. The zero value, and nil, are good for most
// clients. Dial does not change it, so one value may serve many calls at once.
type DialOptions struct {
	// Options is what both sides of a connection have.
	Options

	// Header is sent with the request, names as they are spelled here, or in canonical
	// form if Client's Transport is one of its own kind. Fields of the handshake itself,
	// of the HTTP connection and of a body (Connection, Content-Length and the like) are
	// an error, and so is Host.
	Header http.Header

	// Host is sent as the request's Host in place of the URL's host and port. It does
	// not change where the connection goes to.
	Host string

	// Subprotocols are offered to the server, the best first. [Conn.Subprotocol] has
	// the one it chose, if any.
	Subprotocols []string

	// TLSConfig is used, in a copy that offers http/1.1 alone by ALPN, for wss and for
	// proxies that are spoken to by TLS. Nil is the default of [Client], or
	// [crypto/tls]'s.
	TLSConfig *tls.Config

	// DialContext opens the stream to the server or to the proxy. The network is "tcp",
	// or "unix" for URLs with a socket in them. It has to obey its context. Nil is
	// [net.Dialer]'s.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// Proxy returns the proxy for a request, nil for none. It sees the URL as http or
	// https, without user and password. Proxies may be http and https (by CONNECT), and
	// socks5 or socks5h (both leave the name of the server for the proxy to look up),
	// with user and password if need be. Nil is [http.ProxyFromEnvironment], which
	// never uses a proxy for localhost. Unix sockets have no proxies.
	Proxy func(*http.Request) (*url.URL, error)

	// Jar gives cookies to the request, and takes those that the server sets, under
	// the URL as http or https. Nil is that of Client, or none.
	Jar http.CookieJar

	// Client lends its settings to Dial, where the fields above are nil. Its Jar and
	// Timeout are used. If its Transport is a *[http.Transport], so are Proxy (nil
	// being none there), DialContext, DialTLSContext, TLSClientConfig and the header
	// for CONNECT. A Transport of any other type makes the round trip itself; then
	// TLSConfig, DialContext, Proxy and the limit of 16 KiB are its own affair, and the
	// connection has the deadlines of what it returns as the response's Body, which may
	// be none. CheckRedirect is not used.
	Client *http.Client

	// MaxRedirects is how many redirects are followed, at most 10; 0 is none. A redirect
	// from wss to ws is never followed. To another origin, which is another scheme, host
	// or port, nothing of Header goes but User-Agent and Origin, neither Host nor the
	// URL's user and password; cookies are up to Jar. Subprotocols are offered to every
	// server on the way: with a token among them, follow no redirects.
	MaxRedirects int

	// HandshakeTimeout bounds all of Dial: looking up the name, connecting, proxy, TLS,
	// request, response and redirects. 0 is the Timeout of Client, or 10 seconds;
	// negative is no bound.
	HandshakeTimeout time.Duration
}

const (
	maxResponseHeader = 16 << 10 // of a server's or a proxy's answer, with what comes before it
	maxErrorBody      = 4 << 10
	errorBodyTimeout  = time.Second
	mostRedirects     = 10
)

// Dial opens a connection to a server (RFC 6455, section 4.1) whose URL has the
// scheme ws or wss, or http or https, which mean the same. "ws+unix:///run/app.sock:/chat"
// is the resource /chat of a server that listens on a Unix socket; there is
// wss+unix too. A nil opts is like the zero value.
//
// User and password in the URL become an Authorization header field, if
// [DialOptions.Header] has none, and are never part of an error. A fragment is an
// error (section 3). Names that are not ASCII have to be given as punycode.
//
// The context bounds the handshake, and gives its values to [Conn.Context]; when
// Dial has returned, its end means nothing to the connection. Every error is a
// *[HandshakeError], whose Status is 0 if no answer was received. Bytes that the
// server sent right behind its answer are the connection's.
func Dial(ctx context.Context, rawURL string, opts *DialOptions) (*Conn, error) {
	d, err := newDialer(rawURL, opts)
	if err == nil && ctx == nil {
		err = errors.New("the context is nil")
	}
	if err != nil {
		return nil, &HandshakeError{Reason: err.Error()}
	}
	bounded := ctx
	if d.timeout > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	for {
		c, bad := d.attempt(bounded, ctx)
		switch {
		case bad == nil:
			return c, nil
		case bounded.Err() != nil && bad.Status == 0:
			if ctx.Err() == nil {
				bad.Reason += ", longer than the HandshakeTimeout of " + d.timeout.String()
			}
			bad.Err = bounded.Err()
			return nil, bad
		case !d.follow(bad):
			return nil, bad
		}
	}
}

// dialer is one call of Dial: where it is going, and with what.
type dialer struct {
	opts    *DialOptions
	to      *target
	header  http.Header   // the caller's, or what is left of it after a redirect
	host    string        // for the Host field instead of to's, or ""
	user    *url.Userinfo // for the Authorization field
	hops    int
	timeout time.Duration

	jar         http.CookieJar
	trip        http.RoundTripper // takes the place of everything below
	dial        func(ctx context.Context, network, addr string) (net.Conn, error)
	dialTLS     func(ctx context.Context, network, addr string) (net.Conn, error) // or nil
	tls         *tls.Config                                                       // or nil
	proxy       func(*http.Request) (*url.URL, error)                             // or nil
	proxyHeader func(ctx context.Context, proxy *url.URL, addr string) (http.Header, error)
}

// newDialer brings options, client and defaults together and checks all that
// will be sent.
func newDialer(rawURL string, opts *DialOptions) (*dialer, error) {
	if opts == nil {
		opts = &DialOptions{}
	}
	to, user, err := parseTarget(rawURL)
	if err != nil {
		return nil, err
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	d := &dialer{
		opts: opts, to: to, user: user, header: opts.Header, host: opts.Host, timeout: opts.HandshakeTimeout,
		jar: opts.Jar, dial: opts.DialContext, tls: opts.TLSConfig, proxy: opts.Proxy,
	}
	if opts.Client != nil {
		d.borrow(opts.Client)
	} else if d.proxy == nil {
		d.proxy = http.ProxyFromEnvironment
	}
	if d.dial == nil {
		d.dial = new(net.Dialer).DialContext
	}
	if d.timeout == 0 {
		d.timeout = defaultHandshakeTimeout
	}
	return d, nil
}

// borrow fills what the options leave open with the settings of an http.Client.
func (d *dialer) borrow(client *http.Client) {
	if d.jar == nil {
		d.jar = client.Jar
	}
	if d.timeout == 0 {
		d.timeout = client.Timeout
	}
	transport, ok := client.Transport.(*http.Transport)
	switch {
	case client.Transport == nil:
		if d.proxy == nil {
			d.proxy = http.ProxyFromEnvironment
		}
		return
	case !ok:
		d.trip = client.Transport
		return
	}
	if d.proxy == nil {
		d.proxy = transport.Proxy
	}
	if d.dial == nil {
		d.dial = transport.DialContext
		if d.tls == nil { // or it would not be used
			d.dialTLS = transport.DialTLSContext
		}
	}
	if d.tls == nil {
		d.tls = transport.TLSClientConfig
	}
	d.proxyHeader = transport.GetProxyConnectHeader
	if header := transport.ProxyConnectHeader; d.proxyHeader == nil && header != nil {
		d.proxyHeader = func(context.Context, *url.URL, string) (http.Header, error) { return header, nil }
	}
}

// attempt does one request. The connection's values come from parent, its bounds
// until then from ctx.
func (d *dialer) attempt(ctx, parent context.Context) (*Conn, *HandshakeError) {
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce) // never fails
	key := base64.StdEncoding.EncodeToString(nonce)
	offer := d.opts.offerExtensions()
	fields, err := d.fields(key, offer)
	if err != nil {
		return nil, &HandshakeError{Reason: err.Error()}
	}
	var resp *http.Response
	var stream io.ReadWriteCloser
	var early []byte
	var bad *HandshakeError
	if d.trip != nil {
		resp, stream, bad = d.roundTrip(ctx, parent, fields)
	} else {
		resp, stream, early, bad = d.exchange(ctx, fields)
	}
	if bad != nil {
		return nil, bad
	}
	hs := Handshake{Role: RoleClient, Header: resp.Header, Leftover: early}
	if bad = d.verify(resp, key, offer, &hs); bad == nil {
		var c *Conn
		if c, err = newConn(stream, hs, &d.opts.Options, parent); err == nil {
			return c, nil
		}
		bad = &HandshakeError{Reason: "setting up the connection", Err: err}
	}
	stream.Close()
	return nil, bad
}

// exchange opens a stream, sends the request and reads the answer's header. The
// stream is open if and only if there is no error, and the answer is a 101.
func (d *dialer) exchange(ctx context.Context, fields [][2]string) (*http.Response, net.Conn, []byte, *HandshakeError) {
	raw, proxy, encrypted, bad := d.open(ctx)
	if bad != nil {
		return nil, nil, nil, bad
	}
	// Closing the innermost stream ends whatever is waiting on it, at once.
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	conn, bad := d.tunnel(ctx, raw, proxy, encrypted)
	var resp *http.Response
	var early []byte
	if bad == nil {
		resp, early, bad = d.converse(conn, fields)
	}
	if !stop() && bad == nil { // the context ended while the last byte came in
		bad = &HandshakeError{Reason: "waiting for the response", Err: ctx.Err()}
	}
	if bad != nil {
		raw.Close()
		return nil, nil, nil, bad
	}
	return resp, conn, early, nil
}

// converse sends the request and reads the answer.
func (d *dialer) converse(conn net.Conn, fields [][2]string) (*http.Response, []byte, *HandshakeError) {
	if _, err := conn.Write(appendRequest(nil, d.to.path, d.hostField(), fields)); err != nil {
		return nil, nil, &HandshakeError{Reason: "sending the request", Err: err}
	}
	a := newAnswer(conn)
	resp, err := a.read(http.MethodGet)
	if err != nil {
		return nil, nil, &HandshakeError{Reason: "waiting for the response", Err: err}
	}
	d.keepCookies(resp)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, a.refusal(resp, errStatus.rule)
	}
	return resp, a.rest(), nil
}

// roundTrip has somebody else's RoundTripper make the request.
func (d *dialer) roundTrip(ctx, parent context.Context, fields [][2]string) (*http.Response, io.ReadWriteCloser, *HandshakeError) {
	// The stream may live under the request's context, so that one must outlive ctx.
	lasting, cancel := context.WithCancel(context.WithoutCancel(parent))
	stop := context.AfterFunc(ctx, cancel)
	req := (&http.Request{
		Method: http.MethodGet, URL: d.to.url, Host: d.hostField(), Header: http.Header{},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(lasting)
	for _, f := range fields {
		req.Header.Add(f[0], f[1]) // names as every RoundTripper expects them
	}
	resp, err := d.trip.RoundTrip(req)
	var stream io.ReadWriteCloser
	var bad *HandshakeError
	if err != nil {
		bad = &HandshakeError{Reason: "sending the request", Err: err}
	} else {
		d.keepCookies(resp)
		stream, bad = d.switched(resp, cancel)
	}
	if !stop() && bad == nil {
		bad = &HandshakeError{Reason: "waiting for the response", Err: ctx.Err()}
	}
	if bad != nil {
		cancel()
		if resp != nil {
			resp.Body.Close()
		}
		return nil, nil, bad
	}
	return resp, stream, nil
}

// switched returns the stream that a RoundTripper's response leaves behind.
func (d *dialer) switched(resp *http.Response, cancel func()) (io.ReadWriteCloser, *HandshakeError) {
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, refusedBy(resp, errStatus.rule, cancel)
	}
	stream, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		return nil, &HandshakeError{Reason: fmt.Sprintf("%T returns a 101 whose Body, a %T, cannot be written to", d.trip, resp.Body)}
	}
	return stream, nil
}

// verify holds a 101 against the rules and fills in what it settled.
func (d *dialer) verify(resp *http.Response, key, offer string, hs *Handshake) *HandshakeError {
	protocol, bad := checkResponse(resp.StatusCode, resp.Header, key, d.opts.Subprotocols)
	if bad != nil {
		return &HandshakeError{Status: resp.StatusCode, Header: resp.Header, Reason: bad.rule}
	}
	agreed, err := d.opts.checkExtensions(offer, resp.Header["Sec-Websocket-Extensions"])
	if err != nil {
		return &HandshakeError{Status: resp.StatusCode, Header: resp.Header, Reason: "the response's extensions are not those that were offered", Err: err}
	}
	hs.Subprotocol, hs.Extensions = protocol, agreed
	return nil
}

func (d *dialer) keepCookies(resp *http.Response) {
	if d.jar == nil {
		return
	}
	if cookies := resp.Cookies(); len(cookies) > 0 {
		d.jar.SetCookies(d.to.url, cookies)
	}
}

// follow turns to where a refusal redirects to, if it may. If not, it says why in
// the refusal: "the server might redirect the client using a 3xx status code (but
// clients are not required to follow them)".
func (d *dialer) follow(bad *HandshakeError) bool {
	switch bad.Status {
	case 301, 302, 303, 307, 308:
		if bad.fromProxy {
			return false
		}
	default:
		return false
	}
	if d.hops++; d.hops > min(d.opts.MaxRedirects, mostRedirects) {
		bad.Reason = "the server redirects, and MaxRedirects is " + strconv.Itoa(d.opts.MaxRedirects)
		return false
	}
	next, err := d.to.redirect(bad.Header.Get("Location"))
	if err != nil {
		bad.Reason = err.Error()
		return false
	}
	if !next.sameOrigin(d.to) {
		d.host, d.user, d.header = "", nil, harmless(d.header)
	}
	d.to = next
	return true
}

// harmless is what of the caller's header may go to another origin: a header field
// of one's own making is as likely as not a credential.
func harmless(h http.Header) http.Header {
	kept := http.Header{}
	for name, values := range h {
		if foldEqual(name, "user-agent") || foldEqual(name, "origin") {
			kept[name] = values
		}
	}
	return kept
}

// answer reads what an HTTP peer answers, and never more than the bound.
type answer struct {
	conn    net.Conn
	limited io.LimitedReader
	buf     *bufio.Reader
}

func newAnswer(conn net.Conn) *answer {
	a := &answer{conn: conn, limited: io.LimitedReader{R: conn, N: maxResponseHeader}}
	a.buf = bufio.NewReaderSize(&a.limited, 4<<10)
	return a
}

// read reads a response's header. Interim responses are passed over.
func (a *answer) read(method string) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(a.buf, &http.Request{Method: method})
		switch {
		case err != nil && a.limited.N <= 0:
			return nil, errors.New("the answer's header is longer than 16 KiB")
		case err != nil && len(err.Error()) > 200: // it quotes the line
			return nil, errors.New(err.Error()[:200] + "...")
		case err != nil:
			return nil, err
		case !resp.ProtoAtLeast(1, 1) && resp.StatusCode < 200:
			return nil, errors.New("the answer is older than HTTP/1.1")
		case resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols:
			return resp, nil
		}
	}
}

// rest is what has been read behind the header; the slice is the caller's.
func (a *answer) rest() []byte {
	early, _ := a.buf.Peek(a.buf.Buffered())
	return append([]byte(nil), early...)
}

// refusal makes an error of an answer, with the beginning of its body.
func (a *answer) refusal(resp *http.Response, reason string) *HandshakeError {
	a.limited.N = maxResponseHeader // again, now for a body and its chunks
	return refusedBy(resp, reason, func() { a.conn.Close() })
}

// refusedBy reads the beginning of a body, in bounded time because abort ends the
// reading.
func refusedBy(resp *http.Response, reason string, abort func()) *HandshakeError {
	timer := time.AfterFunc(errorBodyTimeout, abort)
	defer timer.Stop()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what came is better than nothing
	return &HandshakeError{Status: resp.StatusCode, Header: resp.Header, Body: body, Reason: reason, received: true}
}
