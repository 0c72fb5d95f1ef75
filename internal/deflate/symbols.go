package deflate

// This file holds what writes the symbols of a block: its literals and matches in
// given codes. Called by encoder.writeBlock.

// symbolCodes are the codes of a block: those of the symbols, and what is written
// for the lengths and distances that they stand for.
type symbolCodes struct {
	lit  [numLitLen]code
	dist [numDist]code

	length   [256]code // of a length less 3, extra bits included
	distance [32]distanceCode
}

// A distanceCode is a code in 16..31, the number of its bits in 0..7, and their
// number with the extra bits in 8..15.
type distanceCode uint32

// withExtra sets length and distance for the symbols used.
func (c *symbolCodes) withExtra(usedLit, usedDist []uint32) {
	i := len(usedLit)
	for i > 0 && usedLit[i-1]&symbolMask > endOfBlock {
		i--
	}
	for _, k := range usedLit[i:] {
		sym := k & symbolMask
		first, n := c.lit[sym], lengthExtra[sym-257]
		all := c.length[lengthBase[sym-257]-minMatch:][:1<<n]
		for x := range all {
			all[x] = first + code(n) + code(x)<<(8+first&0xff)
		}
	}
	for _, k := range usedDist {
		sym := k & symbolMask
		d := c.dist[sym]
		n := d & 0xff
		c.distance[sym] = distanceCode(d>>8<<16 | (n+code(distExtra[sym]))<<8 | n)
	}
}

// symbols writes the literals and matches of b and the end of it. There is room
// for all of it.
func (w *bitWriter) symbols(b *block, c *symbolCodes) {
	w.flush()
	done := w.matches(b, c)
	w.literals(b.literals[done:b.nliterals], &c.lit)
	w.add(uint64(c.lit[endOfBlock]>>8), uint(c.lit[endOfBlock]&0xff))
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

// distance adds a distance code and its extra bits.
func (s bitSum) distance(d distanceCode, extra uint64) bitSum {
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
func (w *bitWriter) matches(b *block, c *symbolCodes) int {
	out, at := w.room()
	s := bitSum{w.bits, uint32(w.n)}
	done := uint32(0)
	for i := range b.seqs[:b.nseqs] {
		q := &b.seqs[i]
		p := load32(b.literals[:], int(done))
		k := uint32(q.literals)
		done += k
		for ; k > 3; k -= 4 {
			s = s.code(c.lit[p&255]).code(c.lit[p>>8&255]).code(c.lit[p>>16&255]).code(c.lit[p>>24])
			at, s = s.store(out, at)
			p = load32(b.literals[:], int(done-k+4))
		}
		keep := &literalMasks[k&3]
		s = s.code(c.lit[p&255] & keep[0]).code(c.lit[p>>8&255] & keep[1]).code(c.lit[p>>16&255] & keep[2])
		at, s = s.store(out, at)
		s = s.code(c.length[q.length]).distance(c.distance[q.dist&31], uint64(q.extra))
		at, s = s.store(out, at)
	}
	w.took(at, s)
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
