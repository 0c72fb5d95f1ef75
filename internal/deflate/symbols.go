package deflate

// This file holds what writes the symbols of a block: its literals and matches in
// given codes. Called by encoder.writeBlock.

// symbols writes the literals and matches of the block and the end of it. There
// is room for all of it.
func (e *encoder) symbols(lit *[numLitLen]code, dist *[numDist]code) {
	b, w := &e.block, &e.w
	e.matchCodes.build(e.codes.usedLit.symbols(), lit, e.codes.usedDist.symbols(), dist)
	w.flush()
	done := w.matches(b, lit, &e.matchCodes)
	w.literals(b.literals[done:b.nliterals], lit)
	w.add(uint64(lit[endOfBlock]>>8), uint(lit[endOfBlock]&0xff))
}

// matchCodes are the codes of a block, made ready for its matches.
type matchCodes struct {
	length [256]code // of a length less 3, extra bits included
	dist   [32]distCodeBits
}

// distCodeBits is the bits of a distance code in 16..31, their number in 0..7,
// and that with the extra bits in 8..15.
type distCodeBits uint32

// build makes m ready for the lengths and distances used.
func (m *matchCodes) build(usedLit []uint32, lit *[numLitLen]code, usedDist []uint32, dist *[numDist]code) {
	i := len(usedLit)
	for usedLit[i-1]&symbolMask > endOfBlock { // which always is used
		i--
	}
	for _, k := range usedLit[i:] {
		sym := k & symbolMask
		c, n := lit[sym], lengthExtra[sym-257]
		all := m.length[lengthBase[sym-257]-minMatch:][:1<<n]
		for x := range all {
			all[x] = c + code(n) + code(x)<<(8+c&0xff)
		}
	}
	for _, k := range usedDist {
		sym := k & symbolMask
		c := dist[sym]
		n := c & 0xff
		m.dist[sym] = distCodeBits(c>>8<<16 | (n+code(distExtra[sym]))<<8 | n)
	}
}

// A bitSum is bits that are gathered to be stored at once: at most 57 behind
// those that storing leaves, which are four literals, or a match. Their number
// is in the low 6 bits of n. It is handled as a value, which keeps it in
// registers.
type bitSum struct {
	bits uint64
	n    uint32
}

func (s bitSum) code(c code) bitSum {
	return bitSum{s.bits | uint64(c>>8)<<(s.n&63), s.n + uint32(c)}
}

// dist adds a distance code and its extra bits.
func (s bitSum) dist(d distCodeBits, extra uint64) bitSum {
	v := uint64(d>>16) | extra<<(d&63)
	return bitSum{s.bits | v<<(s.n&63), s.n + uint32(d>>8)}
}

// store puts the whole bytes to out[i:], and returns where they end and what is
// left.
func (s bitSum) store(out []byte, i uint32) (uint32, bitSum) {
	store64(out, int(i), s.bits)
	return i + s.n>>3&7, bitSum{s.bits >> (s.n & 56), s.n & 7}
}

// literalMasks keep the first 0 to 3 of three codes.
var literalMasks = [4][3]code{{}, {^code(0)}, {^code(0), ^code(0)}, {^code(0), ^code(0), ^code(0)}}

// matches appends the codes of the matches and of the literals before them, and
// returns how many literals those were. Up to three literals are written without
// a branch on their number, which nothing could foresee.
func (w *bitWriter) matches(b *block, lit *[numLitLen]code, m *matchCodes) int {
	out, i := w.room()
	s := bitSum{w.bits, uint32(w.n)}
	done := uint32(0)
	for _, q := range b.seqs[:b.nseqs] {
		p := load32(b.literals[:], int(done))
		k := uint32(q & 0xffff)
		done += k
		for ; k > 3; k -= 4 {
			s = s.code(lit[p&255]).code(lit[p>>8&255]).code(lit[p>>16&255]).code(lit[p>>24])
			i, s = s.store(out, i)
			p = load32(b.literals[:], int(done-k+4))
		}
		keep := &literalMasks[k&3]
		s = s.code(lit[p&255] & keep[0]).code(lit[p>>8&255] & keep[1]).code(lit[p>>16&255] & keep[2])
		i, s = s.store(out, i)
		s = s.code(m.length[q>>seqLength&255])
		s = s.dist(m.dist[q>>seqDistCode&31], uint64(q>>seqExtra&(1<<13-1)))
		i, s = s.store(out, i)
	}
	w.took(i, s)
	return int(done)
}

// literals appends the codes of p. out has room for them.
func (w *bitWriter) literals(p []byte, lit *[numLitLen]code) {
	out, i := w.room()
	s := bitSum{w.bits, uint32(w.n)}
	for ; len(p) > 3; p = p[4:] {
		s = s.code(lit[p[0]]).code(lit[p[1]]).code(lit[p[2]]).code(lit[p[3]])
		i, s = s.store(out, i)
	}
	w.took(i, s)
	for _, c := range p {
		w.add(uint64(lit[c]>>8), uint(lit[c]&0xff))
	}
}

// room returns the room behind out, and its first index.
func (w *bitWriter) room() ([]byte, uint32) { return w.out[len(w.out):cap(w.out)], 0 }

// took notes that n bytes of the room are in use, and what is to follow.
func (w *bitWriter) took(n uint32, left bitSum) {
	w.out, w.bits, w.n = w.out[:len(w.out)+int(n)], left.bits, uint(left.n)
}
