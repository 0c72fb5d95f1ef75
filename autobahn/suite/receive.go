package suite

// This file takes the octets that the peer sends, holds every frame against the
// rules (RFC 6455, section 5), and gives whole messages to the case. A peer that
// breaks a rule has its connection failed; what it sends after that is still read,
// to see its close frame, but no longer given to the case.

import (
	"slices"
)

// message is a message of the peer.
type message struct {
	binary     bool
	compressed bool // RSV1 was set on its first frame
	data       []byte
	frames     int
	wire       int // octets of payload, before inflating
}

// messageLimit bounds what the suite keeps of one message.
const messageLimit = 256 << 20

// receiver is the state between two reads.
type receiver struct {
	spill   []byte // a header that is not complete yet
	inFrame bool
	h       header
	got     uint64 // payload octets of this frame so far
	start   []byte // the beginning of its payload, for the log
	control []byte // payload of a control frame

	inMessage bool
	msg       message
	text      utf8Check
	badText   bool // the text of this message was found invalid
	raw       bool // messages are given to the case as they came, not inflated

	// What came since the opening handshake.
	frames, payload, octets int
}

// received takes what a read returned. It overwrites b.
func (s *session) received(b []byte) {
	s.log.rx(b)
	s.rx.octets += len(b)
	for len(b) > 0 && s.state != closed {
		if !s.rx.inFrame {
			b = s.header(b)
			continue
		}
		n := min(uint64(len(b)), s.rx.h.length-s.rx.got)
		s.payload(b[:n])
		b = b[n:]
	}
}

// header takes octets of a header from b and returns the rest.
func (s *session) header(b []byte) []byte {
	r := &s.rx
	h, n := header{}, 0
	if len(r.spill) == 0 {
		if h, n = parseHeader(b); n == 0 {
			r.spill = append(r.spill, b...)
			return nil
		}
		b = b[n:]
	} else {
		old := len(r.spill)
		r.spill = append(r.spill, b[:min(len(b), 14)]...)
		if h, n = parseHeader(r.spill); n == 0 {
			return b[min(len(b), 14):]
		}
		b, r.spill = b[n-old:], r.spill[:0]
	}
	r.h, r.inFrame, r.got = h, true, 0
	r.start, r.control = r.start[:0], r.control[:0]
	r.frames++
	s.checkHeader(h)
	if h.op < opClose && s.state != closed {
		s.beginData(h)
	}
	if h.length == 0 && s.state != closed {
		s.payload(nil)
	}
	return b
}

// checkHeader fails the connection where the header alone breaks a rule.
func (s *session) checkHeader(h header) {
	allowed := h.rsv == 0 || h.rsv == rsv1 && s.ext != nil && (h.op == opText || h.op == opBinary)
	switch {
	case !allowed:
		s.violation("RSV bits are set without an extension that gives them a meaning")
	case h.masked != s.server && s.server:
		s.violation("a frame of the client is not masked")
	case h.masked != s.server:
		s.violation("a frame of the server is masked")
	case !h.minimal:
		s.violation("the length is not in its shortest form")
	case h.length>>63 != 0:
		s.violation("the length has its highest bit set")
	case h.op >= opClose && !h.fin:
		s.violation("a control frame is fragmented")
	case h.op >= opClose && h.length > 125:
		s.violation("a control frame is longer than 125 octets")
	case h.op == opClose && h.length == 1:
		s.violation("a close frame has a payload of 1 octet")
	case h.op > opPong, h.op > opBinary && h.op < opClose:
		s.violation("the opcode is reserved")
	case h.op == opCont && !s.rx.inMessage:
		s.violation("a continuation frame continues nothing")
	case (h.op == opText || h.op == opBinary) && s.rx.inMessage:
		s.violation("a new message begins inside a fragmented one")
	}
}

// beginData prepares for the payload of a data frame.
func (s *session) beginData(h header) {
	r := &s.rx
	if h.op != opCont || !r.inMessage {
		r.inMessage = true
		r.msg = message{binary: h.op == opBinary, compressed: h.rsv == rsv1, data: r.msg.data[:0]}
		r.text, r.badText = utf8Check{}, false
	}
	r.msg.frames++
	if h.length <= 64<<20 {
		r.msg.data = slices.Grow(r.msg.data, int(h.length))
	}
}

// payload takes the next octets of the current frame, which may be none.
func (s *session) payload(b []byte) {
	r := &s.rx
	if r.h.masked {
		maskBytes(b, r.h.key, int(r.got&3))
	}
	r.got += uint64(len(b))
	r.payload += len(b)
	if s.log.on && len(r.start) < logLimit {
		r.start = append(r.start, b[:min(len(b), logLimit-len(r.start))]...)
	}
	if r.h.op >= opClose {
		r.control = append(r.control, b[:min(len(b), 125)]...)
	} else {
		s.data(b)
	}
	if r.got == r.h.length && s.state != closed {
		r.inFrame = false
		s.log.rxFrame(r.h, r.start)
		s.endFrame()
	}
}

// data takes payload of a message.
func (s *session) data(b []byte) {
	r := &s.rx
	if s.failedByMe {
		return
	}
	if len(r.msg.data)+len(b) > messageLimit {
		s.fail(1009, "the message is too long")
		return
	}
	r.msg.data = append(r.msg.data, b...)
	r.msg.wire += len(b)
	if !r.msg.binary && !r.msg.compressed && !r.text.write(b) {
		r.badText = true
		s.invalidPayload("the text is not UTF-8")
	}
}

// endFrame acts on a frame that is complete.
func (s *session) endFrame() {
	r := &s.rx
	switch r.h.op {
	case opClose:
		if r.h.length <= 125 {
			s.peerClosed(r.control)
		}
	case opPing:
		if s.state == open && r.h.length <= 125 {
			s.send(frame{op: opPong, payload: slices.Clone(r.control)})
		}
	case opPong:
		s.play.pong(s, slices.Clone(r.control))
	case opCont, opText, opBinary:
		if r.h.fin {
			r.inMessage = false
			s.endMessage()
		}
	}
}

// endMessage gives a message to the case.
func (s *session) endMessage() {
	m := s.rx.msg
	if s.failedByMe {
		if s.rx.badText {
			// To the original the end of bad text is bad text once more, and the
			// second failure of a connection drops TCP.
			s.drop()
		}
		return
	}
	if !m.compressed && !m.binary && !s.rx.text.complete() {
		s.invalidPayload("the text ends in the middle of a character")
		return
	}
	if m.compressed && !s.rx.raw {
		data, err := s.ext.inflate(m.data)
		if err != nil {
			s.invalidPayload("the message does not inflate: " + err.Error())
			return
		}
		m.data = data
		if text := (utf8Check{}); !m.binary && !(text.write(data) && text.complete()) {
			s.invalidPayload("the inflated text is not UTF-8")
			return
		}
	}
	s.play.message(s, m)
}
