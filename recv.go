package websocket

// The receiving half of the protocol. A Receiver is handed bytes as they come
// and turns them into events; it owns no buffer, does no I/O and allocates
// nothing, so a goroutine per connection, an event loop, a proxy and a fuzzer
// can all drive the same one.
//
// What always holds: for any way of cutting the input into pieces the events,
// joined, are the same. Nothing is ever sized by a length that a header claims.

import "encoding/binary"

// Kind says what an [Event] is.
type Kind uint8

// The kinds of event. After KindClose and KindFail no other event follows.
const (
	KindNone  Kind = iota // nothing to tell yet: go on with what is left of the input, or bring more
	KindChunk             // the next bytes of a message
	KindPing              // a ping: a pong with the same Data is owed (RFC 6455, 5.5.2)
	KindPong              // a pong
	KindClose             // a close frame: its echo is owed (RFC 6455, 5.5.1)
	KindFail              // a rule is broken, Receiver.Err tells which: a close frame is owed (RFC 6455, 7.1.7)
)

// An Event is one step of a connection's input. Hand it to [Sender.AppendReply]
// for what is owed in answer.
type Event struct {
	Kind Kind
	// Op is Text or Binary for a chunk, and the frame's opcode for a ping, pong
	// or close.
	Op Opcode
	// First and Fin mark the first and the last chunk of a message.
	First, Fin bool
	// Compressed tells that the message is compressed (RFC 7692); Data is then
	// part of the compressed bytes, whose text is yet to be validated.
	Compressed bool
	// Code is what a close frame said, and for KindFail what the peer is to be
	// told.
	Code StatusCode
	// Data is the chunk, the payload of a ping or pong, or the reason of a close.
	// It lies in the slice given to Next or in the Receiver: valid until the next
	// call of Next.
	Data []byte
}

// Limits bound what a peer can make us hold and do. Zero means no limit.
type Limits struct {
	Message int64 // payload bytes of a message, as they are on the wire; more fails with 1009
	Frames  int   // frames of a message; more fails with 1008
	Empty   int   // frames of a message that carry nothing; more fails with 1008
}

// A Receiver parses and checks what a peer sends (RFC 6455, sections 5 to 8):
// header rules, masking, fragmentation, UTF-8, close payloads and limits. The
// zero value is a server's, without limits and extensions. It must not be used
// by two goroutines at the same time, nor copied after first use.
type Receiver struct {
	lim     Limits
	role    Role
	deflate bool
	closed  bool  // a close frame has come
	err     error // sticky: *ProtocolError or *MessageTooBigError

	// The frame at hand.
	inFrame   bool
	fin       bool
	op        Opcode
	have      uint8 // bytes in use of spill, or of cut in a control frame
	key       [4]byte
	remaining uint64
	keyPos    uint8

	// The message at hand.
	inMessage  bool
	first      bool // no chunk of it has been handed out
	compressed bool
	msgOp      Opcode
	text       utf8Stream
	size       uint64 // payload bytes of the frames begun
	frames     uint32
	empty      uint32

	spill [maxHeader]byte   // of a header that comes in pieces
	cut   *[maxControl]byte // of the payload of a control frame that does; made when first needed
}

// Reset makes r ready for a new connection on which we are role. With deflate,
// permessage-deflate was negotiated and the RSV1 bit may begin a message.
func (r *Receiver) Reset(role Role, deflate bool, lim Limits) {
	*r = Receiver{role: role, deflate: deflate, lim: lim, cut: r.cut}
}

// Next reads one event from b and tells how many bytes of b it used up: call it
// again with the rest until nothing is left. Next overwrites b: payload is
// unmasked in place. At least one byte is used if there is one.
//
// After a close frame everything is swallowed without an event: "after receiving
// a control frame indicating the connection should be closed, a peer discards any
// further data received" (RFC 6455, 1.4). After a KindFail every call returns the
// same again.
func (r *Receiver) Next(b []byte) (Event, int) {
	if op, p, n := r.whole(b); n > 0 {
		return Event{Kind: KindChunk, Op: op, First: true, Fin: true, Data: p}, n
	}
	if r.err != nil {
		return r.failed(), len(b)
	}
	if r.closed {
		return Event{}, len(b)
	}
	n := 0
	if !r.inFrame {
		if n = r.readHeader(b); r.err != nil {
			return r.failed(), n
		}
		if !r.inFrame {
			return Event{}, n
		}
	}
	p := b[n:]
	if uint64(len(p)) > r.remaining {
		p = p[:r.remaining]
	}
	p = p[:len(p):len(p)] // what lies behind it is not the caller's to append to
	n += len(p)
	r.remaining -= uint64(len(p))
	if r.role == RoleServer {
		Mask(p, p, r.key, int(r.keyPos))
		r.keyPos = uint8(int(r.keyPos)+len(p)) & 3
	}
	if r.op.isControl() {
		return r.control(p), n
	}
	return r.chunk(p), n
}

// whole takes a message from b that came in one frame and lies there to its last
// byte, as nearly every message does: the short way through the rules below. If b
// begins with anything else, or with anything wrong, n is 0 and nothing has
// happened.
func (r *Receiver) whole(b []byte) (op Opcode, p []byte, n int) {
	if len(b) < 2 || r.inFrame || r.inMessage || r.have > 0 || r.closed || r.err != nil {
		return 0, nil, 0
	}
	op = Opcode(b[0] ^ finBit) // an RSV bit, or no FIN, makes it no opcode of a message
	masked, size, at := b[1]&maskBit != 0, int(b[1]&^maskBit), 2
	if size == len16 && len(b) >= 4 {
		size, at = int(b[2])<<8|int(b[3]), 4
		if size < len16 {
			return 0, nil, 0
		}
	} else if size >= len16 {
		return 0, nil, 0
	}
	if masked {
		at += 4
	}
	if !op.isMessage() || masked != (r.role == RoleServer) || len(b)-at < size ||
		r.lim.Message > 0 && int64(size) > r.lim.Message {
		return 0, nil, 0
	}
	p = b[at : at+size : at+size]
	if masked {
		key := binary.LittleEndian.Uint32(b[at-4:])
		maskBy(p, p, key)
		if op == Text && !validText(p) {
			maskBy(p, p, key) // as it was
			return 0, nil, 0
		}
	} else if op == Text && !validText(p) {
		return 0, nil, 0
	}
	r.compressed = false
	return op, p, at + size
}

// Pending returns how many payload bytes of the message frame at hand are still
// to come, so that a driver can read them to where they are wanted. It is 0
// between frames and in control frames.
func (r *Receiver) Pending() uint64 {
	if !r.inFrame || r.op.isControl() {
		return 0
	}
	return r.remaining
}

// Err returns why the connection failed, a *ProtocolError or a
// *MessageTooBigError, or nil. Once set it stays.
func (r *Receiver) Err() error { return r.err }

func (r *Receiver) failed() Event { return Event{Kind: KindFail, Code: failCode(r.err)} }

func (r *Receiver) fail(err error) Event {
	r.err = err
	return r.failed()
}

// readHeader takes the header, or the rest of it, from b and returns how many
// bytes it took. If it is complete and legal r.inFrame is true.
//
// What the first two bytes break is noticed at the second, what the length breaks
// at its last byte: before the masking key, and long before any payload.
func (r *Receiver) readHeader(b []byte) (n int) {
	if r.have == 0 && len(b) >= 2 {
		if size := headerLen(b[1]); len(b) >= size {
			r.checkHeader(b[:size])
			return size
		}
	}
	for n < len(b) {
		r.spill[r.have] = b[n]
		r.have++
		n++
		if r.have < 2 {
			continue
		}
		if size := headerLen(r.spill[1]); r.headerStep(r.spill[:r.have], size) {
			r.have = 0
			return n
		}
	}
	return n
}

// headerStep checks what the bytes of h newly allow to check, and tells whether
// the header is done: complete, or broken.
func (r *Receiver) headerStep(h []byte, size int) bool {
	if len(h) == size {
		r.checkHeader(h)
		return true
	}
	if err := r.checkFirstTwo(h[0], h[1]); err != nil {
		r.err = err
		return true
	}
	if lengthEnd := size - 4*int(h[1]>>7); len(h) == lengthEnd {
		_, err := r.checkLength(h)
		r.err = err
		return err != nil
	}
	return false
}

// checkHeader checks a complete header and begins its frame.
func (r *Receiver) checkHeader(h []byte) {
	if err := r.checkFirstTwo(h[0], h[1]); err != nil {
		r.err = err
		return
	}
	n, err := r.checkLength(h)
	if err != nil {
		r.err = err
		return
	}
	r.inFrame, r.fin, r.op, r.remaining = true, h[0]&finBit != 0, Opcode(h[0]&0xF), n
	if h[1]&maskBit != 0 {
		r.key, r.keyPos = [4]byte(h[len(h)-4:]), 0
	}
	if r.op.isControl() {
		return
	}
	if r.op != Continuation {
		r.inMessage, r.first, r.msgOp = true, true, r.op
		r.compressed = h[0]&rsv1Bit != 0
		r.size, r.frames, r.empty = 0, 0, 0
		r.text.reset()
	}
	r.size += n
	r.frames++
	if n == 0 && !r.fin {
		r.empty++
	}
}

// checkFirstTwo applies every rule that the first two bytes of a header can
// break.
func (r *Receiver) checkFirstTwo(b0, b1 byte) error {
	op := Opcode(b0 & 0xF)
	switch {
	case op.isReserved():
		// "If an unknown opcode is received, the receiving endpoint MUST _Fail
		// the WebSocket Connection_." (5.2)
		return errOpcode
	case b0&(rsv2Bit|rsv3Bit) != 0,
		// RFC 7692, section 6.1: RSV1 is set on the first frame of a compressed
		// message, and only there.
		b0&rsv1Bit != 0 && (!r.deflate || !op.isMessage()):
		// "If a nonzero value is received and none of the negotiated extensions
		// defines the meaning of such a nonzero value, the receiving endpoint
		// MUST _Fail the WebSocket Connection_." (5.2)
		return errRSV
	case r.role == RoleServer && b1&maskBit == 0:
		// "The server MUST close the connection upon receiving a frame that is
		// not masked." (5.1)
		return errNotMasked
	case r.role == RoleClient && b1&maskBit != 0:
		// "A client MUST close a connection if it detects a masked frame." (5.1)
		return errMasked
	}
	if op.isControl() {
		// "All control frames MUST have a payload length of 125 bytes or less
		// and MUST NOT be fragmented." (5.5)
		if b0&finBit == 0 {
			return errControlFin
		}
		if b1&^maskBit > maxControl {
			return errControlLength
		}
		return nil
	}
	// "The fragments of one message MUST NOT be interleaved between the fragments
	// of another message" (5.4)
	if op == Continuation && !r.inMessage {
		return errContinuation
	}
	if op != Continuation && r.inMessage {
		return errInterleaved
	}
	return nil
}

// checkLength reads the length from h and holds it against the limits. The
// comparison subtracts: a sum could wrap.
func (r *Receiver) checkLength(h []byte) (uint64, error) {
	n, perr := payloadLen(h)
	if perr != nil {
		return 0, perr
	}
	op := Opcode(h[0] & 0xF)
	if op.isControl() {
		return n, nil
	}
	size, frames, empty := r.size, r.frames, r.empty
	if op != Continuation {
		size, frames, empty = 0, 0, 0
	}
	switch {
	case r.lim.Message > 0 && n > uint64(r.lim.Message)-size:
		return 0, &MessageTooBigError{Limit: r.lim.Message}
	case n > 1<<63-1-size:
		return 0, &MessageTooBigError{Limit: 1<<63 - 1}
	case r.lim.Frames > 0 && int(frames) >= r.lim.Frames:
		return 0, errFrames
	case r.lim.Empty > 0 && n == 0 && h[0]&finBit == 0 && int(empty) >= r.lim.Empty:
		return 0, errEmptyFrames
	}
	return n, nil
}

// chunk hands out p, which is the next part of the message frame at hand.
func (r *Receiver) chunk(p []byte) Event {
	ended := r.remaining == 0
	r.inFrame = !ended
	last := ended && r.fin
	if r.msgOp == Text && !r.compressed {
		// "When an endpoint is to interpret a byte stream as UTF-8 but finds
		// that the byte stream is not, in fact, a valid UTF-8 stream, that
		// endpoint MUST _Fail the WebSocket Connection_." (8.1)
		if !r.text.write(p) || last && !r.text.complete() {
			return r.fail(errUTF8)
		}
	}
	if len(p) == 0 && !last {
		return Event{}
	}
	ev := Event{Kind: KindChunk, Op: r.msgOp, First: r.first, Fin: last, Compressed: r.compressed, Data: p}
	r.first = false
	if last {
		r.inMessage = false
	}
	return ev
}

// control collects the control frame at hand, of which p is the next part, and
// hands it out when it is whole.
func (r *Receiver) control(p []byte) Event {
	if r.remaining > 0 || r.have > 0 {
		if r.cut == nil {
			r.cut = new([maxControl]byte)
		}
		r.have += uint8(copy(r.cut[r.have:], p))
		p = r.cut[:r.have]
	}
	if r.remaining > 0 {
		return Event{}
	}
	r.inFrame, r.have = false, 0
	switch r.op {
	case Ping:
		return Event{Kind: KindPing, Op: Ping, Fin: true, Data: p}
	case Pong:
		return Event{Kind: KindPong, Op: Pong, Fin: true, Data: p}
	}
	code, reason, err := parseClosePayload(p)
	if err != nil {
		return r.fail(err)
	}
	r.closed = true
	return Event{Kind: KindClose, Op: Close, Fin: true, Code: code, Data: reason}
}
