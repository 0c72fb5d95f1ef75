// Masking of payloads (RFC 6455, section 5.3): what a client does to every byte it sends, and a server undoes.
//
// The key is held as a word whose lowest byte comes first, whatever the byte order of the machine, and longer payloads
// are masked with that word repeated. What fills no word at the end is masked by words counted from the end, which
// overlap the ones before them. This is right in place too, because whatever is stored over an overlap was loaded, and
// masked, before the first byte of it was stored.
//
// Receiver, Sender and Conn call Mask, and so may anybody.

package websocket

import (
	"encoding/binary"
	"math/bits"
)

// Mask XORs src with the masking key and stores the result in the first len(src) bytes of dst. pos is the position of
// src[0] in the payload of its frame: key[pos mod 4] is the first byte used, so that a payload can be masked in pieces
// of any length. Masking and unmasking are the same operation.
//
// dst and src are the same bytes or have none in common. Mask panics if dst is shorter than src, keeps neither, and
// leaves dst alone beyond len(src).
//
//	j                   = i MOD 4
//	transformed-octet-i = original-octet-i XOR masking-key-octet-j      (RFC 6455, section 5.3)
func Mask(dst, src []byte, key [4]byte, pos int) {
	maskBy(dst[:len(src):len(dst)], src, bits.RotateLeft32(binary.LittleEndian.Uint32(key[:]), -8*pos))
}

// maskBy is Mask with the key as a word whose lowest byte comes first. len(dst) == len(src).
//
// Most messages are short: those that no kernel takes are masked here, without a loop, by words from either end.
func maskBy(dst, src []byte, key uint32) {
	le := binary.LittleEndian
	n := len(src)
	dst = dst[:n]
	key2 := uint64(key)<<32 | uint64(key)
	switch {
	case n >= 32 && hasKernel:
		maskKernel(&dst[0], &src[0], n, key2)
	case n > 32:
		maskWords(dst, src, key2)
	case n > 16:
		end := bits.RotateLeft64(key2, -8*n) // the key for the byte after the last, and so for the words before it
		a, b, c, d := le.Uint64(src), le.Uint64(src[8:]), le.Uint64(src[n-16:]), le.Uint64(src[n-8:])
		le.PutUint64(dst, a^key2)
		le.PutUint64(dst[8:], b^key2)
		le.PutUint64(dst[n-16:], c^end)
		le.PutUint64(dst[n-8:], d^end)
	case n >= 8:
		a, b := le.Uint64(src), le.Uint64(src[n-8:])
		le.PutUint64(dst, a^key2)
		le.PutUint64(dst[n-8:], b^bits.RotateLeft64(key2, -8*n))
	case n >= 4:
		a, b := le.Uint32(src), le.Uint32(src[n-4:])
		le.PutUint32(dst, a^key)
		le.PutUint32(dst[n-4:], b^bits.RotateLeft32(key, -8*n))
	default:
		for i := range src {
			dst[i] = src[i] ^ byte(key>>(8*i))
		}
	}
}

// maskWords masks more than 32 bytes, 8 at a time. len(dst) == len(src).
func maskWords(dst, src []byte, key uint64) {
	le := binary.LittleEndian
	end := len(src) - 8
	tail := le.Uint64(src[end:]) ^ bits.RotateLeft64(key, -8*end)
	i := 0
	for ; i <= len(src)-64; i += 64 {
		s, d := src[i:i+64:i+64], dst[i:i+64:i+64]
		le.PutUint64(d, le.Uint64(s)^key)
		le.PutUint64(d[8:], le.Uint64(s[8:])^key)
		le.PutUint64(d[16:], le.Uint64(s[16:])^key)
		le.PutUint64(d[24:], le.Uint64(s[24:])^key)
		le.PutUint64(d[32:], le.Uint64(s[32:])^key)
		le.PutUint64(d[40:], le.Uint64(s[40:])^key)
		le.PutUint64(d[48:], le.Uint64(s[48:])^key)
		le.PutUint64(d[56:], le.Uint64(s[56:])^key)
	}
	for ; i < end; i += 8 {
		le.PutUint64(dst[i:], le.Uint64(src[i:])^key)
	}
	le.PutUint64(dst[end:], tail)
}
