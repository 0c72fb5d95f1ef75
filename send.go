package websocket

// The sending half of the protocol: pure functions that append frames to a
// buffer of the caller. A Sender remembers only what the rules need: whether a
// fragmented message is open and whether the close frame has gone.
//
// What always holds: at most one close frame is appended, and nothing after it.
// The slices given to a Sender are never changed and never kept.

import (
	"crypto/rand"
	"errors"
)

// Errors of a Sender: misuse by the program, never the peer's fault.
var (
	errSendClosed    = errors.New("websocket: write after the close frame was sent (RFC 6455, 5.5.1)")
	errSendOpcode    = errors.New("websocket: a message is Text or Binary, nothing else")
	errSendControl   = errors.New("websocket: payload of a ping or pong is longer than 125 bytes (RFC 6455, 5.5)")
	errSendFragment  = errors.New("websocket: the message before is not finished: close its Writer first (RFC 6455, 5.4)")
	errSendLength    = errors.New("websocket: a message cannot have fewer than 0 bytes")
	errSendMustMask  = errors.New("websocket: a client has to mask its payload: use AppendMessage or AppendFragment (RFC 6455, 5.1)")
	errSendContinued = errors.New("websocket: a message cannot begin with a Continuation")
)

// keyReserve is how many bytes of masking keys are drawn at a time. One draw
// costs a system call's worth of time, a key out of the reserve a copy.
const keyReserve = 128

// A Sender frames what we send (RFC 6455, sections 5 and 6). The zero value is a
// server's. It must not be used by two goroutines at the same time, nor copied after
// first use.
//
// Every AppendX appends to dst and returns it, as append does; with an error dst
// is returned unchanged.
type Sender struct {
	role   Role
	inside bool // between the first and the last fragment of a message
	closed bool
	keys   *maskingKeys // a client's, made when first needed
}

// maskingKeys are keys not yet used, the last ones of drawn.
type maskingKeys struct {
	left  int // bytes of them
	drawn [keyReserve]byte
}

// Reset makes s ready for a new connection on which we are role.
func (s *Sender) Reset(role Role) {
	*s = Sender{role: role, keys: s.keys}
}

// AppendMessage appends a whole message as one frame. op is Text, whose p must
// be valid UTF-8, or Binary.
func (s *Sender) AppendMessage(dst []byte, op Opcode, p []byte) ([]byte, error) {
	if err := s.checkMessage(op); err != nil {
		return dst, err
	}
	return s.appendFrame(dst, finBit|byte(op), p), nil
}

// AppendCompressed is AppendMessage for a payload that is already compressed
// (RFC 7692, section 6.1): it sets the RSV1 bit.
func (s *Sender) AppendCompressed(dst []byte, op Opcode, deflated []byte) ([]byte, error) {
	if err := s.checkMessage(op); err != nil {
		return dst, err
	}
	return s.appendFrame(dst, finBit|rsv1Bit|byte(op), deflated), nil
}

// AppendFragment appends the next fragment of a message (RFC 6455, section 5.4).
// op is the same for all fragments of one message; from the second on the frame
// says Continuation. fin marks the last fragment.
func (s *Sender) AppendFragment(dst []byte, op Opcode, p []byte, fin bool) ([]byte, error) {
	switch {
	case s.closed:
		return dst, errSendClosed
	case !op.isMessage():
		return dst, errSendOpcode
	}
	b0 := byte(op)
	if s.inside {
		b0 = byte(Continuation)
	}
	if fin {
		b0 |= finBit
	}
	s.inside = !fin
	return s.appendFrame(dst, b0, p), nil
}

// AppendHeader appends the header of a message of n bytes whose payload the
// caller sends itself, right after it: a large payload need not be copied. Only
// for servers; a client's payload has to be masked.
func (s *Sender) AppendHeader(dst []byte, op Opcode, n int) ([]byte, error) {
	if s.role == RoleClient {
		return dst, errSendMustMask
	}
	if n < 0 {
		return dst, errSendLength
	}
	if err := s.checkMessage(op); err != nil {
		return dst, err
	}
	return appendHeader(dst, finBit|byte(op), 0, n), nil
}

// appendBareHeader is AppendHeader for both roles: a client gets the key too, and
// masks the payload itself.
func (s *Sender) appendBareHeader(dst []byte, op Opcode, n int) (b []byte, key [4]byte, err error) {
	if err = s.checkMessage(op); err != nil {
		return dst, key, err
	}
	if s.role == RoleServer {
		return appendHeader(dst, finBit|byte(op), 0, n), key, nil
	}
	key = s.maskingKey()
	return append(appendHeader(dst, finBit|byte(op), maskBit, n), key[:]...), key, nil
}

// AppendPing appends a ping with at most 125 bytes of payload.
func (s *Sender) AppendPing(dst, p []byte) ([]byte, error) { return s.appendControl(dst, Ping, p) }

// AppendPong appends a pong with at most 125 bytes of payload.
func (s *Sender) AppendPong(dst, p []byte) ([]byte, error) { return s.appendControl(dst, Pong, p) }

// AppendClose appends the close frame and ends the sending half. A reason longer
// than 123 bytes is cut at the end of a rune; a code that may not be on the wire
// (section 7.4.1) becomes 1011, and StatusNoStatus an empty close frame. If a
// close frame has gone already it appends nothing.
func (s *Sender) AppendClose(dst []byte, code StatusCode, reason string) []byte {
	if s.closed {
		return dst
	}
	s.closed = true
	if !code.onWire() && code != StatusNoStatus {
		code = StatusInternalError
	}
	var buf [maxControl]byte
	return s.appendFrame(dst, finBit|byte(Close), appendClosePayload(buf[:0], code, reason))
}

// AppendReply appends what ev, an event of the same connection's [Receiver],
// obliges us to send: a pong for a ping, the echo of a close frame, a close frame
// for a failure. For other events it appends nothing.
func (s *Sender) AppendReply(dst []byte, ev Event) []byte {
	switch ev.Kind {
	case KindPing:
		if !s.closed {
			dst, _ = s.AppendPong(dst, ev.Data) // its length was checked on the way in
		}
	case KindClose, KindFail:
		// "When sending a Close frame in response, the endpoint typically echos
		// the status code it received." (5.5.1)
		return s.AppendClose(dst, ev.Code, "")
	}
	return dst
}

func (s *Sender) checkMessage(op Opcode) error {
	switch {
	case s.closed:
		return errSendClosed
	case s.inside:
		return errSendFragment
	case op == Continuation:
		return errSendContinued
	case !op.isMessage():
		return errSendOpcode
	}
	return nil
}

func (s *Sender) appendControl(dst []byte, op Opcode, p []byte) ([]byte, error) {
	switch {
	case s.closed:
		return dst, errSendClosed
	case len(p) > maxControl:
		return dst, errSendControl
	}
	return s.appendFrame(dst, finBit|byte(op), p), nil
}

// appendFrame appends a frame that begins with the byte b0. A client masks while
// it copies.
func (s *Sender) appendFrame(dst []byte, b0 byte, p []byte) []byte {
	if s.role == RoleServer {
		return append(appendHeader(dst, b0, 0, len(p)), p...)
	}
	key := s.maskingKey()
	dst = append(appendHeader(dst, b0, maskBit, len(p)), key[:]...)
	n := len(dst)
	dst = appendRoom(dst, len(p))
	Mask(dst[n:], p, key, 0)
	return dst
}

// maskingKey: "The masking key needs to be unpredictable; thus, the masking key
// MUST be derived from a strong source of entropy", and "The masking key is a
// 32-bit value chosen at random by the client" for each frame, an empty one too
// (section 5.3).
func (s *Sender) maskingKey() (key [4]byte) {
	if s.keys == nil {
		s.keys = new(maskingKeys)
	}
	k := s.keys
	if k.left < len(key) {
		rand.Read(k.drawn[:]) // never fails: it ends the program rather
		k.left = keyReserve
	}
	k.left -= copy(key[:], k.drawn[keyReserve-k.left:])
	return key
}

// appendRoom lengthens dst by n bytes of any content.
func appendRoom(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst[:len(dst)+n]
	}
	return append(dst, make([]byte, n)...)
}
