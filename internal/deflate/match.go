package deflate

import "math/bits"

// This file holds what a piece of the source is taken apart into, and the match
// finder of the level Fast. Called by encoder.segment.

// A seq is a match and the number of literals before it, and after block.count
// the codes of its length and distance.
//
//	 0..15  literals
//	16..23  length less 3
//	24..38  distance less 1
//	40..44  length code
//	48..52  distance code
type seq uint64

const (
	seqLength   = 16
	seqDist     = 24
	seqLenCode  = 40
	seqDistCode = 48
)

const (
	// blockMax bounds the bytes of a block, but for the end of its last match.
	// A stored block may have 65535 (RFC 1951 3.2.4).
	blockMax = 32 << 10

	// seqMax is how many matches a block can have at most: none is shorter
	// than four bytes.
	seqMax = blockMax/4 + 1
)

// A block is what a piece of the source became: its matches and its literals,
// and what count finds: how often each symbol occurs. The literals behind the
// last match belong to no seq.
type block struct {
	seqs  [seqMax]seq
	nseqs int

	// Behind the literals is room for what a store of eight bytes overwrites.
	literals  [blockMax + 8]byte
	nliterals int

	lit  [numLitLen]uint32
	dist [numDist]uint32
}

func (b *block) reset() { b.nseqs, b.nliterals = 0, 0 }

// count finds the codes of the matches and how often each symbol occurs.
func (b *block) count() {
	clear(b.lit[:])
	clear(b.dist[:])
	for i, q := range b.seqs[:b.nseqs] {
		lc, dc := lengthCode[q>>seqLength&0xff], distCode(uint32(q>>seqDist&0x7fff))
		b.seqs[i] = q | seq(lc)<<seqLenCode | seq(dc)<<seqDistCode
		b.lit[257+int(lc)]++
		b.dist[dc]++
	}
	for _, c := range b.literals[:b.nliterals] {
		b.lit[c]++
	}
	b.lit[endOfBlock] = 1
}

// addMatch notes a match behind the given number of literals.
func (b *block) addMatch(literals, length, dist int) {
	b.seqs[b.nseqs] = seq(literals) | seq(length-minMatch)<<seqLength | seq(dist-1)<<seqDist
	b.nseqs++
}

// addLiterals notes buf[from:to].
func (b *block) addLiterals(buf []byte, from, to int) {
	n := to - from
	if n <= 8 && from+8 <= len(buf) {
		store64(b.literals[:], b.nliterals, load64(buf, from))
	} else {
		copy(b.literals[b.nliterals:], buf[from:to])
	}
	b.nliterals += n
}

// matchLength returns how many bytes at a and b are alike, at most maxMatch.
// b is behind a.
func matchLength(buf []byte, a, b int) int {
	p := buf[b:min(len(buf), b+maxMatch)]
	q := buf[a:][:len(p)]
	n := 0
	for ; n+8 <= len(p); n += 8 {
		if x := load64(p, n) ^ load64(q, n); x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
	}
	for n < len(p) && p[n] == q[n] {
		n++
	}
	return n
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

// parseFast finds the matches of a block from s on, which ends at end or with
// the match that reaches it. It returns where it ended. Every position is noted
// but only every second one looked up: a match shows at its second byte as well.
// Where there are none, the steps become longer.
func (e *encoder) parseFast(buf []byte, s, end int) int {
	b, t, base, window := &e.block, &e.fast, e.base, e.window
	lit := s
	for last := min(end, len(buf)-7); s < last; {
		v := load64(buf, s)
		h := hash5(v)
		here := base + uint32(s)
		back := here - t[h]
		t[h] = here
		t[hash5(v>>8)] = here + 1
		if back-1 >= window { // or 0: a block may begin where the last one noted
			s += 2 + (s-lit)>>5
			continue
		}
		from := s - int(back)
		x := v ^ load64(buf, from)
		if uint32(x) != 0 {
			s += 2 + (s-lit)>>5
			continue
		}
		var n int
		if x != 0 {
			n = bits.TrailingZeros64(x) >> 3
		} else {
			n = matchLength(buf, from, s)
		}
		for s > lit && from > 0 && buf[s-1] == buf[from-1] && n < maxMatch {
			s, from, n = s-1, from-1, n+1
		}
		b.addLiterals(buf, lit, s)
		b.addMatch(s-lit, n, int(back))
		s += n
		lit = s
		if s+7 <= len(buf) {
			t[hash5(load64(buf, s-1))] = base + uint32(s-1)
		}
	}
	end = max(lit, end)
	b.addLiterals(buf, lit, end)
	return end
}
