// UTF-8 validity of text that arrives in pieces (RFC 6455, sections 5.6 and 8.1; the encoding is RFC 3629).
//
// The check is an automaton of nine states that takes one byte a step, so a piece may end anywhere, and the first byte
// that no valid text could have there is refused at once, even in the middle of a code point. Runs of ASCII are passed
// over a word at a time.
//
// Receiver calls it for the payload of text messages and the reason of a Close frame, Sender for what it is to send.

package websocket

import "encoding/binary"

// A state is named by where its successor stands in a row of utf8Next: a shift, in bits.
const (
	utf8Boundary = 6 * iota // between two code points: the zero value
	utf8One                 // one continuation byte, 80..BF, is due
	utf8Two                 // two are due
	utf8Three               // three are due
	utf8E0                  // after E0: A0..BF is due, less would be an overlong form, then one more
	utf8ED                  // after ED: 80..9F is due, more would be a surrogate, then one more
	utf8F0                  // after F0: 90..BF is due, less would be an overlong form, then two more
	utf8F4                  // after F4: 80..8F is due, more would pass U+10FFFF, then two more
	utf8Invalid             // nothing that follows makes it valid
)

// utf8Next has a row for each byte: the nine successors, 6 bits each, of which the row shifted right by a state shows
// the one for this state in its lowest 6 bits. A step is a load that does not wait for the state, and a shift.
var utf8Next = utf8Table()

// utf8Table draws RFC 3629, section 4.
func utf8Table() (t [256]uint64) {
	for b := range t {
		for s := uint(0); s <= utf8Invalid; s += 6 {
			t[b] |= utf8Invalid << s
		}
	}
	on := func(state uint, from, to byte, next uint64) {
		for b := int(from); b <= int(to); b++ {
			t[b] ^= (utf8Invalid ^ next) << state
		}
	}
	on(utf8Boundary, 0x00, 0x7F, utf8Boundary)
	on(utf8Boundary, 0xC2, 0xDF, utf8One)
	on(utf8Boundary, 0xE0, 0xE0, utf8E0)
	on(utf8Boundary, 0xE1, 0xEC, utf8Two)
	on(utf8Boundary, 0xED, 0xED, utf8ED)
	on(utf8Boundary, 0xEE, 0xEF, utf8Two)
	on(utf8Boundary, 0xF0, 0xF0, utf8F0)
	on(utf8Boundary, 0xF1, 0xF3, utf8Three)
	on(utf8Boundary, 0xF4, 0xF4, utf8F4)
	on(utf8One, 0x80, 0xBF, utf8Boundary)
	on(utf8Two, 0x80, 0xBF, utf8One)
	on(utf8Three, 0x80, 0xBF, utf8Two)
	on(utf8E0, 0xA0, 0xBF, utf8One)
	on(utf8ED, 0x80, 0x9F, utf8One)
	on(utf8F0, 0x90, 0xBF, utf8Two)
	on(utf8F4, 0x80, 0x8F, utf8Two)
	return t
}

// utf8Stream checks one text. The zero value stands before its first byte.
type utf8Stream struct {
	state uint8
}

// write takes the next piece of the text. It reports false once the text holds a byte that cannot stand where it
// stands in any valid UTF-8; from then on it stays false until reset.
func (u *utf8Stream) write(p []byte) bool {
	const ascii = 0x8080808080808080
	state := uint64(u.state)
	for len(p) >= 8 {
		if state == utf8Boundary && binary.LittleEndian.Uint64(p)&ascii == 0 {
			p = p[8:]
			continue
		}
		for _, b := range p[:8] {
			state = utf8Next[b] >> (state & 63)
		}
		state &= 63
		p = p[8:]
	}
	for _, b := range p {
		state = utf8Next[b] >> (state & 63)
	}
	u.state = uint8(state & 63)
	return u.state != utf8Invalid
}

// complete reports whether the text may end here: whether it stands between two code points.
func (u *utf8Stream) complete() bool { return u.state == utf8Boundary }

// reset makes u ready for another text.
func (u *utf8Stream) reset() { u.state = utf8Boundary }
