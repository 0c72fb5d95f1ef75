package deflate

import (
	"math"
	"math/bits"
)

// This file holds what a dynamic block's codes are made with: lengths from
// frequencies (Huffman's algorithm, then a limit), and codes from lengths (RFC
// 1951 3.2.2). Called by dynamicCodes.

// A code is the bits of a symbol as they are sent, lowest first, in 8..31, and
// their number in 0..7.
type code uint32

// Symbols that occur are kept as frequency<<symbolBits | symbol. No frequency
// is above 1<<16.
const (
	symbolBits = 9
	symbolMask = 1<<symbolBits - 1
)

// usedSymbols are the symbols that occur, in their order.
type usedSymbols struct {
	keys [numLitLen]uint32
	n    int
}

func (u *usedSymbols) symbols() []uint32 { return u.keys[:u.n] }

func (u *usedSymbols) collect(freq []uint32) {
	n := 0
	for sym, f := range freq {
		if f != 0 {
			u.keys[n] = f<<symbolBits | uint32(sym)
			n++
		}
	}
	u.n = n
}

// codeBuilder holds the space for making one code.
type codeBuilder struct {
	a, b   [numLitLen]uint32 // the symbols, while they are sorted
	weight [numLitLen]uint32 // of the inner nodes, ascending
	parent [numLitLen]uint16 // of the inner nodes, then their depth
	inner  [numLitLen]uint16 // how many of them there are at each depth
}

// build finds the best code of at most limit bits for the symbols used. It sets
// their lengths and their codes, no others.
func (b *codeBuilder) build(used []uint32, lengths []uint8, codes []code, limit int) {
	var count [maxCodeBits + 1]int
	keys := b.sorted(used)
	if len(keys) < 2 {
		count[1] = len(keys) // RFC 1951 3.2.7: one bit, not none
	} else {
		b.countLengths(keys, &count, limit)
	}
	for l := limit; l > 0; l-- {
		for _, k := range keys[:count[l]] {
			lengths[k&symbolMask] = uint8(l)
		}
		keys = keys[count[l]:]
	}
	assignCodes(used, lengths, codes, &count)
}

// sorted returns a copy of used with the rarest first.
func (b *codeBuilder) sorted(used []uint32) []uint32 {
	keys := b.a[:len(used)]
	if len(used) < 20 {
		for i, k := range used {
			for ; i > 0 && keys[i-1] > k; i-- {
				keys[i] = keys[i-1]
			}
			keys[i] = k
		}
		return keys
	}
	all := uint32(0)
	for _, k := range used {
		all |= k
	}
	radixPass(keys, used, symbolBits, all)
	if all>>(symbolBits+8) == 0 {
		return keys
	}
	swap := b.b[:len(used)]
	radixPass(swap, keys, symbolBits+8, all)
	return swap
}

// radixPass sorts from into to by eight bits at shift, of which no others are
// set than those of all. Equals stay in order.
func radixPass(to, from []uint32, shift int, all uint32) {
	var place [256]uint16
	for _, k := range from {
		place[k>>shift&255]++
	}
	sum := uint16(0)
	most := 1<<bits.Len32(all>>shift) - 1
	for i := range place[:min(most, 255)+1] {
		n := place[i]
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
			if leaf < len(keys) && (next == node || keys[leaf]>>symbolBits <= b.weight[next]) {
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

// assignCodes gives each symbol used its code (RFC 1951 3.2.2).
func assignCodes(used []uint32, lengths []uint8, codes []code, count *[maxCodeBits + 1]int) {
	var next [maxCodeBits + 1]uint16
	for l := 1; l < maxCodeBits; l++ {
		next[l+1] = (next[l] + uint16(count[l])) << 1
	}
	for _, k := range used {
		sym := k & symbolMask
		l := lengths[sym] & 15
		c := next[l]
		next[l]++
		codes[sym] = code(bits.Reverse16(c)>>(16-l))<<8 | code(l)
	}
}

// The fixed codes (RFC 1951 3.2.6), and the logarithms that log2 takes.
var (
	fixedCodes symbolCodes
	logTable   [256]uint16
)

func init() {
	lit, dist := fixedLengths()
	var all [numLitLen]uint32
	for i := range all {
		all[i] = uint32(i)
	}
	assignCodes(all[:], lit[:], fixedCodes.lit[:], &[maxCodeBits + 1]int{7: 24, 8: 152, 9: 112})
	assignCodes(all[:numDist], dist[:], fixedCodes.dist[:], &[maxCodeBits + 1]int{5: 32})
	fixedCodes.withExtra(all[:], all[:numDist])
	for i := 1; i < len(logTable); i++ {
		logTable[i] = uint16(256 * math.Log2(float64(i)))
	}
}
