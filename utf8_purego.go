//go:build purego || !amd64

// The check of whole code points without a kernel: for other processors, and for who wants no assembler.

package websocket

import "unicode/utf8"

// validUTF8 is utf8.Valid.
func validUTF8(p []byte) bool { return utf8.Valid(p) }
