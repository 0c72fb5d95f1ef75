package deflate

import (
	"bytes"
	"math"
	"sync"
)

// This file holds AppendDeflate and the encoder around its match finders: what
// is searched in one go, the blocks of it, and the tables' way of forgetting.

// The levels of AppendDeflate. A dict of 32 KiB costs about 7 us a message at
// Fast and 35 us at Better, whatever the message; next to nothing at Better as
// long as an encoder of the pool still knows it, which is when few connections
// are busy. With smaller bits, the cost shrinks as the dict does.
const (
	Fast   = 1 // one candidate, for every second or third position
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
// The result is at most len(src)/4096+16 bytes longer than src. A dst with room
// for 16 bytes more than that costs no allocation.
func AppendDeflate(dst, dict, src []byte, bits, level int) []byte {
	if len(src) == 0 {
		return append(dst, 0)
	}
	e := encoderPool.Get().(*encoder)
	dst = e.append(dst, dict, src, bits, level)
	encoderPool.Put(e)
	return dst
}

func (e *encoder) append(dst, dict, src []byte, bits, level int) []byte {
	e.window = 1 << min(max(bits, MinBits), MaxBits)
	e.better = level >= Better
	e.w = bitWriter{out: dst}
	e.message(dict, src, segmentMax)
	dst = e.w.syncFlush()
	e.w.out = nil
	return dst
}

const (
	// joinMax is how much of a message is copied behind its dict, so that both
	// lie in one piece. It is more than a window: what follows is searched in
	// src itself, where it needs no dict any more.
	joinMax = 64 << 10

	// joinedMax is how far later messages of the same window are copied behind
	// that.
	joinedMax = maxWindow + joinMax + 32<<10

	// segmentMax bounds what is searched in one go, so that its positions, as
	// the tables hold them, do not run over.
	segmentMax = 1 << 30
)

// An encoder compresses one message. What its tables remember of messages
// before cannot be mistaken: a table holds positions, each plus the base of its
// segment, and base grows so much from one segment to the next that older
// positions are out of every window's reach.
type encoder struct {
	window uint32
	better bool
	base   uint32
	next   uint32 // the base of the next segment

	w      bitWriter
	joined []byte // a dict and the message behind it
	known  bool   // chain holds all of joined, at base
	fast   fastTable
	chain  *chainTable // made for the first message that wants it
	block  block
	codes  dynamicCodes
}

// firstBase is out of reach of the zeros of a new table.
const firstBase = maxWindow + 1

var encoderPool = sync.Pool{New: func() any { return &encoder{next: firstBase} }}

// message compresses src in segments of at most most bytes. Only the first one
// needs dict.
func (e *encoder) message(dict, src []byte, most int) {
	dict = dict[len(dict)-min(len(dict), int(e.window)):]
	if e.continues(dict, len(src)) {
		start := len(e.joined)
		e.joined = append(e.joined, src...)
		e.search(e.joined, start)
		return
	}
	e.known = false
	done := 0
	if len(dict) > 0 {
		done = min(len(src), joinMax)
		if e.joined == nil {
			e.joined = make([]byte, 0, joinedMax)
		}
		e.joined = append(append(e.joined[:0], dict...), src[:done]...)
		e.segment(e.joined, len(dict), joinedMax)
		e.known = e.better && done == len(src)
	}
	for done < len(src) {
		from := done - min(done, int(e.window))
		to := done + min(len(src)-done, most)
		e.segment(src[from:to], done-from, to-from)
		done = to
	}
}

// continues reports whether dict is what this encoder compressed last and still
// has in its tables, as it is while one connection alone is busy. Then n bytes
// more can be searched without noting the positions of dict again. The result
// is the same: nothing before dict is in reach.
func (e *encoder) continues(dict []byte, n int) bool {
	if !e.better || !e.known || len(e.joined)+n > joinedMax {
		return false
	}
	before := len(e.joined) - len(dict)
	return (before == 0 || before > 0 && len(dict) == int(e.window)) && bytes.Equal(dict, e.joined[before:])
}

// segment compresses buf from start on. What is before start is only looked
// back at. The segment may grow to room bytes.
func (e *encoder) segment(buf []byte, start, room int) {
	if e.next > math.MaxUint32-maxWindow-uint32(room) {
		e.fast = fastTable{}
		if e.chain != nil {
			*e.chain = chainTable{}
		}
		e.next = firstBase
	}
	e.base = e.next
	e.next += uint32(room) + maxWindow
	if e.better {
		if e.chain == nil {
			e.chain = new(chainTable)
		}
		e.chain.next = 0
	} else {
		e.indexFast(buf[:start])
	}
	e.search(buf, start)
}

// search compresses buf from start on, in blocks. The tables know what is
// before it, or find out.
func (e *encoder) search(buf []byte, start int) {
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
}
