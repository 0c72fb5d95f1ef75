package deflate

// This file holds the codes of RFC 1951: the tables of sections 3.2.5 and 3.2.6, the
// construction of a code for given frequencies, and the header of a dynamic block.

import (
	"cmp"
	"math/bits"
	"slices"
)

var (
	lengthBase = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115,
		131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
		2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12,
		13, 13}
	// orderOf is the order in which the lengths of the code length code are sent.
	orderOf = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

	lengthCode [maxMatch + 1]uint8
	fixedLit   litCode
	fixedDist  distanceCode
)

type litCode struct {
	len  [286]uint8
	code [286]uint16
}

type distanceCode struct {
	len  [30]uint8
	code [30]uint16
}

func init() {
	for n := 3; n <= maxMatch; n++ {
		for lengthCode[n] = 28; int(lengthBase[lengthCode[n]]) > n; lengthCode[n]-- {
		}
	}
	// The two symbols that never occur take part in the making of the code.
	all := make([]uint16, 288)
	assign(fixedLitLengths(), all)
	copy(fixedLit.len[:], fixedLitLengths())
	copy(fixedLit.code[:], all)
	for i := range fixedDist.len {
		fixedDist.len[i] = 5
	}
	assign(fixedDist.len[:], fixedDist.code[:])
}

// fixedLitLengths are the lengths of section 3.2.6, for all 288 symbols.
func fixedLitLengths() []uint8 {
	l := make([]uint8, 288)
	for i := range l {
		switch {
		case i < 144:
			l[i] = 8
		case i < 256:
			l[i] = 9
		case i < 280:
			l[i] = 7
		default:
			l[i] = 8
		}
	}
	return l
}

// distCode returns the code of distance d.
func distCode(d int) int {
	if d <= 4 {
		return d - 1
	}
	top := bits.Len(uint(d-1)) - 1
	return 2*top + (d-1)>>(top-1)&1
}

// cost returns how many bits the symbols take.
func cost(freq []uint32, length []uint8) (n int) {
	for i, f := range freq {
		n += int(f) * int(length[i])
	}
	return n
}

// assign gives each symbol its canonical code, reversed, since codes are sent from
// their highest bit on (section 3.2.2).
func assign(length []uint8, code []uint16) {
	var count, next [16]uint16
	for _, l := range length {
		count[l]++
	}
	count[0] = 0
	for l := 1; l < 16; l++ {
		next[l] = (next[l-1] + count[l-1]) << 1
	}
	for i, l := range length {
		if l > 0 {
			code[i] = bits.Reverse16(next[l]) >> (16 - l)
			next[l]++
		}
	}
}

// lengthsFor fills length with the code lengths, at most limit, for the frequencies.
// A code of one symbol gets a second one, since some decoders want a complete code.
func lengthsFor(freq []uint32, length []uint8, limit int) {
	type leaf struct{ freq, symbol uint32 }
	var leaves []leaf
	for i, f := range freq {
		length[i] = 0
		if f > 0 {
			leaves = append(leaves, leaf{f, uint32(i)})
		}
	}
	for i := uint32(0); len(leaves) < 2; i++ {
		if freq[i] == 0 {
			leaves = append(leaves, leaf{1, i})
		}
	}
	slices.SortFunc(leaves, func(a, b leaf) int {
		return cmp.Or(cmp.Compare(a.freq, b.freq), cmp.Compare(a.symbol, b.symbol))
	})
	weight := make([]uint32, len(leaves), 2*len(leaves))
	for i, l := range leaves {
		weight[i] = l.freq
	}
	count := depths(weight, limit)
	shorten(&count, limit)
	// The rarest symbols get the longest codes.
	l := limit
	for _, leaf := range leaves {
		for count[l] == 0 {
			l--
		}
		length[leaf.symbol] = uint8(l)
		count[l]--
	}
}

// depths builds the tree of Huffman over leaves with the weights, which ascend, and
// returns how many have each depth, those deeper than limit counted at limit.
func depths(weight []uint32, limit int) (count [64]int) {
	n := len(weight)
	parent := make([]int, 2*n-1)
	// Two queues: leaves in order, and the inner nodes, which come into being in order.
	leafAt, innerAt := 0, n
	for node := n; node < 2*n-1; node++ {
		weight = append(weight, 0)
		for range 2 {
			pick := innerAt
			if leafAt < n && (innerAt >= node || weight[leafAt] <= weight[innerAt]) {
				pick = leafAt
				leafAt++
			} else {
				innerAt++
			}
			weight[node] += weight[pick]
			parent[pick] = node
		}
	}
	depth := make([]int, 2*n-1)
	for i := 2*n - 3; i >= 0; i-- {
		depth[i] = depth[parent[i]] + 1
		if i < n {
			count[min(depth[i], limit)]++
		}
	}
	return count
}

// shorten repairs the counts after codes longer than limit were cut to it: as long as
// the code is overfull, one code is made longer to make room.
func shorten(count *[64]int, limit int) {
	total := 0
	for l := 1; l <= limit; l++ {
		total += count[l] << (limit - l)
	}
	for ; total > 1<<limit; total-- {
		l := limit - 1
		for count[l] == 0 {
			l--
		}
		count[l]--
		count[l+1] += 2
		count[limit]--
	}
}

// dynamic is the pair of codes of one block, with the form in which they are sent.
type dynamic struct {
	lit        litCode
	dist       distanceCode
	nLit, nDst int

	runs       []run
	codeLen    [19]uint8
	code       [19]uint16
	nCode      int
	headerBits int
}

// run is a symbol of the code length code with its extra bits.
type run struct{ symbol, extra, bits uint8 }

func newDynamic(lit *[286]uint32, dist *[30]uint32) *dynamic {
	d := &dynamic{}
	lengthsFor(lit[:], d.lit.len[:], 15)
	lengthsFor(dist[:], d.dist.len[:], 15)
	assign(d.lit.len[:], d.lit.code[:])
	assign(d.dist.len[:], d.dist.code[:])
	for d.nLit = 286; d.nLit > 257 && d.lit.len[d.nLit-1] == 0; d.nLit-- {
	}
	for d.nDst = 30; d.nDst > 1 && d.dist.len[d.nDst-1] == 0; d.nDst-- {
	}
	d.encodeRuns(append(append([]uint8(nil), d.lit.len[:d.nLit]...), d.dist.len[:d.nDst]...))
	var freq [19]uint32
	for _, r := range d.runs {
		freq[r.symbol]++
	}
	lengthsFor(freq[:], d.codeLen[:], 7)
	assign(d.codeLen[:], d.code[:])
	for d.nCode = 19; d.nCode > 4 && d.codeLen[orderOf[d.nCode-1]] == 0; d.nCode-- {
	}
	d.headerBits = 3 + 14 + 3*d.nCode
	for _, r := range d.runs {
		d.headerBits += int(d.codeLen[r.symbol]) + int(r.bits)
	}
	return d
}

// encodeRuns writes the code lengths with repetitions (section 3.2.7).
func (d *dynamic) encodeRuns(l []uint8) {
	for i := 0; i < len(l); {
		n := 1
		for i+n < len(l) && l[i+n] == l[i] {
			n++
		}
		switch {
		case l[i] == 0 && n >= 11:
			n = min(n, 138)
			d.runs = append(d.runs, run{18, uint8(n - 11), 7})
		case l[i] == 0 && n >= 3:
			d.runs = append(d.runs, run{17, uint8(n - 3), 3})
		case l[i] != 0 && n >= 4:
			n = min(n, 7)
			d.runs = append(d.runs, run{l[i], 0, 0}, run{16, uint8(n - 4), 2})
		default:
			n = 1
			d.runs = append(d.runs, run{l[i], 0, 0})
		}
		i += n
	}
}

func (d *dynamic) writeHeader(w *bitWriter) {
	w.bits(uint64(d.nLit-257), 5)
	w.bits(uint64(d.nDst-1), 5)
	w.bits(uint64(d.nCode-4), 4)
	for _, s := range orderOf[:d.nCode] {
		w.bits(uint64(d.codeLen[s]), 3)
	}
	for _, r := range d.runs {
		w.bits(uint64(d.code[r.symbol]), uint(d.codeLen[r.symbol]))
		w.bits(uint64(r.extra), uint(r.bits))
	}
}
