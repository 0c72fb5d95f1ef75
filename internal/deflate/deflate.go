package deflate

import (
	"math"
	"sync"
)

// This file holds AppendDeflate and the encoder around its match finders: what
// is searched in one go, the blocks of it, and the tables' way of forgetting.

// The levels of AppendDeflate.
const (
	Fast   = 1 // one candidate for each position
	Better = 2 // chains of candidates, and a look at the next position
)

// AppendDeflate appends to dst the DEFLATE form of src, as it is the payload of
// one message: it ends with an empty stored block, whose last four bytes 00 00
// ff ff are left out (RFC 7692 7.2.1). An empty src becomes the byte 00 (RFC
// 7692 7.2.3.6).
//
// dict is what was compressed before, oldest byte first. Matches reach back
// into src and into the last 1<<bits bytes of dict, never further than that;
// bits is taken as MinBits if it is smaller, as MaxBits if it is larger. level
// is Fast or Better; every other value is taken as the nearer of them.
//
// The result is never more than 5 bytes for each 65535 of src, and 6 more,
// longer than src. A dst with so much room costs no allocation.
func AppendDeflate(dst, dict, src []byte, bits, level int) []byte {
	if len(src) == 0 {
		return append(dst, 0)
	}
	e := encoderPool.Get().(*encoder)
	e.window = 1 << min(max(bits, MinBits), MaxBits)
	e.better = level >= Better
	e.w = bitWriter{out: dst}
	e.message(dict, src, segmentMax)
	dst = e.w.syncFlush()
	e.w.out = nil
	encoderPool.Put(e)
	return dst
}

const (
	// joinMax is how much of a message is copied behind its dict, so that both
	// lie in one piece. It is more than a window: what follows is searched in
	// src itself, where it needs no dict any more.
	joinMax = 64 << 10

	// segmentMax bounds what is searched in one go, so that its positions, as
	// the tables hold them, do not run over.
	segmentMax = 1 << 30

	// blockMax bounds the bytes of a block, but for the end of a match. A
	// stored block may have 65535 (RFC 1951 3.2.4).
	blockMax = math.MaxUint16 - maxMatch

	// seqMax bounds the matches of a block.
	seqMax = 8192
)

// A seq is a match and the literals before it, with the codes of its length
// and distance.
type seq struct {
	literals uint16
	dist     uint16 // less 1
	length   uint8  // less 3
	lenCode  uint8
	distCode uint8
}

// An encoder compresses one message. What its tables remember of messages
// before cannot be mistaken: a table holds positions, each plus the base of its
// message, and base grows so much from one message to the next that older
// positions are out of every window's reach.
type encoder struct {
	window uint32
	better bool
	base   uint32

	seqs  [seqMax]seq
	nseqs int
	freq  litDistFreq
	w     bitWriter
	codes dynamicCodes

	fast   fastTable
	chain  *chainTable // made at the first message that wants it
	joined []byte
}

type litDistFreq struct {
	lit  [numLitLen]uint32
	dist [numDist]uint32
}

// firstBase is out of reach of the zeros of a new table.
const firstBase = maxWindow + 1

var encoderPool = sync.Pool{New: func() any { return &encoder{base: firstBase} }}

// message compresses src in segments of at most max bytes. Only the first one
// needs dict.
func (e *encoder) message(dict, src []byte, max int) {
	dict = dict[len(dict)-min(len(dict), int(e.window)):]
	done := 0
	if len(dict) > 0 {
		done = min(len(src), joinMax)
		e.joined = append(append(e.joined[:0], dict...), src[:done]...)
		e.segment(e.joined, len(dict))
	}
	for done < len(src) {
		from := done - min(done, int(e.window))
		to := done + min(len(src)-done, max)
		e.segment(src[from:to], done-from)
		done = to
	}
}

// segment compresses buf from start on. What is before start is only looked
// back at.
func (e *encoder) segment(buf []byte, start int) {
	if e.base > math.MaxUint32-maxWindow-uint32(len(buf)) {
		e.fast = fastTable{}
		if e.chain != nil {
			*e.chain = chainTable{}
		}
		e.base = firstBase
	}
	if e.better && e.chain == nil {
		e.chain = new(chainTable)
	}
	e.index(buf[:start])
	for s := start; s < len(buf); {
		end := min(len(buf), s+blockMax)
		e.nseqs = 0
		e.freq = litDistFreq{}
		var lit, next int
		if e.better {
			lit, next = e.parseBetter(buf, s, end)
		} else {
			lit, next = e.parseFast(buf, s, end)
		}
		e.writeBlock(buf[s:next], next-lit)
		s = next
	}
	e.base += uint32(len(buf)) + maxWindow
}

func (e *encoder) index(dict []byte) {
	if e.better {
		e.indexBetter(dict)
	} else {
		e.indexFast(dict)
	}
}
