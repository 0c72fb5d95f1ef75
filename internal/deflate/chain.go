package deflate

// This file holds the match finder of the level Better. Called by
// encoder.segment.

const (
	chainBits = 15

	// chainMax is how many candidates are looked at for one position.
	chainMax = 32
	// niceLength is the length with which the search is content.
	niceLength = 64
)

// A chainTable holds the last position of each hash of four bytes, and for each
// position of a window how far before it the last one with its hash is. Matches
// of three bytes are not looked for: more often than not, their codes are longer
// than those of the literals.
type chainTable struct {
	head [1 << chainBits]uint32
	prev [maxWindow]uint16
	next int // the first position that is not in the table yet
}

func hash4(v uint32) uint32 { return v * 0x9E3779B1 >> (32 - chainBits) }

// insert adds the positions before end that are not in the table yet, as far as
// four bytes follow each.
func (c *chainTable) insert(buf []byte, end int, base uint32) {
	i := c.next
	for end = min(end, len(buf)-3); i < end; i++ {
		v := load32(buf, i)
		here := base + uint32(i)
		h := hash4(v)
		c.prev[here%maxWindow] = uint16(min(here-c.head[h], 1<<16-1))
		c.head[h] = here
	}
	c.next = i
}

// find returns the longest match at s that is longer than best, or best itself
// and distance 0.
func (e *encoder) find(buf []byte, s, best int) (length, dist int) {
	c := e.chain
	c.insert(buf, s, e.base)
	if s+4 > len(buf) {
		return best, 0
	}
	v := load32(buf, s)
	here := e.base + uint32(s)
	back := here - c.head[hash4(v)]
	limit := min(len(buf)-s, maxMatch)
	for tries := chainMax; tries > 0 && back <= e.window && best < limit; tries-- {
		from := s - int(back)
		if buf[from+best] == buf[s+best] && load32(buf, from) == v {
			if n := int(matchLength(buf, uint32(from), uint32(s))); n > best {
				best, dist = n, int(back)
				if n >= niceLength {
					break
				}
			}
		}
		back += uint32(c.prev[(here-back)%maxWindow])
	}
	return best, dist
}

// parseBetter does what parseFast does, for the level Better. A match gives way
// to a better one that begins a byte later.
func (e *encoder) parseBetter(buf []byte, s, end int) int {
	b, lit := &e.block, s
	for s < end {
		length, dist := e.find(buf, s, minMatch)
		if dist == 0 {
			s += 1 + min((s-lit)>>7, 31)
			continue
		}
		for length < niceLength && s+1 < end {
			n, d := e.find(buf, s+1, length-1)
			if d == 0 || !worthLiteral(length, dist, n, d) {
				break
			}
			s, length, dist = s+1, n, d
		}
		// After a step over several positions, the match may begin before s.
		for s > lit && s > dist && buf[s-1] == buf[s-1-dist] && length < maxMatch {
			s, length = s-1, length+1
		}
		b.addLiterals(buf, uint32(lit), uint32(s))
		b.addMatch(uint32(s-lit), uint32(length), uint32(dist-1), distCode(uint32(dist-1)))
		s += length
		lit = s
	}
	end = max(lit, end)
	b.addLiterals(buf, uint32(lit), uint32(end))
	return end
}

// worthLiteral reports whether a literal and then the match n, d is better than
// the match length, dist.
func worthLiteral(length, dist, n, d int) bool {
	return 4*(n-length)+int(distCode(uint32(dist-1))/2)-int(distCode(uint32(d-1))/2) > 2
}
