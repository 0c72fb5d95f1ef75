// Package deflate is the DEFLATE codec (RFC 1951) of permessage-deflate
// (RFC 7692): one message in, one message out, from slice to slice, without
// I/O. It keeps nothing between two calls. What a context takeover needs, the
// last bytes of the messages before, the caller keeps and hands in as dict, so
// that a connection pays for its window and for nothing else; the tables are
// borrowed from a pool for the length of a call.
//
// All functions may be called concurrently. None of them keeps a slice that it
// was given, and none writes to dict or src. dst must overlap neither of them.
package deflate

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// This file holds the numbers of RFC 1951 that both directions need, and the
// errors.

// Bounds of the bits that AppendDeflate takes: the window is 1<<bits bytes
// (RFC 7692 7.1.2).
const (
	MinBits = 8
	MaxBits = 15
)

// ErrCorrupt says that a payload is not a complete DEFLATE stream, or that it
// refers to bytes before the beginning of its window.
var ErrCorrupt = errors.New("websocket: compressed message is not valid DEFLATE data")

// ErrTooLarge says that a message inflates to more bytes than the caller's
// limit. Nothing beyond the limit was produced.
var ErrTooLarge = errors.New("websocket: inflated message exceeds the limit")

const (
	maxWindow   = 1 << MaxBits
	minMatch    = 3   // RFC 1951 3.2.5
	maxMatch    = 258 // RFC 1951 3.2.5
	endOfBlock  = 256
	numLitLen   = 286 // symbols that may occur in a stream
	numDist     = 30
	numCodeLen  = 19
	maxCodeBits = 15
)

// The types of a block (RFC 1951 3.2.3).
const (
	blockStored = iota
	blockFixed
	blockDynamic
)

// codeLenOrder is the order in which the lengths of the code length code are
// sent (RFC 1951 3.2.7).
var codeLenOrder = [numCodeLen]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// Extra bits and smallest values of the 29 length codes and the 30 distance
// codes (RFC 1951 3.2.5).
var (
	lengthExtra [29]uint8
	lengthBase  [29]uint16
	distExtra   [numDist]uint8
	distBase    [numDist]uint16
	distMask    [32]uint32 // the extra bits of a distance less 1
)

// lengthSymbol maps a length less 3 to its symbol.
var lengthSymbol [256]uint16

func init() {
	base := uint16(minMatch)
	for i := range 28 {
		if i >= 8 {
			lengthExtra[i] = uint8(i/4 - 1)
		}
		lengthBase[i] = base
		for range 1 << lengthExtra[i] {
			lengthSymbol[base-minMatch] = 257 + uint16(i)
			base++
		}
	}
	// The longest length has a code of its own, although code 27 could say it.
	lengthBase[28], lengthSymbol[maxMatch-minMatch] = maxMatch, 285

	base = 1
	for i := range distBase {
		if i >= 4 {
			distExtra[i] = uint8(i/2 - 1)
		}
		distBase[i] = base
		distMask[i] = 1<<distExtra[i] - 1
		base += 1 << distExtra[i]
	}
}

// distCode returns the code of a distance, given less 1.
func distCode(d uint32) uint8 {
	if d < 2 {
		return uint8(d)
	}
	n := uint32(bits.Len32(d)) - 1
	return uint8(2*n + d>>((n-1)&31)&1)
}

// fixedLengths returns the lengths of the fixed codes (RFC 1951 3.2.6).
func fixedLengths() (lit [288]uint8, dist [32]uint8) {
	for i := range lit {
		switch {
		case i < 144:
			lit[i] = 8
		case i < 256:
			lit[i] = 9
		case i < 280:
			lit[i] = 7
		default:
			lit[i] = 8
		}
	}
	for i := range dist {
		dist[i] = 5
	}
	return lit, dist
}

// Loads and stores in the middle of a slice. b[i:i+8] is checked with one
// comparison where i cannot be negative, b[i:] and its first eight bytes with
// two and a mask. Up to 7 bytes behind the length of b are touched if they are
// in its capacity.
func load32(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i : i+4]) }
func load64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8]) }

func store64(b []byte, i int, v uint64) { binary.LittleEndian.PutUint64(b[i:i+8], v) }
