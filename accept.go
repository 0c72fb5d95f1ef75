package websocket

// The server's side of the opening handshake over net/http: Accept, its options,
// and HandshakeError, which dial.go returns too. The rules themselves are in
// handshake.go and origin.go; here a request is held against them, refused by an
// ordinary HTTP response, or taken from net/http and answered.
//
// What always holds: every hook has run and every byte of the answer is known to
// be good before the connection is taken; the answer is one write; bytes that came
// behind the request go to the Conn; and nothing of net/http's buffers is kept.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AcceptOptions says how [Accept] answers a client. The zero value, and nil, are
// good for a server whose pages come from the same host. Accept does not change
// it, so one value may serve all requests at once.
type AcceptOptions struct {
	// Options is what both sides of a connection have.
	Options

	// Origins are the origins, beside the server's own, whose pages may connect:
	// "https://app.example.com", "http://localhost:5173". Scheme, host and port are
	// compared exactly; a port that is left out is the scheme's default. In
	// "https://*.example.com" the star stands for one or more labels, so neither
	// example.com itself nor evil-example.com matches. An entry of another form makes
	// every handshake fail with status 500.
	//
	// The server's own origin is made of the request's Host and of whether it came by
	// TLS. Behind a proxy that ends TLS, list the public origin here.
	//
	// A request without Origin does not come from a browser and is allowed. CheckOrigin
	// can refuse it; Authenticate is there to know more of it.
	Origins []string

	// CheckOrigin takes the place of the check described at Origins. An error refuses
	// the request, with status 403 unless the error has another one (see Authenticate).
	CheckOrigin func(*http.Request) error

	// InsecureSkipOriginCheck lets pages of every origin connect, with the cookies of
	// the user who looks at them. Any page on the web can then do with this server what
	// its user can. It is for servers that use neither cookies nor the network the
	// client is in to tell who somebody is.
	InsecureSkipOriginCheck bool

	// Subprotocols are those that the server speaks, the best first. The first that the
	// client offers too is chosen; if there is none, the connection has no subprotocol,
	// which makes browsers that offered some close it.
	Subprotocols []string

	// SelectSubprotocol takes the place of Subprotocols. It is given what the client
	// offers, in the client's order, nil if nothing, and returns one of these or "" for
	// none. An error refuses the request, with status 400 unless the error has another
	// one (see Authenticate). The slice is valid until it returns.
	SelectSubprotocol func(offered []string) (string, error)

	// Header is added to the 101 response, as are the fields that were set in the
	// ResponseWriter's header before, for example cookies. Fields of the handshake
	// itself are an error here. Names and values that do not fit into a header line
	// make the handshake fail with status 500 before anything is sent.
	Header http.Header

	// Authenticate is called when the request is known to be a good one of a known
	// origin, and before the connection is taken from net/http. The context that it
	// returns, which it may have made from the request's with values of its own, has
	// the values that [Conn.Context] will have; nil is the request's.
	//
	// An error refuses the request, with status 401, or with what it says itself if it
	// is a *[HandshakeError] (its Status, Header and Body) or has a method
	// HTTPStatus() int. The text of the error is not sent to the client.
	Authenticate func(*http.Request) (context.Context, error)

	// HandshakeTimeout bounds the writing of the response. 0 is 10 seconds, negative is
	// no bound. How long a client may take for its request is up to
	// [http.Server.ReadHeaderTimeout].
	HandshakeTimeout time.Duration
}

// A HandshakeError is an opening handshake that failed. [Accept] and [Dial] return
// no other error.
type HandshakeError struct {
	// Status is the HTTP status that Dial was answered with, by the server or by a
	// proxy, or that Accept answered with; 0 if there was no answer.
	Status int

	// Header is the header of the answer that Dial got, or the header fields that an
	// error of [AcceptOptions.Authenticate] wants in the answer.
	Header http.Header

	// Body is the first 4 KiB of the answer that Dial got, or the body that Accept
	// answered with.
	Body []byte

	// Reason is a phrase that tells the rule that was broken, or what was going on when
	// Err struck.
	Reason string

	// Err is the error behind this one, or nil: of the network, of TLS, of a context or
	// of a hook.
	Err error

	received  bool // Body came from the other side
	fromProxy bool // it came from a proxy, which has not asked the server
}

// Error returns the status, the reason, the error behind it, and the beginning of
// a body that was received.
func (e *HandshakeError) Error() string {
	b := append(make([]byte, 0, 256), "websocket: opening handshake failed"...)
	if e.Status != 0 {
		b = append(b, ": "...)
		b = strconv.AppendInt(b, int64(e.Status), 10)
		b = append(append(b, ' '), http.StatusText(e.Status)...)
	}
	if e.Reason != "" {
		b = append(append(b, ": "...), e.Reason...)
	}
	if e.Err != nil {
		b = append(append(b, ": "...), causeText(e.Err)...)
	}
	if e.received && len(e.Body) > 0 {
		b = append(b, ": "...)
		b = strconv.AppendQuote(b, string(e.Body[:min(len(e.Body), 160)]))
	}
	return string(b)
}

// Unwrap returns Err.
func (e *HandshakeError) Unwrap() error { return e.Err }

// defaultHandshakeTimeout is what HandshakeTimeout is if it is 0, on both sides.
const defaultHandshakeTimeout = 10 * time.Second

var defaultAcceptOptions AcceptOptions

// Accept answers the opening handshake of a client (RFC 6455, section 4.2) and
// returns the connection, which is then no longer net/http's: its deadlines are
// cleared, and it lives until it is closed, also when the handler has returned.
// A nil opts is like the zero value.
//
// If the handshake fails, Accept returns a *[HandshakeError], and the handler has only
// to return: Accept has answered the request, with "Connection: close" and a text that
// says what was wrong and what to do about it, unless the connection failed or was
// another's already; then Status is 0. Middleware may wrap w as
// long as the wrapper has a method Hijack, or Unwrap (see
// [http.ResponseController]).
//
// On Linux a plain TCP connection goes on at a poller of this package's, which serves
// idle connections in less memory (see [Conn.Serve]): its socket is taken out of the
// net.Conn, which is closed. What is to be set on that, for example by
// [http.Server.ConnContext], has to be set before. A type of its own that wraps the
// net.Conn, as a listener may make, stays as it is.
//
// HTTP/1.1 is required. The checks are strict where parsers differ: a request with
// a body, with two keys, or with a key that is not 16 bytes in canonical base64 is
// refused.
func Accept(w http.ResponseWriter, r *http.Request, opts *AcceptOptions) (*Conn, error) {
	if opts == nil {
		opts = &defaultAcceptOptions
	}
	var u upgrade
	if bad := u.negotiate(w, r, opts); bad != nil {
		err := bad.answer(w, r)
		if hasBody(r) {
			// net/http would wait for the rest of it before it closes the connection.
			_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
		}
		return nil, err
	}
	conn, buffered, bad := hijack(w)
	switch {
	case bad != nil && bad.Status == 0:
		return nil, bad // whoever took the connection answers
	case bad != nil:
		return nil, bad.answer(w, r)
	}
	hs := Handshake{Role: RoleServer, Subprotocol: u.protocol, Extensions: u.extensions, Header: r.Header}
	stream, rest := ownStream(conn)
	if err := u.send(stream, buffered, opts.HandshakeTimeout); err != nil {
		stream.Close()
		return nil, &HandshakeError{Reason: "the 101 response could not be written", Err: err}
	}
	if buffered != nil && buffered.Reader != nil {
		// Frames that came right behind the request. A copy: the buffer is net/http's.
		early, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
		hs.Leftover = append(hs.Leftover, early...)
	}
	hs.Leftover = append(hs.Leftover, rest...)
	c, err := newConn(stream, hs, &opts.Options, u.ctx)
	if err != nil {
		stream.Close()
		return nil, &HandshakeError{Reason: "the connection could not be set up", Err: err}
	}
	return c, nil
}

// upgrade is what the answer to a good request is made of.
type upgrade struct {
	key, protocol, extensions string
	own, set                  http.Header // opts.Header, and the ResponseWriter's
	ctx                       context.Context
}

// negotiate holds a request against the rules and lets the hooks speak, the
// cheapest first, the application's authentication after everything a stranger
// can be refused for.
func (u *upgrade) negotiate(w http.ResponseWriter, r *http.Request, opts *AcceptOptions) *HandshakeError {
	var bad *refusal
	u.key, bad = checkRequest(&request{
		method: r.Method, major: r.ProtoMajor, minor: r.ProtoMinor, host: r.Host,
		body: hasBody(r), header: r.Header,
	})
	switch {
	case bad != nil:
		return bad.err(nil)
	case opts.CheckOrigin != nil:
		if err := opts.CheckOrigin(r); err != nil {
			return hookRefusal(err, 403, "the request's origin is not allowed")
		}
	case !opts.InsecureSkipOriginCheck:
		if bad = checkOrigin(r.Header, r.Host, r.TLS != nil, opts.Origins); bad != nil {
			return bad.err(nil)
		}
	}
	offered, ok := parseProtocols(r.Header["Sec-Websocket-Protocol"])
	if !ok {
		return errProtocolList.err(nil)
	}
	if values := r.Header["Sec-Websocket-Extensions"]; len(values) > 0 {
		var err error
		if u.extensions, err = opts.acceptExtensions(values); err != nil {
			return errExtensionList.err(err)
		}
	}
	u.ctx = r.Context()
	if opts.Authenticate != nil {
		ctx, err := opts.Authenticate(r)
		if err != nil {
			return hookRefusal(err, 401, "the request is not authenticated")
		}
		if ctx != nil {
			u.ctx = ctx
		}
	}
	if e := u.chooseProtocol(offered, opts); e != nil {
		return e
	}
	// After the hooks, which may have set cookies.
	u.own, u.set = opts.Header, w.Header()
	return u.checkHeader()
}

func hasBody(r *http.Request) bool { return r.ContentLength != 0 || len(r.TransferEncoding) > 0 }

func (u *upgrade) chooseProtocol(offered []string, opts *AcceptOptions) *HandshakeError {
	if opts.SelectSubprotocol == nil {
		u.protocol = chooseProtocol(offered, opts.Subprotocols)
		return nil
	}
	chosen, err := opts.SelectSubprotocol(offered)
	if err != nil {
		return hookRefusal(err, 400, "none of the offered subprotocols is acceptable")
	}
	// "The value chosen MUST be derived from the client's handshake, specifically by
	// selecting one of the values from the |Sec-WebSocket-Protocol| field".
	if chosen != "" && !slices.Contains(offered, chosen) {
		return misconfigured("SelectSubprotocol chose " + quote(chosen) + ", which was not offered")
	}
	u.protocol = chosen
	return nil
}

// checkHeader looks for what would break the response apart or speak against it.
func (u *upgrade) checkHeader() *HandshakeError {
	for name, values := range u.own {
		if !isToken(name) || handshakeField(name) {
			return misconfigured("AcceptOptions.Header has the name " + quote(name) + ", which is not a field name or is Accept's to set")
		}
		if slices.ContainsFunc(values, badFieldValue) {
			return misconfigured("AcceptOptions.Header has a control character in the value of " + name)
		}
	}
	for name, values := range u.set {
		if !handshakeField(name) && (!isToken(name) || slices.ContainsFunc(values, badFieldValue)) {
			return misconfigured("the ResponseWriter's header has a control character in " + quote(name) + " or its value")
		}
	}
	return nil
}

func badFieldValue(v string) bool { return !validFieldValue(v) }

// handshakeField tells whether a header field belongs to the handshake, to the
// message or to the transport, so that nobody else may set it.
func handshakeField(name string) bool {
	for _, own := range [...]string{"connection", "upgrade", "keep-alive", "te", "trailer", "transfer-encoding", "date"} {
		if foldEqual(name, own) {
			return true
		}
	}
	return hasFoldPrefix(name, "sec-websocket-") || hasFoldPrefix(name, "content-") || strings.HasPrefix(name, http.TrailerPrefix)
}

func hasFoldPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && foldEqual(s[:len(prefix)], prefix)
}

// ownStream returns what a connection is to be run over: conn, or its socket, if that
// can wait at a poller of ours (poller_linux.go), and what has been read from it.
func ownStream(conn net.Conn) (stream io.ReadWriteCloser, rest []byte) {
	if s, rest := takeSocket(conn); s != nil {
		return s, rest
	}
	return conn, nil
}

// send writes the 101 response in one piece, and leaves the connection without
// deadlines: those of http.Server were for HTTP.
func (u *upgrade) send(stream io.Writer, buffered *bufio.ReadWriter, timeout time.Duration) error {
	var dst []byte
	if buffered != nil && buffered.Writer != nil {
		dst = buffered.Writer.AvailableBuffer() // nobody else has a use for it now
	}
	response := u.appendResponse(dst)
	setDeadline := func(time.Time) error { return nil }
	switch s := stream.(type) {
	case *socket:
		n, err := s.tryWrite(response)
		if err != nil || n == len(response) {
			return err
		}
		response, setDeadline = response[n:], s.SetWriteDeadline
	case net.Conn:
		setDeadline = s.SetDeadline
	}
	if timeout == 0 {
		timeout = defaultHandshakeTimeout
	}
	if timeout > 0 {
		if err := setDeadline(time.Now().Add(timeout)); err != nil {
			return fmt.Errorf("%T cannot set deadlines, so no timeout would work: %w", stream, err)
		}
	}
	if _, err := stream.Write(response); err != nil {
		return err
	}
	return setDeadline(time.Time{})
}

// appendResponse appends the server's opening handshake (RFC 6455, section 4.2.2,
// step 5).
func (u *upgrade) appendResponse(dst []byte) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = append(appendAccept(dst, u.key), "\r\n"...)
	if u.protocol != "" {
		dst = appendField(dst, "Sec-WebSocket-Protocol", u.protocol)
	}
	if u.extensions != "" {
		dst = appendField(dst, "Sec-WebSocket-Extensions", u.extensions)
	}
	for name, values := range u.own {
		for _, v := range values {
			dst = appendField(dst, name, v)
		}
	}
	for name, values := range u.set {
		if handshakeField(name) {
			continue
		}
		for _, v := range values {
			dst = appendField(dst, name, v)
		}
	}
	return append(dst, "\r\n"...)
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(append(dst, name...), ": "...)
	return append(append(dst, value...), "\r\n"...)
}

// hijack takes the connection from net/http.
func hijack(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, *HandshakeError) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	switch {
	case err == nil && conn != nil:
		return conn, buffered, nil
	case errors.Is(err, http.ErrHijacked):
		return nil, nil, &HandshakeError{Reason: "the connection has been taken from its HTTP server before, perhaps by an earlier Accept", Err: err}
	case err == nil:
		err = errors.New("it returned neither a connection nor an error")
	}
	e := misconfigured("the connection cannot be taken from " + wrapperChain(w))
	e.Err = err
	e.Body = []byte("the server cannot take this connection from its HTTP server\n\n" +
		"A middleware probably wraps http.ResponseWriter in a type without Hijack and Unwrap,\n" +
		"as http.TimeoutHandler does. Give the wrapper Unwrap() http.ResponseWriter,\n" +
		"or keep the middleware away from this address.\n")
	return nil, nil, e
}

// wrapperChain names the types that w is made of, as in
// "*mw.statusWriter -> *gzip.Writer, which has neither Hijack nor Unwrap".
func wrapperChain(w http.ResponseWriter) string {
	var b strings.Builder
	for range 32 { // an Unwrap that goes in circles must not hang the server
		fmt.Fprintf(&b, "%T", w)
		if _, ok := w.(http.Hijacker); ok {
			return b.String() + ", whose Hijack failed"
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return b.String() + ", which has neither Hijack nor Unwrap"
		}
		w = u.Unwrap()
		b.WriteString(" -> ")
	}
	return b.String() + "and so on"
}

// err makes a broken rule what Accept returns; cause may be nil.
func (r *refusal) err(cause error) *HandshakeError {
	e := &HandshakeError{Status: r.status, Reason: r.rule, Body: []byte(r.body()), Err: cause}
	for _, f := range r.header {
		if e.Header == nil {
			e.Header = make(http.Header, len(r.header))
		}
		e.Header[f[0]] = append(e.Header[f[0]], f[1])
	}
	return e
}

// misconfigured is a handshake that fails for a mistake in the server. The client
// is not told which.
func misconfigured(reason string) *HandshakeError {
	return &HandshakeError{Status: 500, Reason: reason, Body: []byte("the server is not configured well; its error says how\n")}
}

// hookRefusal is a request that a hook of the application refused.
func hookRefusal(err error, status int, rule string) *HandshakeError {
	e := &HandshakeError{Status: status, Reason: rule, Err: err}
	var own *HandshakeError
	var coded interface{ HTTPStatus() int }
	switch {
	case errors.As(err, &own):
		e.Header, e.Body = own.Header.Clone(), own.Body
		if own.Status != 0 {
			e.Status = own.Status
		}
	case errors.As(err, &coded):
		e.Status = coded.HTTPStatus()
	}
	if e.Status < 300 || e.Status > 599 {
		e.Status = 500
	}
	if e.Body == nil {
		e.Body = []byte(rule + "\n")
	}
	return e
}

// endAfter has net/http close the connection behind a refusal: whatever the client
// has sent behind its request was meant as frames and must not be taken for a
// request. In HTTP/2 nothing lies behind a request, and the connection is also that
// of others.
func endAfter(h http.Header, r *http.Request) {
	if r.ProtoMajor < 2 {
		h["Connection"] = append([]string{"close"}, h["Connection"]...) // net/http looks at the first
	}
}

// answer sends the refusal as an HTTP response and returns it as an error.
func (e *HandshakeError) answer(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	for _, name := range []string{"Connection", "Content-Length", "Content-Encoding", "Etag", "Last-Modified"} {
		h.Del(name)
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	for name, values := range e.Header {
		switch name = http.CanonicalHeaderKey(name); name {
		case "Content-Length", "Content-Encoding", "Transfer-Encoding", "Trailer":
			// Of another answer: Dial keeps 4 KiB of a body, in an error that a hook may pass on.
		default:
			h[name] = slices.Clone(values)
		}
	}
	endAfter(h, r)
	// "The server generating a 401 response MUST send a WWW-Authenticate header field"
	// (RFC 9110, section 15.5.2). This one opens no dialog in browsers.
	if e.Status == 401 && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(e.Status)
	_, _ = w.Write(e.Body) // there is nobody left to tell
	return e
}
