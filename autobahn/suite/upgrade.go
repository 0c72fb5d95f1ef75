package suite

// This file is the opening handshake of the suite, in both roles, on raw octets
// (RFC 6455, section 4). What it sends can be overridden by the cases about the
// handshake itself.

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

const (
	acceptGUID   = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // section 1.3
	product      = "autobahn-go/1"
	headLimit    = 64 << 10
	headEnd      = "\r\n\r\n"
	notWebSocket = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// httpHead is a request or a response up to its empty line.
type httpHead struct {
	first  string
	fields map[string][]string // lower-case names
}

// parseHead reads the text of a head.
func parseHead(text string) (h httpHead, err error) {
	lines := strings.Split(strings.TrimSuffix(text, headEnd), "\r\n")
	h = httpHead{first: lines[0], fields: map[string][]string{}}
	for _, l := range lines[1:] {
		name, value, ok := strings.Cut(l, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return h, fmt.Errorf("malformed header line %q", l)
		}
		name = strings.ToLower(name)
		h.fields[name] = append(h.fields[name], strings.TrimSpace(value))
	}
	return h, nil
}

// value joins the lines of a field, as if they were one.
func (h httpHead) value(name string) string { return strings.Join(h.fields[name], ", ") }

// has tells whether a field has the token, in any case.
func (h httpHead) has(name, token string) bool {
	for t := range strings.SplitSeq(h.value(name), ",") {
		if strings.EqualFold(strings.TrimSpace(t), token) {
			return true
		}
	}
	return false
}

// readHead reads up to the empty line and returns what came after it too.
func readHead(conn net.Conn) (head string, rest []byte, err error) {
	var b []byte
	p := make([]byte, 4096)
	for {
		n, err := conn.Read(p)
		b = append(b, p[:n]...)
		if i := bytes.Index(b, []byte(headEnd)); i >= 0 {
			return string(b[:i+len(headEnd)]), b[i+len(headEnd):], nil
		}
		switch {
		case err != nil:
			return string(b), nil, err
		case len(b) > headLimit:
			return string(b), nil, errors.New("the head has no end")
		}
	}
}

// request is what the suite, as a client, asks for.
type request struct {
	url    *url.URL
	key    string
	offers []deflateParams
	edit   func([]string) []string // changes the lines before they are sent; nil is none
	slow   bool                    // written octet by octet
}

func newRequest(u *url.URL, key [16]byte, offers []deflateParams) request {
	return request{url: u, key: base64.StdEncoding.EncodeToString(key[:]), offers: offers}
}

// text writes the request.
func (r request) text() string {
	lines := []string{
		"GET " + r.url.RequestURI() + " HTTP/1.1",
		"User-Agent: " + product,
		"Host: " + r.url.Host,
		"Upgrade: WebSocket",
		"Connection: Upgrade",
		"Pragma: no-cache",
		"Cache-Control: no-cache",
		"Sec-WebSocket-Key: " + r.key,
	}
	if len(r.offers) > 0 {
		var list []string
		for _, o := range r.offers {
			list = append(list, o.String())
		}
		lines = append(lines, "Sec-WebSocket-Extensions: "+strings.Join(list, ", "))
	}
	lines = append(lines, "Sec-WebSocket-Version: 13")
	if r.edit != nil {
		lines = r.edit(lines)
	}
	return strings.Join(lines, "\r\n") + headEnd
}

// checkResponse tells whether the response opens the connection, with which
// parameters of permessage-deflate (section 4.1, the numbered list at its end).
func (r request) checkResponse(text string) (*deflateParams, error) {
	h, err := parseHead(text)
	if err != nil {
		return nil, err
	}
	status := strings.Fields(h.first)
	switch {
	case len(status) < 2 || status[0] != "HTTP/1.1" || status[1] != "101":
		return nil, fmt.Errorf("the status line is %q", h.first)
	case !strings.EqualFold(h.value("upgrade"), "websocket"):
		return nil, fmt.Errorf("the Upgrade field is %q", h.value("upgrade"))
	case !h.has("connection", "upgrade"):
		return nil, fmt.Errorf("the Connection field is %q", h.value("connection"))
	case h.value("sec-websocket-accept") != acceptKey(r.key):
		return nil, fmt.Errorf("the field Sec-WebSocket-Accept is %q", h.value("sec-websocket-accept"))
	case h.value("sec-websocket-protocol") != "":
		return nil, errors.New("a subprotocol was chosen and none was offered")
	}
	list, err := parseDeflate(h.value("sec-websocket-extensions"), true)
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, nil
	case len(list) > 1 || len(r.offers) == 0:
		return nil, errors.New("permessage-deflate was not offered, or stands there twice")
	}
	return &list[0], nil
}

// clientHandshake opens the connection as a client.
func (s *session) clientHandshake(r request) (leftover []byte, err error) {
	s.conn.SetDeadline(time.Now().Add(s.scaled(openTimeout)))
	s.log.request = r.text()
	s.log.txOctets([]byte(s.log.request), 0, false)
	s.out.write([]byte(s.log.request), chopOf(r.slow))
	head, rest, err := readHead(s.conn)
	s.log.response = head
	s.log.rx([]byte(head))
	if err != nil {
		return nil, err
	}
	params, err := r.checkResponse(head)
	if err != nil {
		return nil, err
	}
	if params != nil {
		s.ext = newExtension(*params, false)
	}
	s.conn.SetDeadline(time.Time{})
	return rest, nil
}

// clientRequest is a request that a client sent to the suite.
type clientRequest struct {
	text   string
	url    *url.URL
	key    string
	offers []deflateParams
	rest   []byte
}

// readRequest reads a request and checks it (section 4.2.1).
func readRequest(conn net.Conn, limit time.Duration) (*clientRequest, error) {
	conn.SetDeadline(time.Now().Add(limit))
	defer conn.SetDeadline(time.Time{})
	text, rest, err := readHead(conn)
	if err != nil {
		return nil, err
	}
	h, err := parseHead(text)
	if err != nil {
		return nil, err
	}
	line := strings.Fields(h.first)
	if len(line) != 3 || line[0] != "GET" || line[2] != "HTTP/1.1" {
		return nil, fmt.Errorf("the request line is %q", h.first)
	}
	r := &clientRequest{text: text, key: h.value("sec-websocket-key"), rest: rest}
	if r.url, err = url.ParseRequestURI(line[1]); err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(r.key)
	switch {
	case len(h.fields["host"]) != 1:
		return nil, errors.New("the field Host must stand there once")
	case !h.has("upgrade", "websocket"):
		return nil, fmt.Errorf("the Upgrade field is %q", h.value("upgrade"))
	case !h.has("connection", "upgrade"):
		return nil, fmt.Errorf("the Connection field is %q", h.value("connection"))
	case h.value("sec-websocket-version") != "13":
		return nil, fmt.Errorf("the field Sec-WebSocket-Version is %q", h.value("sec-websocket-version"))
	case err != nil || len(key) != 16 || len(h.fields["sec-websocket-key"]) != 1:
		return nil, fmt.Errorf("the field Sec-WebSocket-Key is %q", r.key)
	}
	// An offer with a mistake in it is declined; the others stand.
	r.offers, _ = parseDeflate(h.value("sec-websocket-extensions"), false)
	return r, nil
}

// response writes the answer that opens the connection.
func (r *clientRequest) response(params *deflateParams) []string {
	lines := []string{
		"HTTP/1.1 101 Switching Protocols",
		"Server: " + product,
		"Upgrade: WebSocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Accept: " + acceptKey(r.key),
	}
	if params != nil {
		lines = append(lines, "Sec-WebSocket-Extensions: "+params.String())
	}
	return lines
}

// chopOf is the size of writes: of one octet, or as large as can be.
func chopOf(slow bool) int {
	if slow {
		return 1
	}
	return 0
}

// serverHandshake answers the request r, agreeing on params, as the case wants it.
func (s *session) serverHandshake(r *clientRequest, params *deflateParams, c *Case) {
	s.log.request = r.text
	s.log.rx([]byte(r.text))
	lines := r.response(params)
	if c.edit != nil {
		lines = c.edit(lines)
	}
	s.log.response = strings.Join(lines, "\r\n") + headEnd
	if params != nil {
		s.ext = newExtension(*params, true)
	}
	s.log.txOctets([]byte(s.log.response), 0, false)
	s.batch = append(s.batch, s.log.response...) // the first frames may go with it
	if c.slow {
		s.batch = nil
		s.out.write([]byte(s.log.response), 1)
	}
}

// handshakeKey makes the key of a request from a number.
func handshakeKey(a, b uint64) (key [16]byte) {
	binary.BigEndian.PutUint64(key[:], a)
	binary.BigEndian.PutUint64(key[8:], b)
	return key
}
