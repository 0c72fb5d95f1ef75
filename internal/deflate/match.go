package deflate

import "math/bits"

// This file holds what a piece of the source is taken apart into, and the match
// finder of the level Fast. Called by encoder.segment.

// A seq is a match and the number of literals before it.
type seq struct {
	literals uint16
	extra    uint16 // the extra bits of the distance
	length   uint8  // less 3
	dist     uint8  // the distance code
}

const (
	// blockMax bounds the bytes of a block, but for the end of its last match.
	// A stored block may have 65535 (RFC 1951 3.2.4).
	blockMax = 32 << 10

	// seqMax is how many matches a block can have at most: none is shorter
	// than four bytes.
	seqMax = blockMax/4 + 1
)

// A block is what a piece of the source became: its matches and its literals,
// and how often each symbol occurs. Literals are counted by count, at the end;
// those behind the last match belong to no seq.
type block struct {
	seqs  [seqMax]seq
	nseqs int

	// Behind the literals is room for what a store of eight bytes overwrites.
	literals  [blockMax + 8]byte
	nliterals uint32

	// What is behind the symbols that there are is for indices without a check.
	lit  [512]uint32
	dist [32]uint32
}

func (b *block) reset() {
	b.nseqs, b.nliterals = 0, 0
	clear(b.lit[:numLitLen])
	clear(b.dist[:numDist])
	b.lit[endOfBlock] = 1
}

// addMatch notes a match behind the given number of literals. dc is the code of
// its distance, which d is, less 1.
func (b *block) addMatch(literals, length, d uint32, dc uint8) {
	b.dist[dc&31]++
	b.lit[lengthSymbol[uint8(length-minMatch)]&511]++
	b.seqs[b.nseqs] = seq{uint16(literals), uint16(d & distMask[dc&31]), uint8(length - minMatch), dc}
	b.nseqs++
}

// count counts the literals.
func (b *block) count() {
	for _, c := range b.literals[:b.nliterals] {
		b.lit[c]++
	}
}

// addLiterals notes buf[from:to].
func (b *block) addLiterals(buf []byte, from, to uint32) {
	n := to - from
	if n <= 8 && int(from)+8 <= len(buf) {
		store64(b.literals[:], int(b.nliterals), load64(buf, int(from)))
	} else {
		copy(b.literals[b.nliterals:], buf[from:to])
	}
	b.nliterals += n
}

// matchLength returns how many bytes at a and b are alike, at most maxMatch.
// b is behind a.
func matchLength(buf []byte, a, b uint32) uint32 {
	first, end := b, min(uint32(len(buf)), b+maxMatch)
	for ; b+8 <= end; a, b = a+8, b+8 {
		if x := load64(buf, int(a)) ^ load64(buf, int(b)); x != 0 {
			return b - first + uint32(bits.TrailingZeros64(x)>>3)
		}
	}
	for b < end && buf[a] == buf[b] {
		a, b = a+1, b+1
	}
	return b - first
}

const fastBits = 14

// A fastTable holds the last position of each hash of five bytes. Four would
// find more matches than they save bits.
type fastTable [1 << fastBits]uint32

func hash5(v uint64) uint32 { return uint32(v << 24 * 0x9E3779B185EBCA87 >> (64 - fastBits)) }

// denseFast is the part of dict, its end, of which each position is noted.
const denseFast = 2 << 10

// indexFast notes the positions of dict: at its end all, where matches are
// likely, and every fourth of the rest, which any match of eight bytes finds.
func (e *encoder) indexFast(dict []byte) {
	i := 0
	for ; i < len(dict)-denseFast; i += 4 {
		e.fast[hash5(load64(dict, i))] = e.base + uint32(i)
	}
	for ; i+8 <= len(dict); i++ {
		e.fast[hash5(load64(dict, i))] = e.base + uint32(i)
	}
}

// sparseFast is the size of a block from which on it is searched less densely:
// there is more to be found than in a small one.
const sparseFast = 8 << 10

// parseFast finds the matches of a block from start on, which ends at end or
// with the match that reaches it. It returns where it ended. Every second
// position is looked up, or third in a large block; that and the one behind it
// are noted. A match shows at its second and third byte as well. Where there are
// none, the steps become longer.
func (e *encoder) parseFast(buf []byte, start, end int) int {
	b, t, base, window := &e.block, &e.fast, e.base, e.window
	step := uint32(2)
	if end-start > sparseFast {
		step = 3
	}
	s, lit := uint32(start), uint32(start)
	buf = buf[:len(buf):len(buf)] // one bound for all loads
	origin := lit - step<<5       // the step is the distance to it by 32
	for last := uint32(max(0, min(end, len(buf)-7))); s < last; {
		v := load64(buf, int(s))
		h := hash5(v)
		here := base + s
		back := here - t[h]
		t[h] = here
		t[hash5(v>>8)] = here + 1
		if back-1 >= window { // or 0: a block may begin where the last one noted
			s += (s - origin) >> 5
			continue
		}
		from := s - back
		x := v ^ load64(buf, int(from))
		if uint32(x) != 0 {
			s += (s - origin) >> 5
			continue
		}
		n := uint32(bits.TrailingZeros64(x) >> 3)
		if x == 0 {
			n = matchLength(buf, from, s)
		}
		if s > lit && from >= 8 {
			y := load64(buf, int(s-8)) ^ load64(buf, int(from-8))
			k := min(uint32(bits.LeadingZeros64(y)>>3), s-lit, maxMatch-n)
			s, n = s-k, n+k
		}
		b.addLiterals(buf, lit, s)
		b.addMatch(s-lit, n, back-1, distCode(back-1))
		s += n
		lit = s
		origin = lit - step<<5
		if s < last {
			t[hash5(load64(buf, int(s-1)))] = base + s - 1
		}
	}
	end = max(int(lit), end)
	b.addLiterals(buf, lit, uint32(end))
	return end
}
