// Masking of payloads (RFC 6455, section 5.3): what a client does to every byte it sends, and a server to every byte
// it receives.
//
// The key is kept as a word in which the byte that comes first is the lowest, twice over: whatever the byte order of
// the machine, a little-endian load, XOR and store masks 8 bytes. A remainder that fills no word is masked by words
// that overlap the ones before them; this is right in place too, because every word is loaded from src before the
// first byte that it shares is stored.
//
// Receiver and Sender call Mask; drivers and users may.

package websocket

import (
	"encoding/binary"
	"math/bits"
)

// Mask XORs src with the masking key and stores the result in the first len(src) bytes of dst. pos is the position of
// src[0] in the payload of its frame: key[pos mod 4] comes first, so a payload can be masked in pieces of any length.
// Masking and unmasking are the same operation.
//
// dst and src are the same bytes or share none; Mask panics if dst is shorter than src. Neither is kept.
//
//	j                   = i MOD 4
//	transformed-octet-i = original-octet-i XOR masking-key-octet-j     (RFC 6455, section 5.3)
func Mask(dst, src []byte, key [4]byte, pos int) {
	dst = dst[:len(src):len(dst)]
	k := bits.RotateLeft32(binary.LittleEndian.Uint32(key[:]), -8*(pos&3))
	maskWords(dst, src, uint64(k)<<32|uint64(k))
}

// maskWords is Mask in plain Go, 8 bytes a step. len(dst) == len(src).
func maskWords(dst, src []byte, key uint64) {
	le := binary.LittleEndian
	n := len(src)
	if n < 8 {
		maskFew(dst, src, key)
		return
	}
	tail := le.Uint64(src[n-8:]) ^ bits.RotateLeft64(key, -8*(n&3))
	last := dst[n-8:]
	for len(src) >= 32 && len(dst) >= 32 {
		a, b, c, d := le.Uint64(src), le.Uint64(src[8:]), le.Uint64(src[16:]), le.Uint64(src[24:])
		le.PutUint64(dst, a^key)
		le.PutUint64(dst[8:], b^key)
		le.PutUint64(dst[16:], c^key)
		le.PutUint64(dst[24:], d^key)
		src, dst = src[32:], dst[32:]
	}
	for len(src) >= 8 && len(dst) >= 8 {
		le.PutUint64(dst, le.Uint64(src)^key)
		src, dst = src[8:], dst[8:]
	}
	le.PutUint64(last, tail)
}

// maskFew masks fewer than 8 bytes.
func maskFew(dst, src []byte, key uint64) {
	le := binary.LittleEndian
	n := len(src)
	if n >= 4 {
		head, tail := le.Uint32(src), le.Uint32(src[n-4:])
		le.PutUint32(dst, head^uint32(key))
		le.PutUint32(dst[n-4:], tail^bits.RotateLeft32(uint32(key), -8*(n&3)))
		return
	}
	for i := range src {
		dst[i] = src[i] ^ byte(key>>(8*i))
	}
}
