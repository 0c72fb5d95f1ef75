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
	b, w := &e.block, &e.w
	// All sizes are less the three bits that begin a block.
	stored := int(-(w.n+3)&7) + 32 + 8*len(p)
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
		w.symbols(b, &e.codes.lit, &e.codes.dist)
	default:
		w.reserve(3 + size)
		w.add(blockFixed<<1, 3)
		w.symbols(b, &fixedLitCodes, &fixedDistCodes)
	}
}

// sizes counts the symbols of the block and returns its bits with the fixed
// codes, and a lower bound of its bits with codes of its own.
func (e *encoder) sizes() (fixed, dynamic int) {
	b, c := &e.block, &e.codes
	b.count()
	c.usedLit.collect(b.lit[:])
	c.usedDist.collect(b.dist[:])
	c.extra = 0
	var lit, dist entropy
	for _, k := range c.usedLit.symbols() {
		sym, n := k&symbolMask, k>>symbolBits
		lit.add(n)
		fixed += int(n) * int(fixedLitCodes[sym]&0xff)
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

// symbols writes the literals and matches of b and the end of the block. There
// is room for all of it.
func (w *bitWriter) symbols(b *block, lit *[numLitLen]code, dist *[numDist]code) {
	w.flush()
	done := w.matches(b, lit, dist)
	w.literals(b.literals[done:b.nliterals], lit)
	w.add(uint64(lit[endOfBlock]>>8), uint(lit[endOfBlock]&0xff))
}

// A bitSum is bits that are gathered to be stored at once: at most 57 behind
// those that storing leaves, which are four literals, or a match. It is handled
// as a value, which keeps it in registers.
type bitSum struct {
	bits uint64
	n    uint
}

func (s bitSum) code(c code) bitSum { return s.extra(uint64(c>>8), uint(c&0xff)) }

func (s bitSum) extra(v uint64, n uint) bitSum {
	return bitSum{s.bits | v<<(s.n&63), s.n + n}
}

// store puts the whole bytes to out[i:], and returns where they end and what is
// left.
func (s bitSum) store(out []byte, i int) (int, bitSum) {
	store64(out, i, s.bits)
	return i + int(s.n>>3), bitSum{s.bits >> (s.n & 56), s.n & 7}
}

// literalMasks keep the first 0 to 3 of three codes.
var literalMasks = [4][3]code{{}, {^code(0)}, {^code(0), ^code(0)}, {^code(0), ^code(0), ^code(0)}}

// matches appends the codes of the matches and of the literals before them, and
// returns how many literals those were. Up to three literals are written without
// a branch on their number, which nothing could foresee.
func (w *bitWriter) matches(b *block, lit *[numLitLen]code, dist *[numDist]code) int {
	out, i := w.out[:cap(w.out)], len(w.out)
	s := bitSum{w.bits, w.n}
	p := b.literals[:]
	for _, q := range b.seqs[:b.nseqs] {
		k := int(q & 0xffff)
		for ; k > 3; k -= 4 {
			s = s.code(lit[p[0]]).code(lit[p[1]]).code(lit[p[2]]).code(lit[p[3]])
			i, s = s.store(out, i)
			p = p[4:]
		}
		m := &literalMasks[k&3]
		s = s.code(lit[p[0]] & m[0]).code(lit[p[1]] & m[1]).code(lit[p[2]] & m[2])
		i, s = s.store(out, i)
		p = p[k:]

		lc, dc := q>>seqLenCode&31, q>>seqDistCode&31
		x := lengthExtra[lc]
		s = s.code(lit[257+lc]).extra(uint64(q>>seqLength&0xff&(1<<(x&7)-1)), uint(x))
		x = distExtra[dc]
		s = s.code(dist[dc]).extra(uint64(q>>seqDist&0x7fff&(1<<(x&15)-1)), uint(x))
		i, s = s.store(out, i)
	}
	w.out, w.bits, w.n = out[:i], s.bits, s.n
	return len(b.literals) - len(p)
}

// literals appends the codes of p. out has room for them.
func (w *bitWriter) literals(p []byte, lit *[numLitLen]code) {
	out, i := w.out[:cap(w.out)], len(w.out)
	s := bitSum{w.bits, w.n}
	for ; len(p) > 3; p = p[4:] {
		s = s.code(lit[p[0]]).code(lit[p[1]]).code(lit[p[2]]).code(lit[p[3]])
		i, s = s.store(out, i)
	}
	w.out, w.bits, w.n = out[:i], s.bits, s.n
	for _, c := range p {
		w.add(uint64(lit[c]>>8), uint(lit[c]&0xff))
	}
}
