package deflate

import "math/bits"

// This file holds what a dynamic block's codes are made with: lengths from
// frequencies (Huffman's algorithm, then a limit), and codes from lengths (RFC
// 1951 3.2.2). Called by dynamicCodes.

// A code is the bits of a symbol as they are sent, lowest first, in 8..31, and
// their number in 0..7.
type code uint32

// codeBuilder holds the space for one code.
type codeBuilder struct {
	keys, swap [numLitLen]uint32 // frequency<<9 | symbol
	weight     [numLitLen]uint32 // of the inner nodes, ascending
	parent     [numLitLen]uint16 // of the inner nodes, then their depth
	inner      [numLitLen]uint16 // how many of them there are at each depth
}

const symbolMask = 1<<9 - 1

// build finds the best code of at most limit bits for freq, whose frequencies
// are below 1<<16. It sets the lengths, zero for symbols that do not occur,
// and the codes of those that do.
func (b *codeBuilder) build(freq []uint32, lengths []uint8, codes []code, limit int) {
	keys := b.sorted(freq)
	var count [maxCodeBits + 1]int
	if len(keys) < 2 {
		count[1] = len(keys) // RFC 1951 3.2.7: one bit, not none
	} else {
		b.countLengths(keys, &count, limit)
	}
	clear(lengths)
	for l := limit; l > 0; l-- {
		for _, k := range keys[:count[l]] {
			lengths[k&symbolMask] = uint8(l)
		}
		keys = keys[count[l]:]
	}
	assignCodes(lengths, codes, &count)
}

// sorted returns the keys of the symbols that occur, the rarest first.
func (b *codeBuilder) sorted(freq []uint32) []uint32 {
	n, most := 0, uint32(0)
	for sym, f := range freq {
		if f != 0 {
			b.keys[n] = f<<9 | uint32(sym)
			n++
			most = max(most, f)
		}
	}
	keys := b.keys[:n]
	if n < 32 {
		for i, k := range keys {
			for ; i > 0 && keys[i-1] > k; i-- {
				keys[i] = keys[i-1]
			}
			keys[i] = k
		}
		return keys
	}
	swap := b.swap[:n]
	for shift := 9; most != 0; shift += 8 {
		radixPass(swap, keys, shift)
		keys, swap = swap, keys
		most >>= 8
	}
	return keys
}

// radixPass sorts from into to by the eight bits at shift. Equals stay in order.
func radixPass(to, from []uint32, shift int) {
	var place [256]uint16
	for _, k := range from {
		place[k>>shift&255]++
	}
	sum := uint16(0)
	for i, n := range place {
		place[i] = sum
		sum += n
	}
	for _, k := range from {
		p := &place[k>>shift&255]
		to[*p] = k
		*p++
	}
}

// countLengths counts how many symbols get each length. It joins the two
// lightest nodes until one is left; as inner nodes come out in ascending order,
// they need no heap. With the number of inner nodes at each depth, that of the
// leaves follows.
func (b *codeBuilder) countLengths(keys []uint32, count *[maxCodeBits + 1]int, limit int) {
	leaf, next, nodes := 0, 0, len(keys)-1
	for node := range nodes {
		sum := uint32(0)
		for range 2 {
			if leaf < len(keys) && (next == node || keys[leaf]>>9 <= b.weight[next]) {
				sum += keys[leaf] >> 9
				leaf++
			} else {
				sum += b.weight[next]
				b.parent[next] = uint16(node)
				next++
			}
		}
		b.weight[node] = sum
	}
	clear(b.inner[:nodes+1])
	b.parent[nodes-1] = 0
	b.inner[0] = 1
	for node := nodes - 2; node >= 0; node-- {
		depth := b.parent[b.parent[node]] + 1
		b.parent[node] = depth
		b.inner[depth]++
	}
	for depth := 0; depth < nodes && b.inner[depth] > 0; depth++ {
		leaves := 2*int(b.inner[depth]) - int(b.inner[depth+1])
		count[min(depth+1, limit)] += leaves
	}
	limitLengths(count, limit)
}

// limitLengths lengthens codes until those that were shortened to limit fit
// among them. Each step takes one of the latter as the sibling of a shorter
// code, which gives back the room of one code of limit bits.
func limitLengths(count *[maxCodeBits + 1]int, limit int) {
	room := 1 << limit
	for l := 1; l <= limit; l++ {
		room -= count[l] << (limit - l)
	}
	for ; room < 0; room++ {
		l := limit - 1
		for count[l] == 0 {
			l--
		}
		count[l]--
		count[l+1] += 2
		count[limit]--
	}
}

// assignCodes gives each symbol its code (RFC 1951 3.2.2).
func assignCodes(lengths []uint8, codes []code, count *[maxCodeBits + 1]int) {
	var next [maxCodeBits + 1]uint16
	for l := 1; l < maxCodeBits; l++ {
		next[l+1] = (next[l] + uint16(count[l])) << 1
	}
	for sym, l := range lengths {
		if l != 0 {
			c := next[l&15]
			next[l&15]++
			codes[sym] = code(bits.Reverse16(c)>>(16-l))<<8 | code(l)
		}
	}
}

// The fixed codes (RFC 1951 3.2.6).
var (
	fixedLitCodes  [numLitLen]code
	fixedDistCodes [numDist]code
)

func init() {
	lit, dist := fixedLengths()
	assignCodes(lit[:numLitLen], fixedLitCodes[:], &[maxCodeBits + 1]int{7: 24, 8: 152, 9: 112})
	assignCodes(dist[:numDist], fixedDistCodes[:], &[maxCodeBits + 1]int{5: 32})
}
