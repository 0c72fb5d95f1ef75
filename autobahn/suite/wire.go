package suite

// This file is the suite's own knowledge of frames: building them, right or wrong,
// and reading headers. It shares nothing with the library under test. It decides
// nothing either: session.go sends what a case asks for, receive.go judges what
// arrives.

import (
	"encoding/binary"
	"math/rand/v2"
)

// Opcodes (RFC 6455, section 5.2).
const (
	opCont   = 0x0
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xA
)

// rsv1 is the value of RSV1 among the three reserved bits: 4, 2, 1 from the left.
const rsv1 = 4

// frame is a frame to be sent, sound or not.
type frame struct {
	op      int
	more    bool // FIN is 0
	rsv     int
	payload []byte

	chop int  // written in pieces of so many octets; 0 is one piece
	sync bool // written by itself, not together with the next frame

	wrongMask bool // masked by a server, or not masked by a client
	lenBytes  int  // size of the length field: 1, 3 or 9 octets; 0 is the shortest that fits
	length    *uint64
}

// appendHeader appends the header of f. A masked frame gets the key.
func appendHeader(b []byte, f frame, masked bool, key [4]byte) []byte {
	first := byte(f.rsv<<4 | f.op)
	if !f.more {
		first |= 0x80
	}
	var bit byte
	if masked {
		bit = 0x80
	}
	n := uint64(len(f.payload))
	if f.length != nil {
		n = *f.length
	}
	size := f.lenBytes
	switch {
	case size != 0:
	case n <= 125:
		size = 1
	case n <= 0xffff:
		size = 3
	default:
		size = 9
	}
	b = append(b, first)
	switch size {
	case 1:
		b = append(b, bit|byte(n))
	case 3:
		b = append(b, bit|126)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b = append(b, bit|127)
		b = binary.BigEndian.AppendUint64(b, n)
	}
	if masked {
		b = append(b, key[:]...)
	}
	return b
}

// maskBytes XORs p in place with key, p beginning at position pos of the payload
// (RFC 6455, section 5.3: "octet i of the transformed data is the XOR of octet i
// of the original data with octet at index i modulo 4 of the masking key").
func maskBytes(p []byte, key [4]byte, pos int) {
	if key == [4]byte{} {
		return
	}
	var k [8]byte
	for i := range k {
		k[i] = key[(pos+i)&3]
	}
	word := binary.LittleEndian.Uint64(k[:])
	for len(p) >= 32 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^word)
		binary.LittleEndian.PutUint64(p[8:], binary.LittleEndian.Uint64(p[8:])^word)
		binary.LittleEndian.PutUint64(p[16:], binary.LittleEndian.Uint64(p[16:])^word)
		binary.LittleEndian.PutUint64(p[24:], binary.LittleEndian.Uint64(p[24:])^word)
		p = p[32:]
	}
	for i := range p {
		p[i] ^= k[i&7]
	}
}

// randomKey returns a masking key.
func randomKey(r *rand.Rand) [4]byte {
	var key [4]byte
	binary.LittleEndian.PutUint32(key[:], r.Uint32())
	return key
}

// header is the header of a frame that arrived.
type header struct {
	op     int
	fin    bool
	rsv    int
	masked bool
	key    [4]byte
	length uint64

	minimal bool // the length is in the shortest form
}

// parseHeader reads a header from the start of b and returns how many octets it
// has; 0 means that b ends before the header does.
func parseHeader(b []byte) (h header, n int) {
	if len(b) < 2 {
		return h, 0
	}
	h.op, h.fin, h.rsv = int(b[0]&0xf), b[0]&0x80 != 0, int(b[0]>>4&7)
	h.masked = b[1]&0x80 != 0
	h.length, h.minimal = uint64(b[1]&0x7f), true
	n = 2
	switch h.length {
	case 126:
		if len(b) < 4 {
			return h, 0
		}
		h.length, n = uint64(binary.BigEndian.Uint16(b[2:])), 4
		h.minimal = h.length > 125
	case 127:
		if len(b) < 10 {
			return h, 0
		}
		h.length, n = binary.BigEndian.Uint64(b[2:]), 10
		h.minimal = h.length > 0xffff
	}
	if h.masked {
		if len(b) < n+4 {
			return h, 0
		}
		copy(h.key[:], b[n:])
		n += 4
	}
	return h, n
}
