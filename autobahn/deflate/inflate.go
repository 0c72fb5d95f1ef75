package deflate

// This file inflates a whole message at once. It is strict: a distance beyond the
// window is an error, which is how the suite finds peers that ignore the window they
// agreed on.

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var (
	errTruncated = errors.New("the data ends inside a block")
	errCode      = errors.New("an invalid Huffman code")
	errLengths   = errors.New("invalid code lengths")
	errStored    = errors.New("the lengths of a stored block do not match")
	errBlockType = errors.New("block type 3 is reserved")
	errTooLong   = errors.New("the message inflates to more than the limit")
)

// WindowError is a copy from further back than the window, or than there is data.
type WindowError struct{ Distance, Window int }

func (e *WindowError) Error() string {
	return fmt.Sprintf("a distance of %d octets, the window has %d", e.Distance, e.Window)
}

// Inflater inflates messages one after the other.
type Inflater struct {
	window   int
	takeover bool
	limit    int
	buf      []byte // history, then the message

	// Final tells whether the last message had a block with BFINAL set.
	Final bool
	// Reach is the largest distance seen so far.
	Reach int

	in        bitReader
	lit, dist decoder
	litLen    [288]uint8
	distLen   [32]uint8
}

// NewInflater returns an inflater for a peer that may reach back 1<<bits octets and,
// without takeover, not into an earlier message. A message of more than limit octets
// is an error.
func NewInflater(bits int, takeover bool, limit int) *Inflater {
	return &Inflater{window: 1 << bits, takeover: takeover, limit: limit}
}

// SetHistory says what came before the next message, as if it had been inflated.
func (f *Inflater) SetHistory(p []byte) {
	f.buf = append(f.buf[:0], p[max(0, len(p)-f.window):]...)
}

// Message inflates p, the payload of a compressed message (RFC 7692, section 7.2.2:
// without 00 00 ff ff at its end). The result is valid until the next call of Message
// or SetHistory. It does not keep p.
func (f *Inflater) Message(p []byte) ([]byte, error) {
	if !f.takeover {
		f.buf = f.buf[:0]
	} else if len(f.buf) > f.window {
		f.buf = f.buf[:copy(f.buf, f.buf[len(f.buf)-f.window:])]
	}
	start := len(f.buf)
	f.Final = false
	f.in = bitReader{in: p, tail: [4]byte{0, 0, 0xff, 0xff}, left: 4}
	for !f.in.atEnd() {
		if err := f.block(start); err != nil {
			return nil, err
		}
	}
	return f.buf[start:], nil
}

func (f *Inflater) block(start int) error {
	head, ok := f.in.take(3)
	if !ok {
		return errTruncated
	}
	var err error
	switch head >> 1 {
	case 0:
		err = f.stored(start)
	case 1:
		copy(f.litLen[:], fixedLitLengths())
		for i := range f.distLen {
			f.distLen[i] = 5
		}
		if err = f.lit.build(f.litLen[:288]); err == nil {
			err = f.dist.build(f.distLen[:32])
		}
		if err == nil {
			err = f.codes(start)
		}
	case 2:
		if err = f.readCodes(); err == nil {
			err = f.codes(start)
		}
	default:
		err = errBlockType
	}
	if head&1 != 0 {
		// What follows a last block is padding to an octet, and then, after RFC 7692,
		// section 7.2.3.4, further blocks.
		f.Final = true
		f.in.align()
	}
	return err
}

func (f *Inflater) stored(start int) error {
	f.in.align()
	n, ok := f.in.take(16)
	inv, ok2 := f.in.take(16)
	switch {
	case !ok || !ok2:
		return errTruncated
	case n != ^inv&0xffff:
		return errStored
	case len(f.buf)-start+int(n) > f.limit:
		return errTooLong
	}
	// What the reader holds ready comes first, then what it has not seen.
	for n > 0 && f.in.n > 0 {
		b, _ := f.in.take(8)
		f.buf = append(f.buf, byte(b))
		n--
	}
	if n == 0 {
		return nil
	}
	f.in.acc = 0
	if int(n) > len(f.in.in) {
		return errTruncated
	}
	f.buf = append(f.buf, f.in.in[:n]...)
	f.in.in = f.in.in[n:]
	return nil
}

// readCodes reads the header of a dynamic block (RFC 1951, section 3.2.7).
func (f *Inflater) readCodes() error {
	h, ok := f.in.take(14)
	if !ok {
		return errTruncated
	}
	nLit, nDist, nCode := int(h&31)+257, int(h>>5&31)+1, int(h>>10)+4
	if nLit > 286 || nDist > 30 {
		return errLengths
	}
	var lengths [320]uint8
	for _, s := range orderOf[:nCode] {
		v, ok := f.in.take(3)
		if !ok {
			return errTruncated
		}
		lengths[s] = uint8(v)
	}
	if err := f.lit.build(lengths[:19]); err != nil {
		return err
	}
	clear(lengths[:19])
	if err := f.readLengths(lengths[:nLit+nDist]); err != nil {
		return err
	}
	if lengths[256] == 0 {
		return errLengths
	}
	if err := f.lit.build(lengths[:nLit]); err != nil {
		return err
	}
	return f.dist.build(lengths[nLit : nLit+nDist])
}

// readLengths reads the lengths of both codes, which are coded themselves.
func (f *Inflater) readLengths(lengths []uint8) error {
	for i := 0; i < len(lengths); {
		sym, err := f.symbol(&f.lit)
		if err != nil {
			return err
		}
		value, n, ok := uint8(0), 1, true
		switch {
		case sym < 16:
			value = uint8(sym)
		case sym == 16:
			if i == 0 {
				return errLengths
			}
			value = lengths[i-1]
			n, ok = f.repeat(3, 2)
		case sym == 17:
			n, ok = f.repeat(3, 3)
		default:
			n, ok = f.repeat(11, 7)
		}
		if !ok {
			return errTruncated
		}
		if i+n > len(lengths) {
			return errLengths
		}
		for range n {
			lengths[i] = value
			i++
		}
	}
	return nil
}

func (f *Inflater) repeat(base int, bits uint) (int, bool) {
	v, ok := f.in.take(bits)
	return base + int(v), ok
}

func (f *Inflater) symbol(d *decoder) (int, error) {
	f.in.fill()
	sym, n := d.decode(f.in.acc)
	if n == 0 {
		return 0, errCode
	}
	if n > f.in.n {
		return 0, errTruncated
	}
	f.in.acc >>= n
	f.in.n -= n
	return sym, nil
}

// codes reads literals and copies up to the end of the block.
func (f *Inflater) codes(start int) error {
	for {
		// Literals, as long as there is much to read: a fill is good for three codes.
		for len(f.in.in) >= 8 && len(f.buf)-start+3 <= f.limit {
			f.in.fill()
			e := f.lit.table[f.in.acc&primaryMask]
			if e == 0 || e>>4 > 255 {
				break
			}
			f.in.drop(uint(e & 15))
			next := f.lit.table[f.in.acc&primaryMask]
			if next == 0 || next>>4 > 255 {
				f.buf = append(f.buf, byte(e>>4))
				break
			}
			f.in.drop(uint(next & 15))
			f.buf = append(f.buf, byte(e>>4), byte(next>>4))
		}
		sym, err := f.symbol(&f.lit)
		switch {
		case err != nil:
			return err
		case sym < 256:
			f.buf = append(f.buf, byte(sym))
			if len(f.buf)-start > f.limit {
				return errTooLong
			}
		case sym == 256:
			return nil
		case sym > 285:
			return errCode
		default:
			if err := f.copySymbol(sym-257, start); err != nil {
				return err
			}
		}
	}
}

// copySymbol reads the rest of a copy whose length has code lc, and does it.
func (f *Inflater) copySymbol(lc, start int) error {
	extra, ok := f.in.take(uint(lengthExtra[lc]))
	if !ok {
		return errTruncated
	}
	n := int(lengthBase[lc]) + int(extra)
	dc, err := f.symbol(&f.dist)
	if err != nil {
		return err
	}
	if dc > 29 {
		return errCode
	}
	if extra, ok = f.in.take(uint(distExtra[dc])); !ok {
		return errTruncated
	}
	d := int(distBase[dc]) + int(extra)
	if d > f.window || d > len(f.buf) {
		return &WindowError{d, min(f.window, len(f.buf))}
	}
	f.Reach = max(f.Reach, d)
	if len(f.buf)-start+n > f.limit {
		return errTooLong
	}
	f.copy(d, n)
	return nil
}

// copy appends n octets from d octets back; they may overlap what they make.
func (f *Inflater) copy(d, n int) {
	from := len(f.buf) - d
	for n > d {
		f.buf = append(f.buf, f.buf[from:from+d]...)
		n -= d
		d *= 2
	}
	f.buf = append(f.buf, f.buf[from:from+n]...)
}

// bitReader reads bits, the lowest first, from in and then from tail.
type bitReader struct {
	in   []byte
	tail [4]byte
	left int // octets of tail not yet read
	acc  uint64
	n    uint
}

// fill makes at least 56 bits ready, or all there are. Bits of acc above n are zero,
// or those that the next fill reads again.
func (r *bitReader) fill() {
	if len(r.in) >= 8 {
		r.acc |= binary.LittleEndian.Uint64(r.in) << r.n
		r.in = r.in[(63-r.n)>>3:]
		r.n |= 56
		return
	}
	r.acc &= 1<<r.n - 1
	for r.n <= 56 {
		switch {
		case len(r.in) > 0:
			r.acc |= uint64(r.in[0]) << r.n
			r.in = r.in[1:]
		case r.left > 0:
			r.acc |= uint64(r.tail[4-r.left]) << r.n
			r.left--
		default:
			return
		}
		r.n += 8
	}
}

// take returns the next bits.
func (r *bitReader) take(bits uint) (uint64, bool) {
	if r.n < bits {
		r.fill()
		if r.n < bits {
			return 0, false
		}
	}
	v := r.acc & (1<<bits - 1)
	r.acc >>= bits
	r.n -= bits
	return v, true
}

// drop forgets bits that were looked at.
func (r *bitReader) drop(bits uint) {
	r.acc >>= bits
	r.n -= bits
}

// align drops the bits up to the next octet.
func (r *bitReader) align() {
	r.acc >>= r.n & 7
	r.n &^= 7
}

// atEnd tells whether all octets were read.
func (r *bitReader) atEnd() bool { return len(r.in) == 0 && r.left == 0 && r.n < 8 }

const (
	primaryBits = 10
	primaryMask = 1<<primaryBits - 1
)

// decoder decodes one Huffman code: short codes with one look into a table, the
// others bit by bit.
type decoder struct {
	table [1 << primaryBits]uint16 // symbol<<4 | length; 0 where the code is longer
	count [16]uint16
	syms  []uint16 // in the order of their codes
	max   uint
}

func (d *decoder) build(lengths []uint8) error {
	d.count = [16]uint16{}
	for _, l := range lengths {
		d.count[l]++
	}
	d.count[0] = 0
	left, used := 1, 0
	for l := 1; l < 16; l++ {
		left = left<<1 - int(d.count[l])
		if left < 0 {
			return errLengths
		}
		used += int(d.count[l])
		if d.count[l] > 0 {
			d.max = uint(l)
		}
	}
	// An incomplete code is allowed for a single symbol, or none (section 3.2.7).
	if left > 0 && (used > 1 || used == 1 && d.count[1] != 1) {
		return errLengths
	}
	var offset [16]uint16
	for l := 1; l < 15; l++ {
		offset[l+1] = offset[l] + d.count[l]
	}
	d.syms = append(d.syms[:0], make([]uint16, used)...)
	for s, l := range lengths {
		if l > 0 {
			d.syms[offset[l]] = uint16(s)
			offset[l]++
		}
	}
	d.fillTable(lengths)
	return nil
}

func (d *decoder) fillTable(lengths []uint8) {
	var code [288]uint16
	assign(lengths, code[:])
	clear(d.table[:])
	for s, l := range lengths {
		if l > 0 && l <= primaryBits {
			for i := int(code[s]); i < len(d.table); i += 1 << l {
				d.table[i] = uint16(s)<<4 | uint16(l)
			}
		}
	}
}

// decode returns the symbol at the lowest bits of acc and its length, 0 for none.
func (d *decoder) decode(acc uint64) (sym int, n uint) {
	if e := d.table[acc&primaryMask]; e != 0 {
		return int(e >> 4), uint(e & 15)
	}
	code, first, index := 0, 0, 0
	for l := uint(1); l < 16; l++ {
		code |= int(acc & 1)
		acc >>= 1
		count := int(d.count[l])
		if code-first < count {
			return int(d.syms[index+code-first]), l
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, 0
}
