package deflate

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// This file holds the blocks that the encoder writes: which of the three types
// is the smallest, and the bits of each. Called by encoder.segment.

// A bitWriter appends to out. Its last bits, less than 32, wait in bits.
type bitWriter struct {
	out  []byte
	bits uint64
	n    uint
}

// add appends the low n bits of v, n being at most 32.
func (w *bitWriter) add(v uint64, n uint) {
	w.bits |= v << (w.n & 63)
	w.n += n
	if w.n >= 32 {
		w.out = binary.LittleEndian.AppendUint32(w.out, uint32(w.bits))
		w.bits >>= 32
		w.n -= 32
	}
}

// flush appends the whole bytes of what waits.
func (w *bitWriter) flush() {
	for ; w.n >= 8; w.n -= 8 {
		w.out = append(w.out, byte(w.bits))
		w.bits >>= 8
	}
}

// align fills the last byte with zeros.
func (w *bitWriter) align() {
	w.n += -w.n & 7
	w.flush()
}

// reserve makes room for the given bits, for those that end a message, and for
// what a store of eight bytes overwrites.
func (w *bitWriter) reserve(bits int) {
	w.out = slices.Grow(w.out, bits/8+16)
}

// syncFlush ends a message with the header of an empty stored block, whose
// lengths are left out (RFC 7692 7.2.1).
func (w *bitWriter) syncFlush() []byte {
	w.add(blockStored<<1, 3)
	w.align()
	return w.out
}

// stored appends a stored block (RFC 1951 3.2.4).
func (w *bitWriter) stored(p []byte) {
	w.reserve(8*len(p) + 40)
	w.add(blockStored<<1, 3)
	w.align()
	n := uint64(len(p))
	w.add(n|(n^0xffff)<<16, 32)
	w.out = append(w.out, p...)
}

// writeBlock writes the block that p became.
func (e *encoder) writeBlock(p []byte) {
	w := &e.w
	// All sizes are less the three bits that begin a block.
	stored := int(-(w.n+3)&7) + 32 + 8*len(p)
	e.block.count()
	fixed, dynamic := e.sizes()
	if dynamic < min(fixed, stored) {
		dynamic = e.codes.build()
	}
	switch size := min(fixed, dynamic); {
	case stored <= size:
		w.stored(p)
	case dynamic < fixed:
		w.reserve(3 + size)
		w.add(blockDynamic<<1, 3)
		e.codes.writeHeader(w)
		e.codes.withExtra(e.codes.usedLit.symbols(), e.codes.usedDist.symbols())
		w.symbols(&e.block, &e.codes.symbolCodes)
	default:
		w.reserve(3 + size)
		w.add(blockFixed<<1, 3)
		w.symbols(&e.block, &fixedCodes)
	}
}

// sizes returns the bits of the block with the fixed codes, and a lower bound of
// its bits with codes of its own.
func (e *encoder) sizes() (fixed, dynamic int) {
	b, c := &e.block, &e.codes
	c.usedLit.collect(b.lit[:numLitLen])
	c.usedDist.collect(b.dist[:numDist])
	c.extra = 0
	var lit, dist entropy
	for _, k := range c.usedLit.symbols() {
		sym, n := k&symbolMask, k>>symbolBits
		lit.add(n)
		fixed += int(n) * int(fixedCodes.lit[sym]&0xff)
		if sym > endOfBlock {
			c.extra += int(n) * int(lengthExtra[sym-257])
		}
	}
	for _, k := range c.usedDist.symbols() {
		sym, n := k&symbolMask, k>>symbolBits
		dist.add(n)
		c.extra += int(n) * int(distExtra[sym])
	}
	fixed += b.nseqs*5 + c.extra
	dynamic = lit.bits() + dist.bits() + c.extra + headerMin + headerSymbol*(c.usedLit.n+c.usedDist.n)
	return fixed, dynamic
}

// What a dynamic block's header takes at least, so far as the guess may be
// trusted: it only decides whether the real size is found out.
const (
	headerMin    = 70
	headerSymbol = 2
)

// entropy adds up what symbols of the frequencies given to it must take.
type entropy struct {
	total uint32
	sum   uint64 // of each frequency times its logarithm, in 1/256 bits
}

func (e *entropy) add(n uint32) {
	e.total += n
	e.sum += uint64(n) * log2(n)
}

func (e *entropy) bits() int {
	return int((uint64(e.total)*log2(e.total) - e.sum) >> 8)
}

// log2 returns the logarithm of n in 1/256, about, and 0 for 0.
func log2(n uint32) uint64 {
	shift := max(bits.Len32(n), 8) - 8
	return uint64(shift)<<8 + uint64(logTable[n>>(shift&31)&255])
}
