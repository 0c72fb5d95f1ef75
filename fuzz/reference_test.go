package fuzz

// A slow parser of RFC 6455 written for tests from the RFC alone: it looks at the
// whole input from its beginning, one frame after the other, and shares no code
// with the library. Fuzz targets compare the Receiver with it, and every test
// reads with it what a Conn has sent.

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"testing"
	"unicode/utf8"

	"github.com/seed9f1f0156/websocket"
	"github.com/stretchr/testify/require"
)

// A refFrame is a frame, unmasked.
type refFrame struct {
	fin     bool
	rsv, op byte
	masked  bool
	key     [4]byte
	payload []byte
}

// code returns the status code of a close frame, 1005 if it has none.
func (f refFrame) code() int {
	if len(f.payload) < 2 {
		return 1005
	}
	return int(binary.BigEndian.Uint16(f.payload))
}

// refLength reads the length of the frame that b begins with. ok is false if b is
// too short; size is that of the header up to the masking key.
func refLength(b []byte) (n uint64, size int, ok bool) {
	switch short := b[1] & 0x7f; {
	case short < 126:
		return uint64(short), 2, true
	case short == 126 && len(b) >= 4:
		return uint64(binary.BigEndian.Uint16(b[2:])), 4, true
	case short == 127 && len(b) >= 10:
		return binary.BigEndian.Uint64(b[2:]), 10, true
	}
	return 0, 0, false
}

// refFrames reads what role has sent: whole frames, masked as role has to, with
// lengths in their shortest form.
func refFrames(t testing.TB, role websocket.Role, b []byte) (all []refFrame) {
	t.Helper()
	for len(b) > 0 {
		require.GreaterOrEqual(t, len(b), 2, "half a header")
		n, size, ok := refLength(b)
		require.True(t, ok, "half a header")
		require.Equal(t, shortestForm(n), size, "length %d", n)
		f := refFrame{fin: b[0]&0x80 != 0, rsv: b[0] >> 4 & 7, op: b[0] & 15, masked: b[1]&0x80 != 0}
		require.Equal(t, role == websocket.RoleClient, f.masked)
		b = b[size:]
		if f.masked {
			require.GreaterOrEqual(t, len(b), 4, "half a key")
			f.key, b = [4]byte(b), b[4:]
		}
		require.GreaterOrEqual(t, uint64(len(b)), n, "half a payload")
		f.payload = make([]byte, n)
		for i := range f.payload {
			f.payload[i] = b[i] ^ f.key[i%4]
		}
		b = b[n:]
		if f.op >= 8 {
			require.True(t, f.fin && n <= 125 && f.rsv == 0, "control frame %+v", f)
		}
		all = append(all, f)
	}
	return all
}

func shortestForm(n uint64) int {
	switch {
	case n < 126:
		return 2
	case n < 1<<16:
		return 4
	}
	return 10
}

// A reference holds what refEvents has to know.
type reference struct {
	role    websocket.Role
	deflate bool
	lim     websocket.Limits

	events  []string
	op      byte   // of the message at hand; 0 if there is none
	zipped  bool   // it is compressed
	message []byte // what has come of it
	size    uint64 // what its frames declare
	frames  int
	empty   int
}

// refEvents returns what b means to role: messages, pings, pongs and the end in
// order, and last what is there of an unfinished message.
func refEvents(role websocket.Role, deflate bool, lim websocket.Limits, b []byte) []string {
	r := &reference{role: role, deflate: deflate, lim: lim}
	for len(b) >= 2 {
		n, end := r.frame(b)
		if end {
			return r.events
		}
		if n == 0 {
			break
		}
		b = b[n:]
	}
	if len(r.message) > 0 {
		r.events = append(r.events, fmt.Sprintf("part %x:%x", r.op, r.message))
	}
	return r.events
}

func (r *reference) fail(code int) (int, bool) {
	r.events = append(r.events, fmt.Sprint("fail ", code))
	return 0, true
}

// frame reads the frame that b begins with and returns its size, 0 if b ends
// within it. end tells that nothing counts any more.
func (r *reference) frame(b []byte) (size int, end bool) {
	if !r.legal(b[0], b[1]) {
		return r.fail(1002)
	}
	n, size, ok := refLength(b)
	if !ok {
		return 0, false
	}
	if code := r.lengthCode(b, n, size); code != 0 {
		return r.fail(code)
	}
	var key [4]byte
	if r.role == websocket.RoleServer {
		if len(b) < size+4 {
			return 0, false
		}
		key = [4]byte(b[size:])
		size += 4
	}
	p := append([]byte{}, b[size:]...)
	whole := uint64(len(p)) >= n
	if whole {
		p = p[:n]
	}
	for i := range p {
		p[i] ^= key[i%4]
	}
	size += len(p)
	if b[0]&15 < 8 {
		if r.data(b[0], n, p, whole) {
			return r.fail(1007)
		}
	} else if whole && r.control(b[0]&15, p) {
		return 0, true
	}
	if !whole {
		return 0, false
	}
	return size, false
}

// legal: the rules that two bytes can break (RFC 6455, 5.1, 5.2, 5.4, 5.5; RFC
// 7692, 6).
func (r *reference) legal(first, second byte) bool {
	fin, rsv, op := first>>7 == 1, first>>4&7, first&15
	maskedFrame, short := second>>7 == 1, second&127
	known := op <= 2 || op >= 8 && op <= 10
	zipped := rsv == 4 && r.deflate && (op == 1 || op == 2)
	if !known || rsv != 0 && !zipped || maskedFrame != (r.role == websocket.RoleServer) {
		return false
	}
	if op >= 8 {
		return fin && short <= 125
	}
	return (op == 0) == (r.op != 0)
}

// lengthCode returns the code that a length asks for, or 0.
func (r *reference) lengthCode(b []byte, n uint64, size int) int {
	if n >= 1<<63 || size != shortestForm(n) {
		return 1002
	}
	if b[0]&15 >= 8 {
		return 0
	}
	held, frames, empty := r.size, r.frames, r.empty
	if b[0]&15 != 0 {
		held, frames, empty = 0, 0, 0
	}
	sum := new(big.Int).Add(new(big.Int).SetUint64(held), new(big.Int).SetUint64(n))
	most := big.NewInt(1<<63 - 1)
	if r.lim.Message > 0 {
		most = big.NewInt(r.lim.Message)
	}
	switch {
	case sum.Cmp(most) > 0:
		return 1009
	case r.lim.Frames > 0 && frames+1 > r.lim.Frames:
		return 1008
	case r.lim.Empty > 0 && n == 0 && b[0]>>7 == 0 && empty+1 > r.lim.Empty:
		return 1008
	}
	return 0
}

// data takes p, of the message frame that begins with first and declares n bytes.
// bad tells that the text cannot be UTF-8 whatever follows.
func (r *reference) data(first byte, n uint64, p []byte, whole bool) (bad bool) {
	if op := first & 15; op != 0 {
		r.op, r.zipped, r.message = op, first&0x40 != 0, nil
		r.size, r.frames, r.empty = 0, 0, 0
	}
	r.size += n
	r.frames++
	if n == 0 && first>>7 == 0 {
		r.empty++
	}
	r.message = append(r.message, p...)
	done := whole && first>>7 == 1
	if r.op == 1 && !r.zipped && (!utf8Begins(r.message) || done && !utf8.Valid(r.message)) {
		return true
	}
	if done {
		r.events = append(r.events, fmt.Sprintf("message %x:%v:%x", r.op, r.zipped, r.message))
		r.op, r.message = 0, nil
	}
	return false
}

// utf8Begins tells whether valid UTF-8 can begin with p.
func utf8Begins(p []byte) bool {
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n == 1 {
			return !utf8.FullRune(p)
		}
		p = p[n:]
	}
	return true
}

// control acts on a control frame and tells whether it is the end.
func (r *reference) control(op byte, p []byte) (end bool) {
	switch {
	case op != 8:
		r.events = append(r.events, fmt.Sprintf("control %x:%x", op, p))
		return false
	case len(p) == 0:
		r.events = append(r.events, "close 1005 ")
	case len(p) == 1 || !refCloseCode(int(p[0])<<8|int(p[1])):
		r.fail(1002)
	case !utf8.Valid(p[2:]):
		r.fail(1007)
	default:
		r.events = append(r.events, fmt.Sprintf("close %d %x", int(p[0])<<8|int(p[1]), p[2:]))
	}
	return true
}

// refCloseCode tells whether a close frame may have the code (RFC 6455, 7.4, and
// what IANA has registered since).
func refCloseCode(code int) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code >= 1000 && code <= 1014:
		return code != 1004 && code != 1005 && code != 1006
	}
	return false
}

// recvEvents drives a Receiver with chunks and says what it saw in the words of
// refEvents.
func recvEvents(role websocket.Role, deflate bool, lim websocket.Limits, chunks [][]byte) (events []string) {
	var r websocket.Receiver
	r.Reset(role, deflate, lim)
	var message []byte
	var op websocket.Opcode
	for _, chunk := range chunks {
		b := append([]byte{}, chunk...)
		for len(b) > 0 {
			ev, n := r.Next(b)
			b = b[n:]
			switch ev.Kind {
			case websocket.KindChunk:
				if ev.First {
					op, message = ev.Op, nil
				}
				message = append(message, ev.Data...)
				if ev.Fin {
					events = append(events, fmt.Sprintf("message %x:%v:%x", uint8(op), ev.Compressed, message))
					message = nil
				}
			case websocket.KindPing, websocket.KindPong:
				events = append(events, fmt.Sprintf("control %x:%x", uint8(ev.Op), ev.Data))
			case websocket.KindClose:
				return append(events, fmt.Sprintf("close %d %x", ev.Code, ev.Data))
			case websocket.KindFail:
				return append(events, fmt.Sprint("fail ", int(ev.Code)))
			}
		}
	}
	if len(message) > 0 {
		events = append(events, fmt.Sprintf("part %x:%x", uint8(op), message))
	}
	return events
}
