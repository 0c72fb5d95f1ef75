package suite

// This file checks text that arrives in pieces, so that an invalid octet is noticed
// when it arrives and not at the end of the message (RFC 6455, section 8.1).

import "unicode/utf8"

// utf8Check is the state between two pieces. Its zero value is the start of a text.
type utf8Check struct {
	tail [4]byte // the beginning of an unfinished character
	n    int
}

// write takes the next piece and tells whether the text can still become valid.
func (u *utf8Check) write(p []byte) bool {
	for u.n > 0 && len(p) > 0 {
		u.tail[u.n] = p[0]
		u.n, p = u.n+1, p[1:]
		if utf8.FullRune(u.tail[:u.n]) {
			if !utf8.Valid(u.tail[:u.n]) {
				return false
			}
			u.n = 0
		}
	}
	if len(p) == 0 {
		return true
	}
	cut := len(p)
	for i := 1; i <= min(3, len(p)); i++ {
		if c := p[len(p)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(p[len(p)-i:]) {
				cut = len(p) - i
			}
			break
		}
	}
	u.n = copy(u.tail[:], p[cut:])
	return utf8.Valid(p[:cut])
}

// complete tells whether the text may end here.
func (u *utf8Check) complete() bool { return u.n == 0 }
