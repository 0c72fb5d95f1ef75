package websocket

// What a client sends: from a URL and options to the bytes of the request, all of
// it checked on the way, so that nothing a caller passes on from elsewhere can end
// a line or slip in a field. Also where a redirect may lead to. dial.go calls it.

import (
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sort"
	"strings"
)

// target is where a request goes to.
type target struct {
	secure  bool
	network string   // "tcp" or "unix"
	addr    string   // to dial: host and port, or the path of a socket
	name    string   // the host alone, for TLS; without the zone of an IPv6 address
	host    string   // for Host: host and port, unless that is the default
	tunnel  string   // for a proxy: host and port
	path    string   // the request's target: path and query
	url     *url.URL // all of it with http or https, without user and fragment
}

var (
	errURL      = errors.New("the URL is malformed")
	errFragment = errors.New("the URL has a fragment, which a WebSocket URL must not have (RFC 6455, section 3); escape it as %23")
	errScheme   = errors.New("the URL's scheme is not ws, wss, http, https, ws+unix or wss+unix")
	errURLHost  = errors.New("the URL's host is not a name or an address with an optional port; names have to be ASCII, as in xn--bcher-kva.example")
	errUnixURL  = errors.New("the URL of a Unix socket has to be like ws+unix:///path/of.sock:/resource")
)

// parseTarget reads the URL that Dial was given. Its errors never show any of it:
// a password may be anywhere in a malformed one.
func parseTarget(raw string) (*target, *url.Userinfo, error) {
	// "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST
	// NOT be used on these URIs." Even an empty one.
	if strings.Contains(raw, "#") {
		return nil, nil, errFragment
	}
	u, err := url.Parse(raw) // refuses control characters
	if err != nil {
		return nil, nil, errURL
	}
	if scheme, ok := strings.CutSuffix(u.Scheme, "+unix"); ok {
		t, err := unixTarget(scheme, u)
		return t, u.User, err
	}
	t, err := newTarget(u)
	return t, u.User, err
}

// newTarget makes a target of a URL on the network.
func newTarget(u *url.URL) (*target, error) {
	t := &target{network: "tcp"}
	port := "80"
	switch u.Scheme {
	case "ws", "http":
	case "wss", "https":
		t.secure, port = true, "443"
	default:
		return nil, errScheme
	}
	if u.Opaque != "" {
		return nil, errURL
	}
	host := u.Hostname()
	t.name, t.host = host, host
	if strings.ContainsAny(u.Host, "[]") {
		if !validIPv6(host) {
			return nil, errURLHost
		}
		t.name, _, _ = strings.Cut(host, "%") // an IPv6 zone is this machine's affair
		t.host = "[" + t.name + "]"
	}
	if p := u.Port(); p != "" && p != port {
		port = p
		t.host += ":" + p
	}
	if !validHost(t.host) {
		return nil, errURLHost
	}
	t.addr, t.tunnel = net.JoinHostPort(host, port), net.JoinHostPort(t.name, port)
	t.setResource(u.EscapedPath(), u.RawQuery, u.ForceQuery)
	return t, nil
}

// validIPv6 tells whether host is what may stand in brackets: an IPv6 address,
// perhaps with a zone. Package url lets a zone be nearly anything; one with a bracket
// would end the address early for whoever reads it next.
func validIPv6(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Is6() && !strings.ContainsAny(ip.Zone(), "[]")
}

// unixTarget makes a target of ws+unix:///path/of.sock:/resource?query. A colon in
// the path of the socket has to be escaped.
func unixTarget(scheme string, u *url.URL) (*target, error) {
	if scheme != "ws" && scheme != "wss" {
		return nil, errScheme
	}
	socket, resource, _ := strings.Cut(u.EscapedPath(), ":")
	socket, err := url.PathUnescape(socket)
	if err != nil || u.Opaque != "" || u.Host != "" || len(socket) < 2 || strings.IndexByte(socket, 0) >= 0 {
		return nil, errUnixURL
	}
	if resource != "" && resource[0] != '/' {
		return nil, errUnixURL
	}
	t := &target{secure: scheme == "wss", network: "unix", addr: socket, name: "localhost", host: "localhost"}
	t.setResource(resource, u.RawQuery, u.ForceQuery)
	return t, nil
}

// setResource sets the /resource name/ of RFC 6455, section 3, from escaped parts.
func (t *target) setResource(path, query string, force bool) {
	if path == "" {
		path = "/"
	}
	t.url = &url.URL{Scheme: "http", Host: t.host, RawQuery: escapeQuery(query), ForceQuery: force}
	if t.secure {
		t.url.Scheme = "https"
	}
	t.url.Path, _ = url.PathUnescape(path) // it was escaped by package url
	t.url.RawPath = path
	t.path = path
	if query != "" || force {
		t.path += "?" + t.url.RawQuery
	}
}

// escapeQuery escapes what package url leaves in a query although no request line
// may have it: "Characters in other components that are excluded by the syntax
// defined above MUST be converted from Unicode to ASCII by first encoding the
// characters as UTF-8 and then replacing the corresponding bytes using their
// percent-encoded form" (RFC 6455, section 11.1.1).
func escapeQuery(q string) string {
	bad := func(c byte) bool { return c <= ' ' || c >= 0x7F || strings.IndexByte("\"<>\\^`{|}", c) >= 0 }
	var b []byte
	for i := range len(q) {
		switch c := q[i]; {
		case bad(c) && b == nil:
			b = append(make([]byte, 0, len(q)+8), q[:i]...)
			fallthrough
		case bad(c):
			b = append(b, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		case b != nil:
			b = append(b, c)
		}
	}
	if b == nil {
		return q
	}
	return string(b)
}

var (
	errNoLocation = errors.New("the server redirects without saying where to, or not to a WebSocket resource")
	errDowngrade  = errors.New("the server redirects from wss to ws, which is never followed")
	errLeaveUnix  = errors.New("the server redirects from a Unix socket to the network, which is never followed")
)

// redirect returns the target that a Location leads to. User and password in it
// are the server's invention: a target has none, and no fragment either.
func (t *target) redirect(location string) (*target, error) {
	u, err := t.url.Parse(location)
	if location == "" || err != nil {
		return nil, errNoLocation
	}
	next, err := newTarget(u)
	if err != nil {
		return nil, errNoLocation
	}
	if t.secure && !next.secure {
		return nil, errDowngrade
	}
	if t.network == "unix" {
		if next.host != t.host || next.secure != t.secure {
			return nil, errLeaveUnix
		}
		next.network, next.addr = t.network, t.addr
	}
	return next, nil
}

// sameOrigin tells whether two targets are one server, as far as names can tell.
func (t *target) sameOrigin(o *target) bool {
	return t.secure == o.secure && t.network == o.network && foldEqual(t.addr, o.addr)
}

// check looks through everything of the options that goes into the request.
func (o *DialOptions) check() error {
	if o.Host != "" && !validHost(o.Host) {
		return errors.New("DialOptions.Host is not a host with an optional port")
	}
	for name, values := range o.Header {
		switch {
		case !isToken(name):
			return errors.New("DialOptions.Header has the name " + quote(name) + ", which is not a field name")
		case foldEqual(name, "sec-websocket-protocol"):
			return errors.New("DialOptions.Header has Sec-WebSocket-Protocol, which goes to Subprotocols")
		case foldEqual(name, "host"):
			return errors.New("DialOptions.Header has Host, which goes to DialOptions.Host")
		case handshakeField(name) && !foldEqual(name, "date"): // some sign it
			return errors.New("DialOptions.Header has " + name + ", which is Dial's to set")
		case slices.ContainsFunc(values, badFieldValue):
			return errors.New("DialOptions.Header has a control character in the value of " + name)
		}
	}
	for i, p := range o.Subprotocols {
		if !isToken(p) {
			return errors.New("DialOptions.Subprotocols has " + quote(p) + ", which is not a token")
		}
		if slices.Contains(o.Subprotocols[:i], p) {
			return errors.New("DialOptions.Subprotocols has " + quote(p) + " twice")
		}
	}
	return nil
}

// hostField is the value of Host.
func (d *dialer) hostField() string {
	if d.host != "" {
		return d.host
	}
	return d.to.host
}

// fields lists the request's header fields but Host, in the order they are sent
// and with the names as RFC 6455 spells them: some servers compare those exactly.
func (d *dialer) fields(key, offer string) ([][2]string, error) {
	f := make([][2]string, 0, 9+len(d.header))
	f = append(f, [2]string{"Upgrade", "websocket"}, [2]string{"Connection", "Upgrade"},
		[2]string{"Sec-WebSocket-Key", key}, [2]string{"Sec-WebSocket-Version", "13"})
	if len(d.opts.Subprotocols) > 0 {
		f = append(f, [2]string{"Sec-WebSocket-Protocol", strings.Join(d.opts.Subprotocols, ", ")})
	}
	if offer != "" {
		f = append(f, [2]string{"Sec-WebSocket-Extensions", offer})
	}
	names := make([]string, 0, len(d.header))
	agent, authorization, cookies := "Go-websocket", d.user, []string(nil)
	for name := range d.header {
		switch {
		case foldEqual(name, "user-agent"):
			agent = ""
		case foldEqual(name, "authorization"):
			authorization = nil
		case foldEqual(name, "cookie"):
			cookies = append(cookies, d.header[name]...)
			continue
		}
		names = append(names, name)
	}
	if agent != "" {
		f = append(f, [2]string{"User-Agent", agent})
	}
	if authorization != nil {
		f = append(f, [2]string{"Authorization", basicAuth(authorization)})
	}
	cookies, err := d.addCookies(cookies)
	if err != nil {
		return nil, err
	}
	if len(cookies) > 0 {
		// "the user agent MUST NOT attach more than one Cookie header field" (RFC 6265,
		// section 5.4).
		f = append(f, [2]string{"Cookie", strings.Join(cookies, "; ")})
	}
	sort.Strings(names)
	for _, name := range names {
		for _, v := range d.header[name] {
			f = append(f, [2]string{name, v})
		}
	}
	return f, nil
}

// addCookies appends the jar's cookies for the target to list.
func (d *dialer) addCookies(list []string) ([]string, error) {
	if d.jar == nil {
		return list, nil
	}
	for _, c := range d.jar.Cookies(d.to.url) {
		c = &http.Cookie{Name: c.Name, Value: c.Value, Quoted: c.Quoted}
		if c.Valid() != nil { // String would leave out what does not belong there, and log it
			return nil, errors.New("the cookie jar has a cookie whose name or value may not be in a Cookie header field")
		}
		list = append(list, c.String())
	}
	return list, nil
}

// basicAuth is the value of Authorization or Proxy-Authorization for a user of a URL.
func basicAuth(u *url.Userinfo) string {
	password, _ := u.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password))
}

// appendRequest appends the client's opening handshake (RFC 6455, section 4.1).
func appendRequest(dst []byte, path, host string, fields [][2]string) []byte {
	dst = append(append(append(dst, "GET "...), path...), " HTTP/1.1\r\n"...)
	dst = appendField(dst, "Host", host)
	for _, f := range fields {
		dst = appendField(dst, f[0], f[1])
	}
	return append(dst, "\r\n"...)
}
