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
)

// An encoder compresses one message. What its tables remember of messages
// before cannot be mistaken: a table holds positions, each plus the base of its
// message, and base grows so much from one message to the next that older
// positions are out of every window's reach.
type encoder struct {
	window uint32
	better bool
	base   uint32

	w      bitWriter
	joined []byte // a dict and the beginning of its message
	fast   fastTable
	chain  *chainTable // made for the first message that wants it
	block  block
	codes  dynamicCodes
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
		e.block.reset()
		if e.better {
			end = e.parseBetter(buf, s, end)
		} else {
			end = e.parseFast(buf, s, end)
		}
		e.writeBlock(buf[s:end])
		s = end
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
