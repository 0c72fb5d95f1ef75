package deflate

import "math/bits"

// This file builds the tables with which the decoder looks up a code. A table
// is indexed by the next primary bits of the stream; a code that is longer
// leads to a second table behind it. Every index below 1<<primary is filled,
// so that a look-up needs no check; a bit pattern that is no code finds
// invalidEntry. Called by the decoder for each dynamic block.
//
// An entry is 32 bits:
//
//	 0..4   bits to take from the stream, extra bits included
//	 8..11  bits of the code alone: where the extra bits begin
//	16..30  a literal, the smallest length or distance, or a second table's place
//	31      set if it is none of the first three; flagSub or flagEnd says what
//
// The entry that leads to a second table has that one's index bits in 8..11.
const (
	flagLiteral = 1 << 28 // beside the values that literals and lengths can have
	flagOther   = 1 << 31
	flagSub     = 1 << 30
	flagEnd     = 1 << 29

	invalidEntry = flagOther
)

const (
	litBits     = 10
	distBits    = 8
	codeLenBits = 7

	// The most entries that codes of 15 bits can need: 1332 for 286 symbols
	// behind a table of 10 bits and 402 for 30 behind one of 8 bits, rounded
	// up so that a mask keeps an index inside.
	litSize  = 2048
	distSize = 512
)

type (
	litTable  [litSize]uint32
	distTable [distSize]uint32
)

// Entries of all symbols, without the bits of their codes: those are added
// when a table is built.
var (
	litEntries     [288]uint32
	distEntries    [32]uint32
	codeLenEntries [numCodeLen]uint32

	fixedLit  litTable
	fixedDist distTable
)

func init() {
	for i := range litEntries {
		switch {
		case i < 256:
			litEntries[i] = flagLiteral | uint32(i)<<16
		case i == endOfBlock:
			litEntries[i] = flagOther | flagEnd
		case i < numLitLen:
			litEntries[i] = uint32(lengthBase[i-257])<<16 | uint32(lengthExtra[i-257])
		default:
			litEntries[i] = invalidEntry // RFC 1951 3.2.6: 286 and 287 never occur
		}
	}
	for i := range distEntries {
		distEntries[i] = invalidEntry // RFC 1951 3.2.6: 30 and 31 never occur
		if i < numDist {
			distEntries[i] = uint32(distBase[i])<<16 | uint32(distExtra[i])
		}
	}
	for i := range codeLenEntries {
		codeLenEntries[i] = uint32(i) << 16
	}
	lit, dist := fixedLengths()
	buildTable(fixedLit[:], litBits, lit[:], litEntries[:])
	buildTable(fixedDist[:], distBits, dist[:], distEntries[:])
}

// buildTable fills table from the code lengths of the symbols whose entries
// are given. It reports whether the lengths are a complete prefix code. Two
// incomplete ones pass, as in every decoder in use: no code at all, which is an
// error only when one is read, and a single code of one bit (RFC 1951 3.2.7).
func buildTable(table []uint32, primary uint, lengths []uint8, entries []uint32) bool {
	var count [maxCodeBits + 1]int
	for i := 0; i < len(lengths); i++ {
		i = skipZeros(lengths, i)
		count[lengths[i]&15]++
	}
	count[0] = 0

	// offset is where the symbols of each length begin in sorted.
	var offset [maxCodeBits + 2]int
	left := 1
	for l := 1; l <= maxCodeBits; l++ {
		left = left<<1 - count[l]
		if left < 0 {
			return false
		}
		offset[l+1] = offset[l] + count[l]
	}
	used := offset[maxCodeBits+1]
	if left > 0 && (used > 1 || used != count[1]) {
		return false
	}

	var sorted [288]uint16
	for i := 0; i < len(lengths); i++ {
		i = skipZeros(lengths, i)
		if l := lengths[i]; l != 0 {
			sorted[offset[l&15]] = uint16(i)
			offset[l&15]++
		}
	}
	if left > 0 {
		fillIncomplete(table[:1<<primary], sorted[:used], entries)
		return true
	}
	b := tableBuilder{table: table, primary: primary, entries: entries, sorted: sorted[:used], count: &count}
	b.fillPrimary()
	return true
}

// skipZeros returns i, or a later index before which lengths has only zeros: few
// symbols occur in a small message, and none need to in a hostile one.
func skipZeros(lengths []uint8, i int) int {
	for i+8 < len(lengths) && load64(lengths, i) == 0 {
		i += 8
	}
	return i
}

// fillIncomplete fills a table for no code, or for one of one bit.
func fillIncomplete(table []uint32, sorted []uint16, entries []uint32) {
	table[0], table[1] = invalidEntry, invalidEntry
	if len(sorted) == 1 {
		table[0] = codeEntry(entries[sorted[0]], 1)
	}
	for n := 2; n < len(table); n *= 2 {
		copy(table[n:], table[:n])
	}
}

// codeEntry adds the bits of a code to a symbol's entry.
func codeEntry(entry uint32, codeBits uint) uint32 {
	return entry + uint32(codeBits)<<8 + uint32(codeBits)
}

// tableBuilder fills a table in the order of the codes, which is the order of
// their lengths (RFC 1951 3.2.2). As the stream sends a code with its first bit
// lowest, code counts up from its reversed end.
type tableBuilder struct {
	table   []uint32
	primary uint
	entries []uint32
	sorted  []uint16
	count   *[maxCodeBits + 1]int
	code    uint
}

// next moves to the code that follows in length l: the reversed form of adding
// one.
func (b *tableBuilder) next(l uint) {
	zeros := ^b.code & (1<<l - 1)
	if zeros == 0 {
		return // the last code of all is ones only
	}
	top := uint(1) << (bits.Len(zeros) - 1)
	b.code = b.code&(top-1) | top
}

// fillPrimary begins with the table of the shortest codes and doubles it for
// each further bit: its copy holds the same codes with either next bit.
func (b *tableBuilder) fillPrimary() {
	size := 1
	for l := uint(1); l <= b.primary; l++ {
		copy(b.table[size:2*size], b.table[:size])
		size *= 2
		for range b.count[l] {
			b.table[b.code] = codeEntry(b.entries[b.sorted[0]], l)
			b.sorted = b.sorted[1:]
			b.next(l)
		}
	}
	if len(b.sorted) > 0 {
		b.fillSecond(uint(size))
	}
}

// fillSecond fills the tables of the codes longer than primary bits, one for
// each beginning that they share.
func (b *tableBuilder) fillSecond(end uint) {
	mask := uint(1)<<b.primary - 1
	prefix, start, index := ^uint(0), end, uint(0)
	for l := b.primary + 1; l <= maxCodeBits; l++ {
		for n := b.count[l]; n > 0; n-- {
			if b.code&mask != prefix {
				prefix, start = b.code&mask, end
				index = b.secondBits(l, n)
				end += 1 << index
				b.table[prefix] = flagOther | flagSub | uint32(start)<<16 | uint32(index)<<8 | uint32(b.primary)
			}
			entry := codeEntry(b.entries[b.sorted[0]], l-b.primary)
			b.sorted = b.sorted[1:]
			for i := b.code >> b.primary; i < 1<<index; i += 1 << (l - b.primary) {
				b.table[start+i] = entry
			}
			b.next(l)
		}
	}
}

// secondBits returns the bits that index a second table which begins with the
// n codes left of length l: as many as it takes until its codes fill it.
func (b *tableBuilder) secondBits(l uint, n int) uint {
	index := l - b.primary
	for n < 1<<index {
		index++
		n = n<<1 + b.count[b.primary+index]
	}
	return index
}
