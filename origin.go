package websocket

// Which pages may connect: the rules for the Origin header field (RFC 6455,
// section 10.2; the field is RFC 6454, section 7), and for the host and port that
// it shares with Host. Pure like handshake.go, whose rules these are a part of.
//
// What always holds: an origin is scheme, host and port, all three compared
// exactly, but for the case of ASCII letters and a port that is the default of
// its scheme; whatever does not parse is refused and never compared; nothing is
// allocated for a request that is allowed.

import (
	"strconv"
	"strings"
)

// origin is the three parts of "scheme://host:port", as they were written. Only a
// pattern is wild.
type origin struct {
	scheme, host, port string
	wild               bool
}

var (
	errOrigins = &refusal{403, "the request has more than one Origin", "", nil}
	errPattern = &refusal{500, "an entry of Origins is not scheme://host, scheme://host:port or scheme://*.host",
		"The server is not configured well; its log may say more.", nil}
)

// checkOrigin tells whether the request may come from where it says. A request
// without Origin is not a browser's and is allowed. Else the origin has to be the
// server's own, which host (the value of Host) and secure (TLS) tell, or match one
// of patterns.
func checkOrigin(header map[string][]string, host string, secure bool, patterns []string) *refusal {
	for _, p := range patterns {
		if _, ok := parsePattern(p); !ok {
			return errPattern
		}
	}
	values := header["Origin"]
	switch len(values) {
	case 0:
		return nil
	case 1:
	default: // which one a page is from is anybody's guess
		return errOrigins
	}
	own := origin{scheme: "http"}
	if secure {
		own.scheme = "https"
	}
	from, ok := parseOrigin(values[0])
	if !ok {
		return foreignOrigin(values[0], own.scheme, host)
	}
	if own.host, own.port, ok = splitAuthority(host); ok && own.equal(from) {
		return nil
	}
	for _, p := range patterns {
		if pattern, _ := parsePattern(p); pattern.matches(from) {
			return nil
		}
	}
	return foreignOrigin(values[0], own.scheme, host)
}

// foreignOrigin explains why an origin was refused. "If the origin indicated is
// unacceptable to the server, then it SHOULD respond to the WebSocket handshake
// with a reply containing HTTP 403 Forbidden status code" (section 10.2).
func foreignOrigin(from, scheme, host string) *refusal {
	return &refusal{
		status: 403,
		rule:   "the request's Origin " + quote(from) + " is not allowed",
		hint: "It was compared with this server's own, " + quote(scheme+"://"+host) + ", and with the configured Origins.\n" +
			"If pages of that origin may connect, add it to Origins, as in \"https://app.example.com\".\n" +
			"If a proxy in front ends TLS or changes Host, the server sees another scheme or host than the browser:\n" +
			"add the public origin to Origins, and let the proxy pass Host on.",
	}
}

// quote makes a part of a request harmless and short enough for an answer.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}

// equal compares two origins.
func (o origin) equal(p origin) bool {
	return foldEqual(o.scheme, p.scheme) && foldEqual(o.host, p.host) && o.effectivePort() == p.effectivePort()
}

// matches tells whether p is the origin that pattern o describes. One that is
// wild stands for one or more labels before its host.
func (o origin) matches(p origin) bool {
	if !o.wild {
		return o.equal(p)
	}
	dot := len(p.host) - len(o.host) - 1
	if dot <= 0 || p.host[dot] != '.' {
		return false
	}
	labels := p.host[:dot]
	if labels[0] == '.' || labels[dot-1] == '.' || strings.Contains(labels, "..") {
		return false
	}
	p.host = p.host[dot+1:]
	return o.equal(p)
}

// effectivePort is the port, or the one that the scheme implies, or "".
func (o origin) effectivePort() string {
	switch {
	case o.port != "":
		return o.port
	case foldEqual(o.scheme, "https"), foldEqual(o.scheme, "wss"):
		return "443"
	case foldEqual(o.scheme, "http"), foldEqual(o.scheme, "ws"):
		return "80"
	}
	return ""
}

// parseOrigin reads a serialized origin (RFC 6454, section 6.2): no path, no user,
// and neither "null" nor a list, which name nobody that could be allowed.
func parseOrigin(s string) (o origin, ok bool) {
	scheme, authority, ok := strings.Cut(s, "://")
	if !ok || scheme == "" || !all(scheme, schemeChar) {
		return o, false
	}
	o.scheme = scheme
	o.host, o.port, ok = splitAuthority(authority)
	return o, ok
}

// parsePattern reads an entry of Origins: an origin, or one with "*." before its
// host, which is a name.
func parsePattern(s string) (o origin, ok bool) {
	scheme, authority, ok := strings.Cut(s, "://*.")
	if !ok {
		return parseOrigin(s)
	}
	if scheme == "" || !all(scheme, schemeChar) {
		return o, false
	}
	o.scheme, o.wild = scheme, true
	o.host, o.port, ok = splitAuthority(authority)
	return o, ok && o.host[0] != '[' && o.host[0] != '.'
}

// validHost tells whether s can be the value of Host: "uri-host [ ":" port ]".
func validHost(s string) bool {
	_, _, ok := splitAuthority(s)
	return ok
}

// splitAuthority cuts host and port apart. An IPv6 address keeps its brackets, and
// may not have a zone, which means nothing to another machine. The port is a number
// up to 65535 without leading zeros, so that equal ports are equal strings.
func splitAuthority(s string) (host, port string, ok bool) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < len("[::") || !all(s[1:end], ipv6Char) {
			return "", "", false
		}
		host, port = s[:end+1], s[end+1:]
	} else {
		end := strings.IndexByte(s, ':')
		if end < 0 {
			end = len(s)
		}
		host, port = s[:end], s[end:]
		if host == "" || !all(host, hostChar) {
			return "", "", false
		}
	}
	if port == "" {
		return host, "", true
	}
	if port[0] != ':' || !validPort(port[1:]) {
		return "", "", false
	}
	return host, port[1:], true
}

func validPort(s string) bool {
	if len(s) == 0 || len(s) > 5 || s[0] == '0' {
		return false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n <= 65535
}
