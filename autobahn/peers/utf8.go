package main

// This file checks text while it passes, for libraries that leave that to the
// application.

import (
	"errors"
	"io"
	"unicode/utf8"
)

var errNotUTF8 = errors.New("text is not UTF-8")

// utf8Reader reads r and fails at the first byte that no valid text can have there,
// or at the end of a text that stops inside a character.
type utf8Reader struct {
	r    io.Reader
	tail []byte // the beginning of a character that has not wholly come yet
}

func (u *utf8Reader) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	rest := append(u.tail, p[:n]...)
	for len(rest) > 0 && utf8.FullRune(rest) {
		c, size := utf8.DecodeRune(rest)
		if c == utf8.RuneError && size == 1 {
			return n, errNotUTF8
		}
		rest = rest[size:]
	}
	u.tail = append(u.tail[:0], rest...)
	if err == io.EOF && len(u.tail) > 0 {
		return n, errNotUTF8
	}
	return n, err
}
