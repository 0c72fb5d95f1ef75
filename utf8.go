// UTF-8 validity of text that arrives in pieces (RFC 6455, sections 5.6 and 8.1; the encoding is RFC 3629).
//
// A piece may end anywhere, and the first byte that no valid text could have where it stands is refused at once, even
// in the middle of a code point. The code point that a cut between two pieces goes through is taken byte by byte; what
// lies between two cuts is whole, and is checked at once.
//
// Receiver writes the payload of text messages, frame by frame, as it arrives.

package websocket

import "encoding/binary"

// utf8Stream checks one text. The zero value stands before its first byte.
type utf8Stream struct {
	due    uint8 // continuation bytes that the code point begun still needs
	lo, hi uint8 // what the next of them may be, while one is due
}

// write takes the next piece of the text. It reports false once a byte stands where no valid text has it; whatever is
// written afterwards, until reset, means nothing.
func (u *utf8Stream) write(p []byte) bool {
	for u.due > 0 && len(p) > 0 {
		if !u.next(p[0]) {
			return false
		}
		p = p[1:]
	}
	p = p[asciiLen(p):]
	if len(p) == 0 {
		return true
	}
	whole := cutAt(p)
	if !validUTF8(p[:whole]) {
		return false
	}
	for _, b := range p[whole:] {
		if !u.next(b) {
			return false
		}
	}
	return true
}

// validText reports whether p is a text, whole.
func validText(p []byte) bool {
	p = p[asciiLen(p):]
	return len(p) == 0 || validUTF8(p)
}

// complete reports whether the text may end here: it does not stand within a code point.
func (u *utf8Stream) complete() bool { return u.due == 0 }

// reset makes u ready for another text.
func (u *utf8Stream) reset() { *u = utf8Stream{} }

// next takes one byte: a continuation byte, if one is due, and else one that begins a code point of several bytes. It is
// RFC 3629, section 4, without ASCII, which needs no state:
//
//	UTF8-2 = %xC2-DF UTF8-tail
//	UTF8-3 = %xE0 %xA0-BF UTF8-tail / %xE1-EC 2( UTF8-tail ) / %xED %x80-9F UTF8-tail / %xEE-EF 2( UTF8-tail )
//	UTF8-4 = %xF0 %x90-BF 2( UTF8-tail ) / %xF1-F3 3( UTF8-tail ) / %xF4 %x80-8F 2( UTF8-tail )
//	UTF8-tail = %x80-BF
func (u *utf8Stream) next(b byte) bool {
	if u.due > 0 {
		ok := u.lo <= b && b <= u.hi
		u.due, u.lo, u.hi = u.due-1, 0x80, 0xBF
		return ok
	}
	u.lo, u.hi = 0x80, 0xBF
	switch {
	case b < 0xC2: // an overlong form of ASCII
		return false
	case b < 0xE0:
		u.due = 1
	case b < 0xF0:
		u.due = 2
	case b < 0xF5:
		u.due = 3
	default: // beyond U+10FFFF
		return false
	}
	switch b {
	case 0xE0: // less would be an overlong form of two bytes
		u.lo = 0xA0
	case 0xED: // more would be a surrogate
		u.hi = 0x9F
	case 0xF0: // less would be an overlong form of three bytes
		u.lo = 0x90
	case 0xF4: // more would be beyond U+10FFFF
		u.hi = 0x8F
	}
	return true
}

// cutAt returns where the code point begins that the end of p cuts, or len(p) if it cuts none.
func cutAt(p []byte) int {
	n := len(p)
	switch {
	case n >= 1 && p[n-1] >= 0xC0: // begins one of two bytes or more
		return n - 1
	case n >= 2 && p[n-2] >= 0xE0: // of three or more
		return n - 2
	case n >= 3 && p[n-3] >= 0xF0: // of four
		return n - 3
	}
	return n
}

// asciiLen returns the length of the ASCII that p begins with, or up to 7 less: it looks at 8 bytes at a time.
func asciiLen(p []byte) int {
	const high = 0x8080808080808080
	le := binary.LittleEndian
	i := 0
	for ; i <= len(p)-32; i += 32 {
		s := p[i : i+32 : i+32]
		if (le.Uint64(s)|le.Uint64(s[8:])|le.Uint64(s[16:])|le.Uint64(s[24:]))&high != 0 {
			break
		}
	}
	for ; i <= len(p)-8; i += 8 {
		if le.Uint64(p[i:])&high != 0 {
			return i
		}
	}
	if len(p) >= 8 && le.Uint64(p[len(p)-8:])&high == 0 {
		return len(p)
	}
	return i
}
