package deflate

import (
	"errors"
	"math"
	"sync"
)

// This file holds AppendInflate and the decoder around its inner loop: the
// blocks of a message, stored ones, where a message ends, and the growth of
// the output.

// AppendInflate appends to dst what the payload src of one compressed message
// inflates to. The four bytes 00 00 ff ff that its sender left out (RFC 7692
// 7.2.2) follow src implicitly. dict is what was inflated before, oldest byte
// first; distances may reach back into its last 32 KiB.
//
// At most limit bytes are appended, any number if limit is negative. Output
// that would pass it ends in ErrTooLarge before memory is spent on it: beyond
// 64 KiB, what is still to come is measured before it is given room. A src that
// is not a whole stream ends in ErrCorrupt. In both cases dst is returned as it
// came. A block with BFINAL set may be followed by others or end the message
// (RFC 7692 7.2.3.4), and an empty src is an empty message.
//
// The result may share dst's array, whose spare capacity is overwritten even
// where the call fails. A dst with room for the message and about 300 bytes
// more costs no allocation and decodes fastest.
func AppendInflate(dst, dict, src []byte, limit int) ([]byte, error) {
	if len(src) == 0 {
		return dst, nil
	}
	d := decoderPool.Get().(*decoder)
	d.reset(dst, dict, src, limit)
	err := d.run()
	out := d.out[:d.w]
	d.release()
	if err != nil {
		return dst, err
	}
	return out, nil
}

const (
	// tailLoad is the input left at which the decoder goes over to its tail:
	// the inner loop loads twice between two looks at what is left.
	tailLoad = 16

	// tailPad is how far the decoder may load beyond the end of the stream. It
	// looks at what it used only after a symbol has been taken apart.
	tailPad = 24

	// slack is the room that the inner loop wants to see: one match, what
	// copying it stores past its end, and the literals before it.
	slack = maxMatch + 32

	// measureFrom is the output beyond which doubling ends and measuring begins.
	measureFrom = 64 << 10
)

// errFull stops a decoder before a symbol whose bytes find no room.
var errFull = errors.New("no room")

// What a decoder is in the middle of.
type position uint8

const (
	betweenBlocks position = iota
	inStored
	inCodes
)

// A decoder inflates one message. Its stream is in, then tail. What has been
// loaded from there and not used waits in c.
type decoder struct {
	in []byte
	c  cursor

	at     position
	final  bool // this block or the last one has BFINAL set
	stored int  // length of this stored block
	atTail bool // in is tail
	end    int  // where the stream ends in tail

	dict []byte
	out  []byte // dst, with all of its capacity
	base int    // len(dst)
	w    int    // where the next byte goes
	room int    // how far w may go in out
	max  int    // how far w may ever go
	more int    // the bytes for which there was no room
	dry  bool   // nothing is written, w only counts

	lit  *litTable
	dist *distTable

	tail    [8 + tailLoad + 4 + tailPad]byte
	lengths [numLitLen + numDist]uint8
	litTab  litTable
	distTab distTable
}

var decoderPool = sync.Pool{New: func() any { return new(decoder) }}

func (d *decoder) reset(dst, dict, src []byte, limit int) {
	d.in, d.c = src, cursor{}
	d.at, d.final, d.atTail = betweenBlocks, false, false
	d.dict, d.out, d.base, d.w = dict, dst[:cap(dst)], len(dst), len(dst)
	d.max = math.MaxInt - 2*slack
	if limit >= 0 && limit < d.max-d.base {
		d.max = d.base + limit
	}
	d.room = min(d.max, len(d.out))
	d.dry = false
}

// release gives the decoder back, without the slices of its caller.
func (d *decoder) release() {
	d.in, d.dict, d.out = nil, nil, nil
	decoderPool.Put(d)
}

// run inflates until the stream is used up.
func (d *decoder) run() error {
	for {
		var err error
		switch d.at {
		case inStored:
			err = d.storedBlock()
		case inCodes:
			err = d.codes()
		case betweenBlocks:
			err = d.header()
		}
		if err == errFull {
			err = d.grow()
		}
		if err != nil {
			return err
		}
		if d.at == betweenBlocks && d.finished() {
			return nil
		}
	}
}

// finished reports whether a message may end, and does, after a block.
func (d *decoder) finished() bool {
	if d.final {
		// What follows a final block begins with a byte of its own, and src
		// may also end here: then the four bytes have no meaning (RFC 7692
		// 7.2.3.4).
		d.align()
		return d.left() == 0 || d.left() == 4*8
	}
	return d.left() == 0
}

// left returns how many bits of the stream are not used yet: less than zero if
// zeros from behind it were.
func (d *decoder) left() int {
	if d.atTail {
		return 8*(d.end-d.c.pos) + int(d.c.n)
	}
	return 8*(len(d.in)-d.c.pos+4) + int(d.c.n)
}

// load fills the cursor up to 56 bits or more. Behind the stream come zeros.
func (d *decoder) load() {
	if len(d.in)-d.c.pos < tailLoad && !d.atTail {
		d.enterTail()
	}
	if len(d.in)-d.c.pos >= 8 {
		d.c = d.c.load(d.in)
	}
}

// enterTail goes over to the array that holds the last bytes of src, the four
// that its sender left out, and zeros. It begins with the bytes that were loaded
// and not used, as unload may go back to them.
func (d *decoder) enterTail() {
	back := int(d.c.n >> 3)
	d.end = copy(d.tail[:], d.in[d.c.pos-back:])
	d.end += copy(d.tail[d.end:], "\x00\x00\xff\xff")
	clear(d.tail[d.end:])
	d.in, d.c.pos, d.atTail = d.tail[:], back, true
}

// take returns the next n of the bits loaded.
func (d *decoder) take(n uint32) uint32 {
	v := uint32(d.c.bits) & (1<<n - 1)
	d.c = d.c.drop(n)
	return v
}

// align skips to the next byte.
func (d *decoder) align() { d.c = d.c.drop(uint32(d.c.n & 7)) }

// unload gives whole bytes that were loaded and not used back to in.
func (d *decoder) unload() {
	d.c = cursor{pos: d.c.pos - int(d.c.n>>3)}
}

// header reads the beginning of a block, up to its first byte or symbol.
func (d *decoder) header() error {
	d.load()
	if d.left() < 3 {
		return ErrCorrupt
	}
	d.final = d.take(1) != 0
	switch d.take(2) {
	case blockStored:
		return d.storedHeader()
	case blockFixed:
		d.lit, d.dist = &fixedLit, &fixedDist
	case blockDynamic:
		if err := d.dynamicHeader(); err != nil {
			return err
		}
		d.lit, d.dist = &d.litTab, &d.distTab
	default:
		return ErrCorrupt // RFC 1951 3.2.3: reserved
	}
	d.at = inCodes
	return nil
}

// storedHeader reads the length of a stored block (RFC 1951 3.2.4).
func (d *decoder) storedHeader() error {
	d.align()
	d.load()
	n := d.take(16)
	if n^d.take(16) != 0xffff || d.left() < 8*int(n) {
		return ErrCorrupt
	}
	d.unload()
	d.at, d.stored = inStored, int(n)
	return nil
}

// storedBlock copies a stored block, which may be the last in src and include
// bytes of the tail.
func (d *decoder) storedBlock() error {
	if err := d.need(d.stored); err != nil {
		return err
	}
	for d.stored > 0 {
		if d.c.pos == len(d.in) {
			d.enterTail()
		}
		n := min(d.stored, len(d.in)-d.c.pos)
		if !d.dry {
			copy(d.out[d.w:], d.in[d.c.pos:d.c.pos+n])
		}
		d.w += n
		d.c.pos += n
		d.stored -= n
	}
	d.at = betweenBlocks
	return nil
}

// need reports whether n more bytes have room.
func (d *decoder) need(n int) error {
	switch {
	case n <= d.room-d.w:
		return nil
	case n > d.max-d.w:
		return ErrTooLarge
	}
	d.more = n
	return errFull
}

// grow makes room for the bytes that need did not find room for. It doubles a
// small output. A larger one gets all the room of the message and no more, so
// that a hostile stream costs neither memory nor the copying of it.
func (d *decoder) grow() error {
	have := d.w - d.base
	want := max(2*have, have+d.more, 256)
	if have+d.more > measureFrom {
		var err error
		if want, err = d.measure(); err != nil {
			return err
		}
	}
	// Not append's growth, which would add a quarter.
	out := make([]byte, d.base+min(want, d.max-d.base)+slack)
	copy(out, d.out[:d.w])
	d.out = out
	d.room = min(d.max, len(d.out))
	return nil
}

// measure returns the length of the whole message: it takes the rest of the
// stream apart in a decoder of its own, which writes nothing.
func (d *decoder) measure() (int, error) {
	c := decoderPool.Get().(*decoder)
	*c = *d
	c.dry, c.room = true, c.max
	if c.lit == &d.litTab {
		c.lit, c.dist = &c.litTab, &c.distTab
	}
	err := c.run()
	n := c.w - c.base
	c.release()
	return n, err
}
