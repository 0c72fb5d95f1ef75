package suite

// This file holds category 20, which the original announces and lacks: the opening
// handshake. A server gets requests that it must refuse, and odd ones that it must
// take; a client gets responses that it must refuse, and odd ones.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// setLine replaces the header line that begins with name, adds it if there is none,
// or, with an empty value, removes it.
func setLine(name, value string) func([]string) []string {
	return func(lines []string) []string {
		at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
		switch {
		case at < 0:
			return append(lines, name+": "+value)
		case value == "":
			return slices.Delete(lines, at, at+1)
		}
		lines[at] = name + ": " + value
		return lines
	}
}

func setFirst(line string) func([]string) []string {
	return func(lines []string) []string {
		lines[0] = line
		return lines
	}
}

// refusal is the player of a request that a server must refuse.
type refusal struct {
	want   string // the status that the RFC names; "" is any error
	header string // that the response must have

	opened  bool
	status  string
	why     string
	refusal bool
}

func (p *refusal) open(s *session) {
	p.opened = true
	s.sendClose(1002, nil)
}

func (p *refusal) message(*session, message) {}
func (p *refusal) pong(*session, []byte)     {}

func (p *refusal) refused(response string, err error) {
	h, e := parseHead(response)
	fields := strings.Fields(h.first)
	switch {
	case response == "" || e != nil:
		p.why = "The server closed TCP without an HTTP response: " + err.Error() + "."
	case len(fields) < 2 || !strings.HasPrefix(fields[0], "HTTP/1."):
		p.why = fmt.Sprintf("The response begins with %q.", h.first)
	case fields[1] == "101":
		p.why = "The response opens the connection, but not as it must: " + err.Error() + "."
		p.opened = true
	default:
		p.status, p.refusal = fields[1], true
		p.why = "The server answered with " + strings.Join(fields[1:], " ") + "."
		if p.header != "" && h.value(strings.ToLower(p.header)) == "" {
			p.refusal = false
			p.why += " " + p.header + " is missing."
		}
	}
}

func (p *refusal) verdict(s *session) verdict {
	v := verdict{behavior: result.Failed, close: suiteCloses, result: "The server opened the connection."}
	switch {
	case p.opened:
	case p.refusal && (p.want == "" || p.want == p.status):
		v.behavior, v.unopened = result.OK, true
	case s.openTimedOut:
		v.result = "The server did not answer."
		return v
	default:
		// Refused, but not in the way that the RFC asks for.
		v.behavior, v.unopened = result.NonStrict, true
	}
	if !p.opened {
		v.result = p.why
	}
	return v
}

var (
	rfcRequest = rfc6455("4.2.1", `If the server, while reading the handshake, finds that the client did not send a handshake that matches the description below [...], the server MUST stop processing the client's handshake and return an HTTP response with an appropriate error code (such as 400 Bad Request).`)
	rfcVersion = rfc6455("4.2.2", `If this version does not match a version understood by the server, the server MUST abort the WebSocket handshake described in this section and instead send an appropriate HTTP error code (such as 426 Upgrade Required) and a |Sec-WebSocket-Version| header field indicating the version(s) the server is capable of understanding.`)
	rfcOneKey  = rfc6455("11.3.1", `The |Sec-WebSocket-Key| header field MUST NOT appear more than once in an HTTP request.`)
	rfcOddity  = rfc6455("4.2.1", `A |Connection| header field that includes the token "Upgrade", treated as an ASCII case-insensitive value.`)
	rfcOffered = rfc6455("9.1", `Note that the order of extensions is significant. [...] The extensions listed by the server in response represent the extensions actually in use for the connection.`)
	rfcAnswer  = rfc6455("4.1", `If the response lacks a |Sec-WebSocket-Accept| header field or the |Sec-WebSocket-Accept| contains a value other than the base64-encoded SHA-1 [...], the client MUST _Fail the WebSocket Connection_.`)
	rfcUpgrade = rfc6455("4.1", `If the response lacks an |Upgrade| header field or the |Upgrade| header field contains a value that is not an ASCII case-insensitive match for the value "websocket", the client MUST _Fail the WebSocket Connection_.`)
	rfcConn    = rfc6455("4.1", `If the response lacks a |Connection| header field or the |Connection| header field doesn't contain a token that is an ASCII case-insensitive match for the value "Upgrade", the client MUST _Fail the WebSocket Connection_.`)
	rfcStatus  = rfc6455("4.1", `If the status code received from the server is not 101, the client handles the response per HTTP [RFC2616] procedures.`)
	rfcForeign = rfc6455("4.1", `If the response includes a |Sec-WebSocket-Extensions| header field and this header field indicates the use of an extension that was not present in the client's handshake (the server has indicated an extension not requested by the client), the client MUST _Fail the WebSocket Connection_.`)
	rfcSubprot = rfc6455("4.1", `If the response includes a |Sec-WebSocket-Protocol| header field and this header field indicates the use of a subprotocol that was not present in the client's handshake (the server has indicated a subprotocol not requested by the client), the client MUST _Fail the WebSocket Connection_.`)
)

func cases20() (list []*Case) {
	for _, group := range [][]*Case{badRequests(), oddRequests(), badResponses(), oddResponses()} {
		list = append(list, group...)
	}
	return list
}

func badRequests() (list []*Case) {
	const key = "Sec-WebSocket-Key"
	add := func(about string, rule result.RFC, p refusal, edit func([]string) []string) {
		list = append(list, &Case{
			ID: fmt.Sprintf("20.1.%d", len(list)+1), Description: "A request " + about + ".", RFC: rule, NoClient: true, edit: edit,
			Expectation: "The server refuses it with an HTTP error.",
			play:        func() player { q := p; return &q },
		})
	}
	add("with Sec-WebSocket-Version 8", rfcVersion, refusal{header: "Sec-WebSocket-Version"}, setLine("Sec-WebSocket-Version", "8"))
	add("without Sec-WebSocket-Version", rfcRequest, refusal{}, setLine("Sec-WebSocket-Version", ""))
	add("without Sec-WebSocket-Key", rfcRequest, refusal{}, setLine(key, ""))
	add("whose Sec-WebSocket-Key has 15 octets", rfcRequest, refusal{}, setLine(key, "MTIzNDU2Nzg5MDEyMzQ1"))
	add("whose Sec-WebSocket-Key is not base64", rfcRequest, refusal{}, setLine(key, "this is no base64 at all"))
	add("with two Sec-WebSocket-Key fields", rfcOneKey, refusal{}, func(l []string) []string {
		return append(l, key+": AAAAAAAAAAAAAAAAAAAAAA==")
	})
	add("without Upgrade", rfcRequest, refusal{}, setLine("Upgrade", ""))
	add("with Upgrade: h2c", rfcRequest, refusal{}, setLine("Upgrade", "h2c"))
	add("without Connection", rfcRequest, refusal{}, setLine("Connection", ""))
	add("with Connection: keep-alive", rfcRequest, refusal{}, setLine("Connection", "keep-alive"))
	add("with the method POST", rfcRequest, refusal{}, func(l []string) []string {
		return append(setFirst(strings.Replace(l[0], "GET", "POST", 1))(l), "Content-Length: 0")
	})
	add("of HTTP/1.0", rfcRequest, refusal{}, func(l []string) []string {
		return setFirst(strings.Replace(l[0], "HTTP/1.1", "HTTP/1.0", 1))(l)
	})
	add("without Host", rfcRequest, refusal{}, setLine("Host", ""))
	return list
}

// opens is the script that shows that a connection is open: an echo.
func opens() script {
	return echoes(sendAll(frame{op: opText, payload: []byte(hello)}), 2*second, text(hello))
}

func oddRequests() (list []*Case) {
	add := func(about string, rule result.RFC, edit func([]string) []string, slow bool) {
		c := scripted(fmt.Sprintf("20.2.%d", len(list)+1), "A request "+about+". Then a text.", "The connection opens, and the text comes back.", opens())
		c.RFC, c.NoClient, c.edit, c.slow = rule, true, edit, slow
		list = append(list, c)
	}
	add("with Connection: keep-alive, Upgrade", rfcOddity, setLine("Connection", "keep-alive, Upgrade"), false)
	add("with Connection: UPGRADE and Upgrade: WEBSOCKET", rfcOddity, func(l []string) []string {
		return setLine("Upgrade", "WEBSOCKET")(setLine("Connection", "UPGRADE")(l))
	}, false)
	add("whose field names are in lower case", rfcOddity, func(l []string) []string {
		for i, line := range l[1:] {
			name, value, _ := strings.Cut(line, ":")
			l[i+1] = strings.ToLower(name) + ":" + value
		}
		return l
	}, false)
	add("written octet by octet", rfcOddity, nil, true)
	add("that offers an extension nobody knows", rfcOffered, setLine("Sec-WebSocket-Extensions", `x-unknown-extension; a=1; b="c-d"`), false)
	return list
}

// absence is the player of a response that a client must refuse. A text goes with the
// response; nobody may echo it.
type absence struct {
	echoed bool
}

func (p *absence) open(s *session) {
	s.send(frame{op: opText, payload: []byte("nobody should read this")})
	// Longer than a client may read on to say in its error what else was there.
	s.killAfter(5 * second)
}

func (p *absence) message(*session, message) { p.echoed = true }
func (p *absence) pong(*session, []byte)     {}

func (p *absence) verdict(s *session) verdict {
	// Before the connection is open there is nothing to close; codes are not looked at.
	v := verdict{behavior: result.Failed, close: result.ExpectedClose{CloseCode: []int{}}}
	switch {
	case p.echoed:
		v.result = "The client took the response for a good one: it echoed a message."
	case s.closedByMe:
		v.result = "The client did not close TCP."
	default:
		v.behavior, v.unopened, v.result = result.OK, true, "The client left."
	}
	return v
}

func badResponses() (list []*Case) {
	add := func(about string, rule result.RFC, edit func([]string) []string) {
		list = append(list, &Case{
			ID: fmt.Sprintf("20.3.%d", len(list)+1), Description: "A response " + about + ", and a text.", RFC: rule, NoServer: true, edit: edit,
			Expectation: "The client closes TCP and echoes nothing.",
			play:        func() player { return &absence{} },
		})
	}
	const sum = "Sec-WebSocket-Accept"
	add("with a wrong Sec-WebSocket-Accept", rfcAnswer, setLine(sum, "AAAAAAAAAAAAAAAAAAAAAAAAAAA="))
	add("without Sec-WebSocket-Accept", rfcAnswer, setLine(sum, ""))
	// Without a length the body would go on to the end of TCP, and a client may read it.
	status := func(line string) func([]string) []string {
		return func(l []string) []string { return append(setFirst(line)(l), "Content-Length: 0") }
	}
	add("with status 200", rfcStatus, status("HTTP/1.1 200 OK"))
	add("with status 404", rfcStatus, status("HTTP/1.1 404 Not Found"))
	add("without Upgrade", rfcUpgrade, setLine("Upgrade", ""))
	add("with Upgrade: h2c", rfcUpgrade, setLine("Upgrade", "h2c"))
	add("without Connection", rfcConn, setLine("Connection", ""))
	add("with Connection: close", rfcConn, setLine("Connection", "close"))
	add("with an extension that was not offered", rfcForeign, setLine("Sec-WebSocket-Extensions", "x-unknown-extension"))
	add("with a subprotocol that was not offered", rfcSubprot, setLine("Sec-WebSocket-Protocol", "x-unknown-protocol"))
	return list
}

func oddResponses() (list []*Case) {
	add := func(about string, edit func([]string) []string, slow bool) {
		c := scripted(fmt.Sprintf("20.4.%d", len(list)+1), "A response "+about+". Then a text.", "The connection opens, and the text comes back.", opens())
		c.RFC, c.NoServer, c.edit, c.slow = rfcConn, true, edit, slow
		list = append(list, c)
	}
	add("with Connection: keep-alive, upgrade and Upgrade: WEBSOCKET", func(l []string) []string {
		return setLine("Upgrade", "WEBSOCKET")(setLine("Connection", "keep-alive, upgrade")(l))
	}, false)
	add("with another reason than Switching Protocols", setFirst("HTTP/1.1 101 Web Socket Protocol Handshake"), false)
	add("with fields that nobody knows", setLine("X-Unknown", "a, b; c"), false)
	add("written octet by octet", nil, true)
	return list
}
