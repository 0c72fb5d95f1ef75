package websocket

// The opening handshake as pure functions: what RFC 6455, section 4, asks of a
// request and of a response, and the small grammars that their header fields
// are written in. Nothing here reads, writes or waits, so every carrier shares
// the rules: accept.go and dial.go over HTTP/1.1, and whatever else brings a
// header as a map. origin.go holds the rules of one field that has many.
//
// What always holds: a header map has its keys in the canonical form of
// net/textproto ("Sec-Websocket-Key"); letters are folded as ASCII only (with
// Unicode folding, U+212A would be a k); no function takes more than linear time
// in the bytes it is given; and no value is used before it has been checked.

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
)

// A refusal is a rule of the opening handshake that was broken. Values are never
// changed once made, so those that say nothing of the request are variables.
type refusal struct {
	status int         // what a server answers; 0 if the rule is about a server's response
	rule   string      // the rule, as a sentence
	hint   string      // what usually causes it and what helps; for the body of an answer
	header [][2]string // header fields that the answer must have
}

// Error makes a refusal an error.
func (r *refusal) Error() string { return "websocket: " + r.rule }

// body returns the text of the answer that a server sends, at most 1 KiB.
func (r *refusal) body() string {
	if r.hint == "" {
		return r.rule + "\n"
	}
	return r.rule + "\n\n" + r.hint + "\n"
}

// A 426 has to say what to upgrade to (RFC 9110, section 15.5.22).
var (
	upgradeFields = [][2]string{{"Connection", "Upgrade"}, {"Upgrade", "websocket"}}
	versionFields = [][2]string{{"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}}
)

const proxyHint = `A browser that opens this address as a page, or a plain HTTP client, gets this answer too.
If a WebSocket client asked, a proxy in between probably drops the field, which is hop-by-hop. In nginx:
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
    proxy_set_header Host $http_host;`

// What a server may find wrong with a request.
var (
	errHTTPVersion = &refusal{426, "the request is older than HTTP/1.1", `A proxy in between probably speaks HTTP/1.0 to this server. In nginx:
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";`, upgradeFields}
	errHTTP2 = &refusal{505, "the request is HTTP/2 or later, where Upgrade does not exist",
		"This address takes WebSocket connections over HTTP/1.1. A client that uses TLS has to offer http/1.1 by ALPN, and a proxy has to speak HTTP/1.1 to this server.", nil}
	errMethod = &refusal{405, "the request's method is not GET",
		"A WebSocket connection begins with a GET request. A redirect, a form or a proxy may have changed the method.", [][2]string{{"Allow", "GET"}}}
	errRequestBody = &refusal{400, "the request has a body",
		"A request with a non-zero Content-Length or with Transfer-Encoding cannot open a WebSocket connection: its body would be taken for frames.", nil}
	errHost = &refusal{400, "the request has no Host, or one that is not a host with an optional port",
		"Host has to be a name or an address, an IPv6 address in brackets, and a port if it is not the default one.", nil}
	errUpgrade = &refusal{426, "the request's Upgrade header field does not name websocket", proxyHint, upgradeFields}

	errConnection = &refusal{426, "the request's Connection header field does not have the token Upgrade", proxyHint, upgradeFields}
	errVersion    = &refusal{426, "the request's Sec-WebSocket-Version is not 13",
		"This server speaks RFC 6455, which is version 13, and nothing else.", versionFields}
	errVersions = &refusal{400, "the request has more than one Sec-WebSocket-Version", "", nil}
	errNoKey    = &refusal{400, "the request has no Sec-WebSocket-Key", "", nil}
	errKeys     = &refusal{400, "the request has more than one Sec-WebSocket-Key", "", nil}
	errKey      = &refusal{400, "the request's Sec-WebSocket-Key is not 16 bytes in base64",
		"It has to be 24 characters: 16 random bytes, encoded with the alphabet of RFC 4648, section 4, with padding and without stray bits.", nil}
	errProtocolList = &refusal{400, "the request's Sec-WebSocket-Protocol is not a list of different tokens",
		"Subprotocols are separated by commas; each is made of letters, digits and !#$%&'*+-.^_`|~ and is named once.", nil}
	errExtensionList = &refusal{400, "the request's Sec-WebSocket-Extensions does not follow the grammar of RFC 6455, section 9.1", "", nil}
)

// What a client may find wrong with a response.
var (
	errStatus         = &refusal{rule: "the server's answer is not 101 Switching Protocols"}
	errAnswerUpgrade  = &refusal{rule: "the response's Upgrade header field is not websocket"}
	errAnswerConn     = &refusal{rule: "the response's Connection header field does not have the token Upgrade"}
	errAnswerAccept   = &refusal{rule: "the response's Sec-WebSocket-Accept is not the answer to the key that was sent"}
	errAnswerProtocol = &refusal{rule: "the response chose a subprotocol that was not offered"}
	errAnswerTwice    = &refusal{rule: "the response has more than one Sec-WebSocket-Protocol or Sec-WebSocket-Extensions"}
)

// request is what the rules for a client's opening handshake look at.
type request struct {
	method       string
	major, minor int
	host         string // the value of Host, or the authority of an absolute target
	body         bool   // Content-Length is not 0, or there is a Transfer-Encoding
	header       map[string][]string
}

// checkRequest applies RFC 6455, section 4.2.1, apart from the fields that hold
// choices (origin, subprotocols, extensions), and returns the client's key.
func checkRequest(r *request) (key string, bad *refusal) {
	switch {
	// "An HTTP/1.1 or higher GET request". Higher than 1.x has no Upgrade.
	case r.major > 1:
		return "", errHTTP2
	case r.major < 1 || r.minor < 1:
		return "", errHTTPVersion
	case r.method != "GET":
		return "", errMethod
	// Not said in RFC 6455, where the first frame follows the header: bytes that one
	// reader takes for a body and another for frames are how requests are smuggled.
	case r.body:
		return "", errRequestBody
	// "A |Host| header field containing the server's authority."
	case !validHost(r.host):
		return "", errHost
	// "An |Upgrade| header field containing the value "websocket", treated as an
	// ASCII case-insensitive value."
	case !hasToken(r.header["Upgrade"], "websocket"):
		return "", errUpgrade
	// "A |Connection| header field that includes the token "Upgrade", treated as an
	// ASCII case-insensitive value."
	case !hasToken(r.header["Connection"], "upgrade"):
		return "", errConnection
	}
	// "A |Sec-WebSocket-Version| header field, with a value of 13."
	switch v := r.header["Sec-Websocket-Version"]; {
	case len(v) > 1:
		return "", errVersions
	case len(v) == 0 || v[0] != "13":
		return "", errVersion
	}
	// "The |Sec-WebSocket-Key| header field MUST NOT appear more than once in an HTTP
	// request" (section 11.3.1).
	switch v := r.header["Sec-Websocket-Key"]; {
	case len(v) == 0:
		return "", errNoKey
	case len(v) > 1:
		return "", errKeys
	case !validKey(v[0]):
		return "", errKey
	default:
		return v[0], nil
	}
}

// validKey tells whether key is "a base64-encoded value that, when decoded, is 16
// bytes in length": 21 characters of 6 bits, one of which only the upper 2 may be
// set, and the padding.
func validKey(key string) bool {
	if len(key) != 24 || key[22] != '=' || key[23] != '=' {
		return false
	}
	if !all(key[:21], base64Char) {
		return false
	}
	switch key[21] {
	case 'A', 'Q', 'g', 'w':
		return true
	}
	return false
}

// appendAccept appends the value of Sec-WebSocket-Accept for key: "concatenating
// /key/ […] with the string "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", taking the
// SHA-1 hash of this concatenated value to obtain a 20-byte value and
// base64-encoding this 20-byte hash" (RFC 6455, section 4.2.2). The key is one
// that validKey likes.
func appendAccept(dst []byte, key string) []byte {
	var b [24 + 36]byte
	copy(b[:24], key)
	copy(b[24:], "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
	sum := sha1.Sum(b[:])
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// checkResponse applies the rules for a server's opening handshake (RFC 6455,
// section 4.1), apart from extensions, and returns the subprotocol in use.
// offered are the subprotocols that the request named.
func checkResponse(status int, header map[string][]string, key string, offered []string) (protocol string, bad *refusal) {
	accept, protocols := header["Sec-Websocket-Accept"], header["Sec-Websocket-Protocol"]
	switch {
	case status != 101:
		return "", errStatus
	// "If the response lacks an |Upgrade| header field or the |Upgrade| header field
	// contains a value that is not an ASCII case-insensitive match for the value
	// "websocket", the client MUST _Fail the WebSocket Connection_."
	case len(header["Upgrade"]) != 1 || !foldEqual(header["Upgrade"][0], "websocket"):
		return "", errAnswerUpgrade
	// "… or the |Connection| header field doesn't contain a token that is an ASCII
	// case-insensitive match for the value "Upgrade""
	case !hasToken(header["Connection"], "upgrade"):
		return "", errAnswerConn
	// "The |Sec-WebSocket-Accept| header MUST NOT appear more than once" (11.3.3).
	case len(accept) != 1 || accept[0] != string(appendAccept(nil, key)):
		return "", errAnswerAccept
	// Sections 11.3.2 and 11.3.4, the same words.
	case len(protocols) > 1 || len(header["Sec-Websocket-Extensions"]) > 1:
		return "", errAnswerTwice
	case len(protocols) == 0:
		return "", nil
	// "… indicates the use of a subprotocol that was not present in the client's
	// handshake". Subprotocols are compared byte by byte.
	case !slices.Contains(offered, protocols[0]):
		return "", errAnswerProtocol
	}
	return protocols[0], nil
}

// parseProtocols reads the values of Sec-WebSocket-Protocol in a request: "The
// elements that comprise this value MUST be non-empty strings with characters in
// the range U+0021 to U+007E not including separator characters […] and MUST all
// be unique strings" (RFC 6455, section 4.1). Nil and true mean that none is offered.
func parseProtocols(values []string) (offered []string, ok bool) {
	for _, v := range values {
		for v != "" {
			var elem string
			elem, v = nextElement(v)
			if elem == "" { // "null elements are allowed" in lists (RFC 2616, section 2.1)
				continue
			}
			// A list longer than this serves nobody, and keeps the search for twins cheap.
			if !isToken(elem) || len(offered) == 64 || slices.Contains(offered, elem) {
				return nil, false
			}
			offered = append(offered, elem)
		}
	}
	return offered, true
}

// chooseProtocol returns the first of supported, which is in the server's order
// of preference, that is offered, or "".
func chooseProtocol(offered, supported []string) string {
	for _, s := range supported {
		if slices.Contains(offered, s) {
			return s
		}
	}
	return ""
}

// extension is one element of Sec-WebSocket-Extensions, as offered or agreed.
type extension struct {
	name   string
	params []extensionParam
}

// extensionParam is a parameter of an extension; value is "" if it has none.
type extensionParam struct {
	name, value string
	quoted      bool // the value stood in quotes
}

// maxExtensionParts bounds the extensions and parameters of one header, so that a
// header of a byte or two for each does not become forty times its size in memory.
const maxExtensionParts = 256

var errExtensionSyntax = errors.New("websocket: Sec-WebSocket-Extensions does not follow the grammar of RFC 6455, section 9.1")

// parseExtensions reads the values of Sec-WebSocket-Extensions (RFC 6455, section
// 9.1), one list over all header lines:
//
//	extension-list = 1#extension
//	extension = extension-token *( ";" extension-param )
//	extension-param = token [ "=" (token | quoted-string) ]
//
// It keeps the order, and leaves names and duplicates to whoever knows the
// extension. Strings are parts of values, except quoted ones with a backslash.
func parseExtensions(values []string) ([]extension, error) {
	var list []extension
	parts := 0
	for _, v := range values {
		s := scanner{rest: v}
		for {
			s.space()
			if s.take(',') { // a null element
				continue
			}
			if s.rest == "" {
				break
			}
			e, ok := s.extension(&parts)
			if !ok {
				return nil, errExtensionSyntax
			}
			list = append(list, e)
		}
	}
	return list, nil
}

// scanner reads a header field's value from the left.
type scanner struct{ rest string }

// extension reads an extension and the comma or end behind it.
func (s *scanner) extension(parts *int) (e extension, ok bool) {
	if e.name, ok = s.token(); !ok {
		return e, false
	}
	for {
		if *parts++; *parts > maxExtensionParts {
			return e, false
		}
		s.space()
		if s.rest == "" || s.take(',') {
			return e, true
		}
		if !s.take(';') {
			return e, false
		}
		p, ok := s.param()
		if !ok {
			return e, false
		}
		e.params = append(e.params, p)
	}
}

func (s *scanner) param() (p extensionParam, ok bool) {
	s.space()
	if p.name, ok = s.token(); !ok {
		return p, false
	}
	s.space()
	if !s.take('=') {
		return p, true
	}
	s.space()
	if strings.HasPrefix(s.rest, `"`) {
		p.quoted = true
		p.value, ok = s.quoted()
	} else {
		p.value, ok = s.token()
	}
	return p, ok
}

// quoted reads a quoted-string, whose value "after quoted-string unescaping MUST
// conform to the 'token' ABNF".
func (s *scanner) quoted() (string, bool) {
	body := s.rest[1:]
	i := strings.IndexAny(body, `"\`)
	if i < 0 {
		return "", false
	}
	if body[i] == '"' {
		s.rest = body[i+1:]
		return body[:i], isToken(body[:i])
	}
	value := make([]byte, 0, 32)
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			s.rest = body[i+1:]
			return string(value), isToken(string(value))
		case '\\':
			if i++; i == len(body) {
				return "", false
			}
		}
		value = append(value, body[i])
	}
	return "", false
}

func (s *scanner) token() (string, bool) {
	i := 0
	for i < len(s.rest) && charClass[s.rest[i]]&tokenChar != 0 {
		i++
	}
	t := s.rest[:i]
	s.rest = s.rest[i:]
	return t, i > 0
}

// take reads c if it is next.
func (s *scanner) take(c byte) bool {
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scanner) space() { s.rest = trimStart(s.rest) }

// hasToken tells whether the comma-separated lists in values have token, in upper
// or lower case.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for v != "" {
			var elem string
			if elem, v = nextElement(v); foldEqual(elem, token) {
				return true
			}
		}
	}
	return false
}

// nextElement cuts the first element off a comma-separated list.
func nextElement(list string) (elem, rest string) {
	elem = list
	if i := strings.IndexByte(list, ','); i >= 0 {
		elem, rest = list[:i], list[i+1:]
	}
	elem = trimStart(elem)
	for elem != "" && isSpace(elem[len(elem)-1]) {
		elem = elem[:len(elem)-1]
	}
	return elem, rest
}

// trimStart cuts optional whitespace off the beginning (RFC 9110, section 5.6.3).
func trimStart(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	return s
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// foldEqual compares a and b, folding ASCII only.
func foldEqual(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// isToken tells whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	return s != "" && all(s, tokenChar)
}

// validFieldValue tells whether s may stand in a header field: no CR, LF or NUL,
// which would end the field or the header, and no other control character but
// the tab (RFC 9110, section 5.5).
func validFieldValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7F {
			return false
		}
	}
	return true
}

// What a byte may be part of.
const (
	tokenChar  = 1 << iota // a token
	base64Char             // base64 with the alphabet of RFC 4648, section 4
	hostChar               // a host name, as browsers write it
	ipv6Char               // an IPv6 address
	schemeChar             // a URL scheme
)

// all tells whether every byte of s is of the class.
func all(s string, class uint8) bool {
	for i := range len(s) {
		if charClass[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

var charClass = classes()

func classes() (t [256]uint8) {
	add := func(class uint8, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= class
		}
	}
	const alnum = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	add(tokenChar, alnum+"!#$%&'*+-.^_`|~")
	add(base64Char, alnum+"+/")
	add(hostChar, alnum+"-._~")
	add(ipv6Char, "0123456789ABCDEFabcdef:.")
	add(schemeChar, alnum+"+-.")
	return t
}
