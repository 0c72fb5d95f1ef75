//go:build !purego

// The check of whole code points for amd64, ten times as fast as package unicode/utf8 where the text is not ASCII.

package websocket

import "unicode/utf8"

// utf8KernelMin is the least that the kernel can take: 32 bytes and the three before them.
const utf8KernelMin = 35

// validUTF8 is utf8.Valid.
func validUTF8(p []byte) bool {
	if len(p) < utf8KernelMin || !hasAVX2 {
		return utf8.Valid(p)
	}
	return cutAt(p) == len(p) && utf8Kernel(&p[0], len(p))
}

// utf8Kernel reports whether p[:n] holds valid UTF-8, but for what the code point that its end cuts still needs; n is at
// least utf8KernelMin. It needs AVX2.
//
//go:noescape
func utf8Kernel(p *byte, n int) bool
