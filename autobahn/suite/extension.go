package suite

// This file is permessage-deflate as the suite speaks it (RFC 7692): offers and
// responses, and the two directions of a connection that agreed on it.

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed9f1f0156/websocket/autobahn/deflate"
)

// deflateParams are the parameters of one offer or response.
type deflateParams struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int  // 0 is absent
	anyClientBits                      bool // client_max_window_bits without a value
}

const deflateName = "permessage-deflate"

// String writes the parameters as they stand in Sec-WebSocket-Extensions.
func (p deflateParams) String() string {
	s := deflateName
	if p.clientNoTakeover {
		s += "; client_no_context_takeover"
	}
	if p.anyClientBits {
		s += "; client_max_window_bits"
	}
	if p.clientBits != 0 {
		s += "; client_max_window_bits=" + strconv.Itoa(p.clientBits)
	}
	if p.serverNoTakeover {
		s += "; server_no_context_takeover"
	}
	if p.serverBits != 0 {
		s += "; server_max_window_bits=" + strconv.Itoa(p.serverBits)
	}
	return s
}

// parseDeflate reads a header value and returns the sound permessage-deflate entries.
// An unsound one is an error: an offer with it is declined, a response fails the
// connection (RFC 7692, section 7.1).
func parseDeflate(value string, response bool) (list []deflateParams, err error) {
	for entry := range strings.SplitSeq(value, ",") {
		name, rest, _ := strings.Cut(entry, ";")
		if strings.TrimSpace(name) != deflateName {
			if response && strings.TrimSpace(name) != "" {
				return nil, fmt.Errorf("the extension %q was not offered", strings.TrimSpace(name))
			}
			continue
		}
		p, e := parseParams(rest, response)
		if e != nil {
			err = e
			continue
		}
		list = append(list, p)
	}
	return list, err
}

func parseParams(s string, response bool) (p deflateParams, err error) {
	seen := map[string]bool{}
	for param := range strings.SplitSeq(s, ";") {
		name, value, valued := strings.Cut(strings.TrimSpace(param), "=")
		name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`)
		if name == "" && !valued {
			continue
		}
		if seen[name] {
			return p, fmt.Errorf("the parameter %s stands there twice", name)
		}
		seen[name] = true
		bits := 0
		if valued {
			bits, err = windowBits(value)
			if err != nil {
				return p, err
			}
		}
		switch {
		case name == "server_no_context_takeover" && !valued:
			p.serverNoTakeover = true
		case name == "client_no_context_takeover" && !valued:
			p.clientNoTakeover = true
		case name == "server_max_window_bits" && valued:
			p.serverBits = bits
		case name == "client_max_window_bits" && valued:
			p.clientBits = bits
		case name == "client_max_window_bits" && !response:
			p.anyClientBits = true
		default:
			return p, fmt.Errorf("the parameter %q is unknown or wrong", strings.TrimSpace(param))
		}
	}
	return p, nil
}

// windowBits reads "a decimal integer value without leading zeroes between 8 to 15".
func windowBits(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 8 || n > 15 || strconv.Itoa(n) != s {
		return 0, fmt.Errorf("%q is no size of a window", s)
	}
	return n, nil
}

// allowsClientBits tells whether the offer lets the server limit the client's window.
func (p deflateParams) allowsClientBits() bool { return p.anyClientBits || p.clientBits != 0 }

// accept is the response to offer p that asks the client for the given limits.
func (p deflateParams) accept(noTakeover bool, bits int) *deflateParams {
	return &deflateParams{
		serverNoTakeover: p.serverNoTakeover, serverBits: p.serverBits,
		clientNoTakeover: noTakeover, clientBits: bits,
	}
}

// extension is permessage-deflate on one connection, seen from the suite.
type extension struct {
	params      deflateParams // of the response
	sendBits    int
	sendContext bool // the suite takes its context over
	recvBits    int
	recvContext bool

	out *deflate.Compressor
	in  *deflate.Inflater
}

// newExtension sets both directions up after the response.
func newExtension(response deflateParams, server bool) *extension {
	e := &extension{params: response}
	serverBits, clientBits := response.serverBits, response.clientBits
	if serverBits == 0 {
		serverBits = 15
	}
	if clientBits == 0 {
		clientBits = 15
	}
	if server {
		e.sendBits, e.sendContext = serverBits, !response.serverNoTakeover
		e.recvBits, e.recvContext = clientBits, !response.clientNoTakeover
	} else {
		e.sendBits, e.sendContext = clientBits, !response.clientNoTakeover
		e.recvBits, e.recvContext = serverBits, !response.serverNoTakeover
	}
	return e
}

// deflate compresses a message.
func (e *extension) deflate(p []byte) []byte {
	if e.out == nil {
		e.out = deflate.NewCompressor(e.sendBits, e.sendContext)
	}
	return e.out.Append(nil, p)
}

// inflate undoes it for a message of the peer.
func (e *extension) inflate(p []byte) ([]byte, error) {
	if e == nil {
		return nil, errors.New("no compression was agreed on")
	}
	if e.in == nil {
		e.in = deflate.NewInflater(e.recvBits, e.recvContext, messageLimit)
	}
	return e.in.Message(p)
}
