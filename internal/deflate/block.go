package deflate

import "slices"

// This file holds the blocks that the encoder writes: which of the three types
// is the smallest, the header of a dynamic one, and the bits of each. Called by
// encoder.segment.

// A bitWriter appends to out. Its last bits, less than eight, wait in bits.
type bitWriter struct {
	out  []byte
	bits uint64
	n    uint
}

// add appends the low n bits of v, n being at most 56.
func (w *bitWriter) add(v uint64, n uint) {
	w.bits |= v << (w.n & 63)
	w.n += n
	for w.n >= 8 {
		w.out = append(w.out, byte(w.bits))
		w.bits >>= 8
		w.n -= 8
	}
}

// align fills the last byte with zeros.
func (w *bitWriter) align() { w.add(0, -w.n&7) }

// syncFlush ends a message with the header of an empty stored block, whose
// lengths are left out (RFC 7692 7.2.1).
func (w *bitWriter) syncFlush() []byte {
	w.add(blockStored<<1, 3)
	w.align()
	return w.out
}

// dynamicCodes holds the codes of a dynamic block and the header that says them.
type dynamicCodes struct {
	lit  [numLitLen]code
	dist [numDist]code

	lengths [numLitLen + numDist]uint8 // those of lit, then those of dist
	nlit    int
	ndist   int

	runs      [numLitLen + numDist]uint16 // the lengths as sent: symbol | extra<<8
	nruns     int
	runCodes  [numCodeLen]code
	runLength [numCodeLen]uint8
	ncode     int

	builder codeBuilder
}

// maxLitBits is less than the format allows, so that four literals fit into the
// bits of a bitWriter at once.
const maxLitBits = 14

// writeBlock writes the matches found in p, behind which trailing literals
// follow.
func (e *encoder) writeBlock(p []byte, trailing int) {
	e.countLiterals(p, trailing)
	f := &e.freq
	extra := 0
	for i, x := range lengthExtra {
		extra += int(f.lit[257+i]) * int(x)
	}
	for i, x := range distExtra {
		extra += int(f.dist[i]) * int(x)
	}
	stored := int(-(e.w.n+3)&7) + 32 + 8*len(p)
	size, codes := extra, 0
	for i, c := range &fixedLitCodes {
		codes += int(f.lit[i]) * int(c&0xff)
	}
	for i := range f.dist {
		codes += int(f.dist[i]) * 5
	}
	size += codes
	dynamic := false
	if codes > dynamicFrom {
		if n := e.codes.build(f) + extra; n < size {
			size, dynamic = n, true
		}
	}
	switch {
	case stored <= size:
		e.w.stored(p)
	case dynamic:
		e.w.reserve(size)
		e.w.add(blockDynamic<<1, 3)
		e.codes.writeHeader(&e.w)
		e.writeSymbols(p, trailing, &e.codes.lit, &e.codes.dist)
	default:
		e.w.reserve(size)
		e.w.add(blockFixed<<1, 3)
		e.writeSymbols(p, trailing, &fixedLitCodes, &fixedDistCodes)
	}
}

// dynamicFrom is the bits of the fixed codes' symbols up to which codes of
// their own are not tried: they could not save what it takes to send them.
const dynamicFrom = 300

func (e *encoder) countLiterals(p []byte, trailing int) {
	lit := &e.freq.lit
	lit[endOfBlock] = 1
	pos := 0
	for i := range e.seqs[:e.nseqs] {
		q := &e.seqs[i]
		for _, c := range p[pos : pos+int(q.literals)] {
			lit[c]++
		}
		pos += int(q.literals) + int(q.length) + minMatch
	}
	for _, c := range p[len(p)-trailing:] {
		lit[c]++
	}
}

// reserve makes room for the given bits, for those that end a message, and for
// what a store of eight bytes overwrites.
func (w *bitWriter) reserve(bits int) {
	w.out = slices.Grow(w.out, bits/8+16)
}

func (w *bitWriter) stored(p []byte) {
	w.reserve(8*len(p) + 40)
	w.add(blockStored<<1, 3)
	w.align()
	n := uint64(len(p))
	w.add(n|(n^0xffff)<<16, 32)
	w.out = append(w.out, p...)
}

// writeSymbols writes the literals and matches of p and the end of the block.
// There is room for all of it.
func (e *encoder) writeSymbols(p []byte, trailing int, lit *[numLitLen]code, dist *[numDist]code) {
	w := &e.w
	pos := 0
	for i := range e.seqs[:e.nseqs] {
		q := &e.seqs[i]
		if q.literals > 0 {
			w.literals(p[pos:pos+int(q.literals)], lit)
		}
		w.match(q, lit, dist)
		pos += int(q.literals) + int(q.length) + minMatch
	}
	w.literals(p[len(p)-trailing:], lit)
	w.add(uint64(lit[endOfBlock]>>8), uint(lit[endOfBlock]&0xff))
}

// literals appends the codes of p. out has room for them.
func (w *bitWriter) literals(p []byte, lit *[numLitLen]code) {
	out, i := w.out[:cap(w.out)], len(w.out)
	b, n := w.bits, w.n
	for len(p) >= 4 {
		c0, c1, c2, c3 := lit[p[0]], lit[p[1]], lit[p[2]], lit[p[3]]
		p = p[4:]
		b |= uint64(c0>>8) << (n & 63)
		n += uint(c0 & 0xff)
		b |= uint64(c1>>8) << (n & 63)
		n += uint(c1 & 0xff)
		b |= uint64(c2>>8) << (n & 63)
		n += uint(c2 & 0xff)
		b |= uint64(c3>>8) << (n & 63)
		n += uint(c3 & 0xff)
		store64(out[i:], b)
		i += int(n >> 3)
		b >>= n & 56
		n &= 7
	}
	for _, s := range p {
		c := lit[s]
		b |= uint64(c>>8) << (n & 63)
		n += uint(c & 0xff)
	}
	store64(out[i:], b)
	i += int(n >> 3)
	w.out, w.bits, w.n = out[:i], b>>(n&56), n&7
}

// match appends the codes of a match. out has room for them.
func (w *bitWriter) match(q *seq, lit *[numLitLen]code, dist *[numDist]code) {
	out, i := w.out[:cap(w.out)], len(w.out)
	b, n := w.bits, w.n
	c := lit[257+int(q.lenCode)]
	b |= uint64(c>>8) << (n & 63)
	n += uint(c & 0xff)
	b |= uint64(uint16(q.length)+minMatch-lengthBase[q.lenCode]) << (n & 63)
	n += uint(lengthExtra[q.lenCode])
	c = dist[q.distCode]
	b |= uint64(c>>8) << (n & 63)
	n += uint(c & 0xff)
	b |= uint64(q.dist+1-distBase[q.distCode]) << (n & 63)
	n += uint(distExtra[q.distCode])
	store64(out[i:], b)
	i += int(n >> 3)
	w.out, w.bits, w.n = out[:i], b>>(n&56), n&7
}
