package deflate

import "math/bits"

// This file holds the match finders of both levels. Called by encoder.segment.

const (
	fastBits  = 13
	chainBits = 15
	head3Bits = 12
)

// A fastTable holds the last position of each hash of four bytes.
type fastTable [1 << fastBits]uint32

func hash4(v uint32, n uint) uint32 { return v * 0x9E3779B1 >> ((32 - n) & 31) }

// matchLength returns how many bytes at a and b are alike, at most maxMatch.
// b is behind a.
func matchLength(buf []byte, a, b int) int {
	end := min(len(buf), b+maxMatch)
	n := b
	for n <= end-8 {
		if x := load64(buf[n:]) ^ load64(buf[a:]); x != 0 {
			return n - b + bits.TrailingZeros64(x)>>3
		}
		n += 8
		a += 8
	}
	for n < end && buf[n] == buf[a] {
		n++
		a++
	}
	return n - b
}

// addSeq notes a match and the literals before it.
func (e *encoder) addSeq(literals, length, dist int) {
	lc, dc := lengthCode[length-minMatch], distCode(uint32(dist-1))
	e.seqs[e.nseqs] = seq{
		literals: uint16(literals), dist: uint16(dist - 1), length: uint8(length - minMatch),
		lenCode: lc, distCode: dc,
	}
	e.nseqs++
	e.freq.lit[257+int(lc)]++
	e.freq.dist[dc]++
}

func (e *encoder) indexFast(dict []byte) {
	for i := 0; i+4 <= len(dict); i += 4 {
		e.fast[hash4(load32(dict[i:]), fastBits)] = e.base + uint32(i)
	}
}

// parseFast finds the matches of a block from s on, which ends at end or with
// the match that reaches it. It returns where the literals behind the last
// match begin, and where the block ends.
func (e *encoder) parseFast(buf []byte, s, end int) (literals, next int) {
	lit := s
	t, base, window := &e.fast, e.base, e.window
	for s < end && s+4 <= len(buf) {
		v := load32(buf[s:])
		h := hash4(v, fastBits)
		here := base + uint32(s)
		back := here - t[h]
		t[h] = here
		if back > window || load32(buf[s-int(back):]) != v {
			s += 1 + (s-lit)>>5
			continue
		}
		from := s - int(back)
		for s > lit && from > 0 && buf[s-1] == buf[from-1] {
			s--
			from--
		}
		n := matchLength(buf, from, s)
		e.addSeq(s-lit, n, s-from)
		s += n
		lit = s
		if e.nseqs == seqMax {
			return lit, lit
		}
		if s+3 <= len(buf) {
			t[hash4(load32(buf[s-1:]), fastBits)] = base + uint32(s-1)
		}
	}
	return lit, max(lit, end)
}
