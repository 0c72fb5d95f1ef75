package websocket

// The stream that a client's request is sent on: directly or by a proxy, and TLS.
// "If the client is configured to use a proxy […] then the client SHOULD connect
// to that proxy and ask it to open a TCP connection to the host given by /host/ and
// the port given by /port/" (RFC 6455, section 4.1), whether by CONNECT (RFC 9110,
// section 9.3.6) or SOCKS5 (RFC 1928, RFC 1929). dial.go calls it.
//
// What always holds: no byte is read from the stream that belongs to the next
// layer, or it is given to it; no error has a user or a password in it; whoever
// calls closes the stream, also to end a step that takes too long.

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// open opens the stream to the server or to its proxy, which is nil if there is
// none. encrypted tells that TLS with the server has been spoken already.
func (d *dialer) open(ctx context.Context) (conn net.Conn, proxy *url.URL, encrypted bool, bad *HandshakeError) {
	if d.proxy != nil && d.to.network == "tcp" {
		var err error
		req := &http.Request{Method: http.MethodGet, URL: d.to.url, Host: d.to.host, Header: http.Header{}}
		if proxy, err = d.proxy(req.WithContext(ctx)); err != nil {
			return nil, nil, false, &HandshakeError{Reason: "looking for a proxy", Err: withoutUser(err)}
		}
	}
	dial, addr, reason := d.dial, d.to.addr, "connecting to "
	switch {
	case proxy != nil:
		reason = "connecting to the proxy "
		if addr = proxyAddr(proxy); addr == "" {
			return nil, nil, false, &HandshakeError{Reason: "the proxy's URL is not http, https, socks5 or socks5h with a host"}
		}
	case d.to.secure && d.dialTLS != nil:
		dial, encrypted = d.dialTLS, true
	}
	conn, err := dial(ctx, d.to.network, addr)
	if err == nil && conn == nil {
		err = errors.New("the dialer returned neither a connection nor an error")
	}
	if err != nil {
		return nil, nil, false, &HandshakeError{Reason: reason + addr, Err: err}
	}
	return conn, proxy, encrypted, nil
}

// withoutUser drops an error that may show a URL with a user and password.
func withoutUser(err error) error {
	if strings.Contains(err.Error(), "@") {
		return errors.New("the proxy's URL is malformed")
	}
	return err
}

// proxyAddr is the address of a proxy, or "" if it cannot be used.
func proxyAddr(u *url.URL) string {
	port := map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	if port == "" || u.Hostname() == "" {
		return ""
	}
	if p := u.Port(); p != "" {
		port = p
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// tunnel goes on from an open stream to one that the request can be sent on.
func (d *dialer) tunnel(ctx context.Context, conn net.Conn, proxy *url.URL, encrypted bool) (net.Conn, *HandshakeError) {
	var bad *HandshakeError
	if proxy != nil {
		if proxy.Scheme == "https" {
			if conn, bad = d.encrypt(ctx, conn, proxy.Hostname(), true); bad != nil {
				return nil, bad
			}
		}
		if proxy.Scheme == "http" || proxy.Scheme == "https" {
			conn, bad = d.connect(ctx, conn, proxy)
		} else if err := socks5(conn, proxy.User, d.to.tunnel); err != nil {
			bad = &HandshakeError{Reason: "asking the proxy " + proxy.Host + " for a tunnel", Err: err}
		}
		if bad != nil {
			return nil, bad
		}
	}
	if d.to.secure && !encrypted {
		return d.encrypt(ctx, conn, d.to.name, false)
	}
	return conn, nil
}

// encrypt speaks TLS over conn. "Clients MUST use the Server Name Indication
// extension in the TLS handshake" (RFC 6455, section 4.1).
func (d *dialer) encrypt(ctx context.Context, conn net.Conn, name string, proxy bool) (net.Conn, *HandshakeError) {
	config := &tls.Config{}
	if d.tls != nil {
		config = d.tls.Clone()
	}
	if config.ServerName == "" || proxy { // a name in the options is the server's
		config.ServerName = name
	}
	config.NextProtos = []string{"http/1.1"} // a server that chose h2 would not understand the request
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, &HandshakeError{Reason: "speaking TLS with " + name, Err: err}
	}
	return secured, nil
}

// connect asks an HTTP proxy for a tunnel.
func (d *dialer) connect(ctx context.Context, conn net.Conn, proxy *url.URL) (net.Conn, *HandshakeError) {
	reason := "asking the proxy " + proxy.Host + " for a tunnel"
	var header http.Header
	if d.proxyHeader != nil {
		var err error
		if header, err = d.proxyHeader(ctx, proxy, d.to.tunnel); err != nil {
			return nil, &HandshakeError{Reason: reason, Err: err}
		}
	}
	req := append([]byte("CONNECT "), d.to.tunnel...)
	req = append(req, " HTTP/1.1\r\n"...)
	req = appendField(req, "Host", d.to.tunnel)
	user := proxy.User
	for name, values := range header {
		switch {
		case foldEqual(name, "proxy-authorization"):
			user = nil
		case foldEqual(name, "host"), foldEqual(name, "content-length"), foldEqual(name, "transfer-encoding"), foldEqual(name, "trailer"):
			continue // not the header's to say: net/http leaves them out as well
		}
		for _, v := range values {
			if !isToken(name) || badFieldValue(v) {
				return nil, &HandshakeError{Reason: "the header for CONNECT has a control character in it"}
			}
			req = appendField(req, name, v)
		}
	}
	if user != nil {
		req = appendField(req, "Proxy-Authorization", basicAuth(user))
	}
	if _, err := conn.Write(append(req, "\r\n"...)); err != nil {
		return nil, &HandshakeError{Reason: reason, Err: err}
	}
	a := newAnswer(conn)
	resp, err := a.read(http.MethodConnect)
	if err != nil {
		return nil, &HandshakeError{Reason: reason, Err: err}
	}
	// "Any 2xx (Successful) response indicates that the sender (and all inbound
	// proxies) will switch to tunnel mode immediately after the response header
	// section" (RFC 9110, section 9.3.6).
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		bad := a.refusal(resp, "the proxy "+proxy.Host+" refuses to connect to "+d.to.tunnel)
		bad.fromProxy = true
		return nil, bad
	}
	if early := a.rest(); len(early) > 0 {
		return &prefixConn{conn, early}, nil
	}
	return conn, nil
}

// prefixConn is a stream of which some bytes have been read already.
type prefixConn struct {
	net.Conn
	early []byte
}

// Read reads the early bytes first.
func (c *prefixConn) Read(p []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.early)
	c.early = c.early[n:]
	return n, nil
}

// SOCKS5 by its names (RFC 1928, sections 3 to 6).
const (
	socksVersion    = 5
	socksNoAuth     = 0
	socksPassword   = 2 // RFC 1929
	socksConnect    = 1
	socksIPv4       = 1
	socksDomainName = 3
	socksIPv6       = 4
)

var (
	errSocks         = errors.New("the proxy does not speak SOCKS5")
	errSocksAuth     = errors.New("the proxy wants another kind of authentication, or user and password")
	errSocksPassword = errors.New("the proxy does not accept the user and password")
	errSocksLength   = errors.New("user, password or host name is too long for SOCKS5, which has one byte for their length")
	socksReplies     = [...]string{1: "general failure", "not allowed by its rules", "network unreachable", "host unreachable",
		"connection refused", "TTL expired", "command not supported", "address type not supported"}
)

// socks5 has the proxy at the other end of conn open a stream to addr. It reads
// exactly what the proxy says.
func socks5(conn io.ReadWriter, user *url.Userinfo, addr string) error {
	hello := []byte{socksVersion, 1, socksNoAuth}
	if user != nil {
		hello = []byte{socksVersion, 2, socksNoAuth, socksPassword}
	}
	request, err := socksRequest(addr)
	if err != nil {
		return err
	}
	var chosen [2]byte
	if err := ask(conn, hello, chosen[:]); err != nil {
		return err
	}
	switch {
	case chosen[0] != socksVersion:
		return errSocks
	case chosen[1] == socksPassword && user != nil:
		if err := socksLogin(conn, user); err != nil {
			return err
		}
	case chosen[1] != socksNoAuth:
		return errSocksAuth
	}
	var reply [5]byte // up to the first byte of the address
	if err := ask(conn, request, reply[:4]); err != nil {
		return err
	}
	if reply[0] != socksVersion {
		return errSocks
	}
	if code := int(reply[1]); code != 0 {
		if code < len(socksReplies) {
			return errors.New("the proxy says: " + socksReplies[code])
		}
		return errors.New("the proxy says: reply " + strconv.Itoa(code))
	}
	return socksSkipAddress(conn, reply[3])
}

// ask writes a message and reads an answer of known length.
func ask(conn io.ReadWriter, message, answer []byte) error {
	if _, err := conn.Write(message); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, answer)
	return err
}

// socksLogin is RFC 1929.
func socksLogin(conn io.ReadWriter, user *url.Userinfo) error {
	name := user.Username()
	password, _ := user.Password()
	if name == "" || len(name) > 255 || len(password) > 255 {
		return errSocksLength
	}
	message := append([]byte{1, byte(len(name))}, name...)
	message = append(append(message, byte(len(password))), password...)
	var answer [2]byte
	if err := ask(conn, message, answer[:]); err != nil {
		return err
	}
	if answer[1] != 0 {
		return errSocksPassword
	}
	return nil
}

// socksRequest is the request to connect to addr.
func socksRequest(addr string) ([]byte, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	b := []byte{socksVersion, socksConnect, 0}
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && ip.Is4():
		b = append(append(b, socksIPv4), ip.AsSlice()...)
	case err == nil:
		b = append(append(b, socksIPv6), ip.AsSlice()...)
	case len(host) > 255:
		return nil, errSocksLength
	default:
		b = append(append(b, socksDomainName, byte(len(host))), host...)
	}
	return append(b, byte(number>>8), byte(number)), nil
}

// socksSkipAddress reads the address that the proxy connects from, which is of no
// use here.
func socksSkipAddress(conn io.Reader, kind byte) error {
	var b [256 + 2]byte
	n := 0
	switch kind {
	case socksIPv4:
		n = 4
	case socksIPv6:
		n = 16
	case socksDomainName:
		if _, err := io.ReadFull(conn, b[:1]); err != nil {
			return err
		}
		n = int(b[0])
	default:
		return errSocks
	}
	_, err := io.ReadFull(conn, b[:n+2])
	return err
}
