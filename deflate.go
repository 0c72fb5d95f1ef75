package websocket

// permessage-deflate (RFC 7692): what is negotiated, and the transform of a
// message in each direction. Pure, like the rest of the core; the DEFLATE under
// it is in internal/deflate, or the user's. compress.go ties it to a Conn.
//
// What always holds: only data messages that went out, or came in, compressed
// enter a window; a direction without takeover has no window at all.

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed9f1f0156/websocket/internal/deflate"
)

// Compression turns on permessage-deflate and says how to use it. It is worth
// having when messages are text and the network is what is scarce; it costs CPU
// on both sides and, with takeover, memory. It is off unless asked for.
//
// Compressing a secret together with text that an attacker chooses lets the
// attacker learn the secret from the length (CRIME, BREACH; RFC 7692, section 8).
// Where that can be, do not compress it: use [Conn.WritePlain].
type Compression struct {
	// SendTakeover keeps the last messages sent as a window that the next one may
	// refer to: small messages that resemble each other become a fraction of their
	// size. It costs the window, 2^WindowBits bytes for each connection, from the
	// first compressed message on. ReceiveTakeover lets the peer do the same, at
	// the same cost for us. RFC 7692, section 7.1.1.
	SendTakeover, ReceiveTakeover bool
	// WindowBits is the size of a window as a power of two, 8 to 15; 0 means 15.
	// It bounds what we use and, where the peer can be told, what the peer uses
	// (RFC 7692, section 7.1.2). Many peers cannot do 8.
	WindowBits int
	// Level is 1 for fast, which is also what 0 means, or 2 for smaller.
	Level int
	// Threshold is the size in bytes under which a message is not worth
	// compressing by itself. 0 means 80: recorded chat and JSON of 64 bytes come out
	// no smaller than 96 % of their size, of 80 bytes at 90 to 95 %, of 128 at 85 %
	// and of 256 at 60 to 66 %. It is ignored with SendTakeover, where
	// small messages gain the most.
	Threshold int
	// MaxRatio, if not 0, is how many times its size a message may be inflated to;
	// more fails the connection with status 1008. Options.ReadLimit bounds the
	// inflated size in any case. Honest text can reach 1000.
	MaxRatio int
	// Codec replaces the DEFLATE that the package has. nil means that one.
	Codec Deflater
}

// A Deflater is a DEFLATE (RFC 1951) that [Compression] can use in place of the
// package's own. Its methods are called from many goroutines at the same time and
// keep none of the slices.
type Deflater interface {
	// AppendDeflate appends to dst the DEFLATE form of src, flushed to a byte
	// boundary with an empty stored block whose last four bytes, 00 00 ff ff, are
	// left out. It may refer to the last 1<<bits bytes of dict and src, no
	// further. level is 1 or 2.
	AppendDeflate(dst, dict, src []byte, bits, level int) ([]byte, error)
	// AppendInflate appends to dst what src, made by AppendDeflate with the same
	// dict, stands for. It must return an error, and stop, before it has appended
	// more than limit bytes, unless limit is negative; an error that
	// [ErrInflateLimit] is in.
	AppendInflate(dst, dict, src []byte, limit int) ([]byte, error)
}

// ErrInflateLimit is what [Deflater.AppendInflate] returns, or wraps, when the
// message is larger than the limit.
var ErrInflateLimit = deflate.ErrTooLarge

const (
	deflateName      = "permessage-deflate"
	defaultThreshold = 80
	maxWindowBits    = 15
	minWindowBits    = 8
)

// codec is the Deflater of internal/deflate.
type codec struct{}

func (codec) AppendDeflate(dst, dict, src []byte, bits, level int) ([]byte, error) {
	return deflate.AppendDeflate(dst, dict, src, bits, level), nil
}

func (codec) AppendInflate(dst, dict, src []byte, limit int) ([]byte, error) {
	return deflate.AppendInflate(dst, dict, src, limit)
}

// deflateParams are the parameters of one offer or answer (RFC 7692, section 7.1).
// Bits of 0 mean that the parameter is not there.
type deflateParams struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int
	clientBitsBare                     bool // client_max_window_bits without a value
}

// String writes p as an element of Sec-WebSocket-Extensions.
func (p deflateParams) String() string {
	var b strings.Builder
	b.WriteString(deflateName)
	if p.serverNoTakeover {
		b.WriteString("; server_no_context_takeover")
	}
	if p.clientNoTakeover {
		b.WriteString("; client_no_context_takeover")
	}
	if p.serverBits > 0 {
		b.WriteString("; server_max_window_bits=" + strconv.Itoa(p.serverBits))
	}
	switch {
	case p.clientBits > 0:
		b.WriteString("; client_max_window_bits=" + strconv.Itoa(p.clientBits))
	case p.clientBitsBare:
		b.WriteString("; client_max_window_bits")
	}
	return b.String()
}

var errDeflateParams = errors.New("websocket: invalid parameters of permessage-deflate (RFC 7692, 7.1)")

// parseDeflate reads the parameters of e. answer tells that a server wrote it:
// then client_max_window_bits must have a value.
func parseDeflate(e extension, answer bool) (p deflateParams, err error) {
	seen := make(map[string]bool, len(e.params))
	for _, q := range e.params {
		// "the negotiation offer contains multiple extension parameters with the
		// same name" is one of the grounds to decline (7.1).
		if seen[q.name] {
			return p, errDeflateParams
		}
		seen[q.name] = true
		switch q.name {
		case "server_no_context_takeover":
			p.serverNoTakeover = true
		case "client_no_context_takeover":
			p.clientNoTakeover = true
		case "server_max_window_bits":
			if p.serverBits = windowBits(q); p.serverBits == 0 {
				return p, errDeflateParams
			}
			continue
		case "client_max_window_bits":
			if q.value == "" && !q.quoted && !answer {
				p.clientBitsBare = true
			} else if p.clientBits = windowBits(q); p.clientBits == 0 {
				return p, errDeflateParams
			}
			continue
		default:
			return p, errDeflateParams
		}
		if q.value != "" || q.quoted {
			return p, errDeflateParams
		}
	}
	return p, nil
}

// windowBits: "a decimal integer value without leading zeroes between 8 to 15,
// inclusive" (7.1.2.1), or 0 if q has no such value.
func windowBits(q extensionParam) int {
	n, err := strconv.Atoi(q.value)
	if err != nil || strconv.Itoa(n) != q.value || n < minWindowBits || n > maxWindowBits {
		return 0
	}
	return n
}

// bits returns WindowBits with its default, within its bounds.
func (z *Compression) bits() int {
	if z.WindowBits == 0 {
		return maxWindowBits
	}
	return min(max(z.WindowBits, minWindowBits), maxWindowBits)
}

// accept answers one offer of a client, as far as z allows it.
func (z *Compression) accept(offer deflateParams) deflateParams {
	answer := deflateParams{
		serverNoTakeover: offer.serverNoTakeover || !z.SendTakeover,
		clientNoTakeover: offer.clientNoTakeover || !z.ReceiveTakeover,
	}
	bits := z.bits()
	if offer.serverBits > 0 || bits < maxWindowBits {
		// "A server accepts an extension negotiation offer with this extension
		// parameter by including the "server_max_window_bits" extension parameter
		// ... with the same or smaller value" (7.1.2.1)
		answer.serverBits = bits
		if offer.serverBits > 0 {
			answer.serverBits = min(offer.serverBits, bits)
		}
	}
	switch {
	case offer.clientBits > 0:
		answer.clientBits = min(offer.clientBits, bits)
	case offer.clientBitsBare:
		if bits < maxWindowBits {
			answer.clientBits = bits
		}
	case bits < maxWindowBits:
		// "a server MUST NOT include" client_max_window_bits in its answer when
		// the offer has none (7.1.2.2): the window is saved by keeping none.
		answer.clientNoTakeover = true
	}
	return answer
}

// acceptExtensions answers a client's Sec-WebSocket-Extensions: the first offer
// of permessage-deflate that can be accepted is, everything else is declined by
// saying nothing of it. An error means that the header is malformed.
func (o *Options) acceptExtensions(values []string) (response string, err error) {
	offers, err := parseExtensions(values)
	if err != nil || o.Compression == nil {
		return "", err
	}
	for _, e := range offers {
		if e.name != deflateName {
			continue
		}
		if offer, err := parseDeflate(e, false); err == nil {
			return o.Compression.accept(offer).String(), nil
		}
	}
	return "", nil
}

// offer returns what a client offers.
func (z *Compression) offer() deflateParams {
	p := deflateParams{
		serverNoTakeover: !z.ReceiveTakeover,
		clientNoTakeover: !z.SendTakeover,
		clientBitsBare:   true,
	}
	if bits := z.bits(); bits < maxWindowBits {
		p.serverBits, p.clientBits = bits, bits
	}
	return p
}

// offerExtensions returns the Sec-WebSocket-Extensions of a client's request.
func (o *Options) offerExtensions() string {
	if o.Compression == nil {
		return ""
	}
	return o.Compression.offer().String()
}

// checkExtensions checks the Sec-WebSocket-Extensions of a server's answer and
// returns it in one line. "If the client receives a response that was not in the
// offer, it MUST fail"; what is weaker than what was asked for, a window or a
// takeover that we would rather have done without, we can do and do (7.1).
func (o *Options) checkExtensions(offered string, values []string) (agreed string, err error) {
	list, err := parseExtensions(values)
	if err != nil || len(list) == 0 {
		return "", err
	}
	if offered == "" || o.Compression == nil {
		return "", errExtensionUnasked
	}
	if len(list) > 1 || list[0].name != deflateName {
		return "", errExtensionUnasked
	}
	answer, err := parseDeflate(list[0], true)
	if err != nil {
		return "", err
	}
	offer := o.Compression.offer()
	if offer.serverBits > 0 && answer.serverBits > offer.serverBits ||
		offer.clientBits > 0 && answer.clientBits > offer.clientBits {
		return "", errDeflateParams
	}
	return answer.String(), nil
}

var errExtensionUnasked = errors.New("websocket: the server accepted an extension that was not offered (RFC 6455, 9.1)")

// half is permessage-deflate in one direction of a connection.
type half struct {
	z        *Compression
	codec    Deflater
	bits     int
	takeover bool
	window   []byte // the last 1<<bits bytes; nil until there are any
}

// halves returns the sending and the receiving half for what was agreed.
func (z *Compression) halves(role Role, p deflateParams) (send, receive *half) {
	server := &half{z: z, bits: orBits(p.serverBits), takeover: !p.serverNoTakeover}
	client := &half{z: z, bits: orBits(p.clientBits), takeover: !p.clientNoTakeover}
	server.codec, client.codec = z.Codec, z.Codec
	if z.Codec == nil {
		server.codec, client.codec = codec{}, codec{}
	}
	if role == RoleServer {
		send, receive = server, client
	} else {
		send, receive = client, server
	}
	send.bits = min(send.bits, z.bits())
	send.takeover = send.takeover && z.SendTakeover
	return send, receive
}

func orBits(bits int) int {
	if bits == 0 {
		return maxWindowBits
	}
	return bits
}

// worth tells whether a message of n bytes is worth a try.
func (h *half) worth(n int) bool {
	threshold := h.z.Threshold
	if threshold == 0 {
		threshold = defaultThreshold
	}
	return n > 0 && (h.takeover || n >= threshold)
}

// level returns Compression.Level within its bounds.
func (h *half) level() int { return min(max(h.z.Level, deflate.Fast), deflate.Better) }

// slide moves p into the window.
func (h *half) slide(p []byte) {
	if !h.takeover || len(p) == 0 {
		return
	}
	if h.window == nil {
		h.window = make([]byte, 0, 1<<h.bits)
	}
	size := cap(h.window)
	if len(p) >= size {
		h.window = append(h.window[:0], p[len(p)-size:]...)
		return
	}
	if over := len(h.window) + len(p) - size; over > 0 {
		h.window = h.window[:copy(h.window, h.window[over:])]
	}
	h.window = append(h.window, p...)
}

// appendMessage appends the inflated form of the message p to dst, no more than
// limit bytes (0: no limit), and moves it into the window.
func (h *half) appendMessage(dst []byte, op Opcode, p []byte, limit int64) ([]byte, error) {
	most, byRatio := h.most(len(p), limit)
	n := len(dst)
	dst, err := h.codec.AppendInflate(dst, h.window, p, most)
	switch {
	case err == nil:
	case errors.Is(err, ErrInflateLimit) && byRatio:
		return dst[:n], errRatio
	case errors.Is(err, ErrInflateLimit):
		return dst[:n], &MessageTooBigError{Limit: limit}
	default:
		return dst[:n], errDeflate
	}
	if op == Text && !utf8.Valid(dst[n:]) {
		return dst[:n], errUTF8
	}
	h.slide(dst[n:])
	return dst, nil
}

// most returns how many bytes a message of n bytes may be inflated to, -1 for any
// number, and whether it is MaxRatio that says so.
func (h *half) most(n int, limit int64) (most int, byRatio bool) {
	bound := int64(math.MaxInt)
	if limit > 0 {
		bound = min(bound, limit)
	}
	if ratio := int64(h.z.MaxRatio); ratio > 0 && int64(n) <= (bound-1)/ratio {
		return int(ratio) * n, true
	}
	if bound == math.MaxInt {
		return -1, false
	}
	return int(bound), false
}
