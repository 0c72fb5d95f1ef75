package deflate

// This file holds what the decoder spends its time in: the codes of a dynamic
// block's header, the symbols of a block, and the copying of matches. Called
// by decoder.run and decoder.header.

// A cursor is a place in the input. The low n bits of bits were loaded before
// pos and not used yet. It is handled as a value, which keeps it in registers.
type cursor struct {
	bits uint64
	n    uint
	pos  int
}

// load fills c up to 56 bits or more. Eight bytes must be left in in.
func (c cursor) load(in []byte) cursor {
	c.bits |= load64(in, c.pos) << (c.n & 63)
	c.pos += int((63 - c.n) >> 3)
	c.n |= 56
	return c
}

// drop uses n bits, at most 31; more of an entry may be given.
func (c cursor) drop(n uint32) cursor {
	c.bits >>= n & 31
	c.n -= uint(n & 31)
	return c
}

// dynamicHeader reads the codes of a dynamic block (RFC 1951 3.2.7) into the
// decoder's own tables.
func (d *decoder) dynamicHeader() error {
	nlit, ndist, ncode := d.take(5)+257, d.take(5)+1, d.take(4)+4
	if nlit > numLitLen || ndist > numDist {
		return ErrCorrupt
	}
	var codeLengths [numCodeLen]uint8
	for _, sym := range codeLenOrder[:ncode] {
		if d.c.n < 3 {
			d.load()
		}
		codeLengths[sym] = uint8(d.take(3))
	}
	var table [1 << codeLenBits]uint32
	if !buildTable(table[:], codeLenBits, codeLengths[:], codeLenEntries[:]) {
		return ErrCorrupt
	}
	if err := d.readLengths(&table, int(nlit+ndist)); err != nil {
		return err
	}
	if !buildTable(d.litTab[:], litBits, d.lengths[:nlit], litEntries[:]) ||
		!buildTable(d.distTab[:], distBits, d.lengths[nlit:nlit+ndist], distEntries[:]) {
		return ErrCorrupt
	}
	return nil
}

// readLengths reads n code lengths, which are themselves coded in table.
func (d *decoder) readLengths(table *[1 << codeLenBits]uint32, n int) error {
	for i := 0; i < n; {
		if d.c.n < codeLenBits+7 {
			d.load()
		}
		e := table[d.c.bits&(1<<codeLenBits-1)]
		if e&flagOther != 0 || d.left() < 0 {
			return ErrCorrupt
		}
		d.c = d.c.drop(e)
		value := uint8(e >> 16)
		if value < 16 {
			d.lengths[i] = value
			i++
			continue
		}
		repeat := 0
		switch value {
		case 16:
			if i == 0 {
				return ErrCorrupt
			}
			value, repeat = d.lengths[i-1], 3+int(d.take(2))
		case 17:
			value, repeat = 0, 3+int(d.take(3))
		case 18:
			value, repeat = 0, 11+int(d.take(7))
		}
		if repeat > n-i {
			return ErrCorrupt
		}
		if value == 0 {
			clear(d.lengths[i : i+repeat])
			i += repeat
			continue
		}
		for end := i + repeat; i < end; i++ {
			d.lengths[i] = value
		}
	}
	return nil
}

// codes inflates the symbols of a block. The inner loop goes as far as it can
// without looking at the ends of in and out, and leaves what it cannot decide;
// one symbol at a time goes on.
func (d *decoder) codes() error {
	for d.at == inCodes {
		if !d.dry {
			d.inner()
		}
		d.load()
		s, c := d.decode(d.c)
		if s.length < 0 || s.dist > d.w-d.base+len(d.dict) || d.left()-int(d.c.n)+int(c.n) < 0 {
			return ErrCorrupt
		}
		if err := d.need(s.length); err != nil {
			return err // with d.c before the symbol
		}
		d.c = c
		switch {
		case s.length == 0:
			d.at = betweenBlocks
		case d.dry:
		case s.dist == 0:
			d.out[d.w] = s.literal
		default:
			d.copyMatch(d.w, s.length, s.dist)
		}
		d.w += s.length
	}
	return nil
}

// A symbol is a match, or a literal if dist is 0, or the end of the block if
// length is 0 as well. It is invalid if length is negative.
type symbol struct {
	length, dist int
	literal      uint8
}

// decode takes one symbol of this block apart. 48 bits must be loaded.
func (d *decoder) decode(c cursor) (symbol, cursor) {
	e := d.lit[c.bits&(1<<litBits-1)]
	if e&flagSub != 0 {
		c = c.drop(litBits)
		e = d.lit[secondIndex(e, c.bits)&(litSize-1)]
	}
	bits := c.bits
	c = c.drop(e)
	switch {
	case e&flagEnd != 0:
		return symbol{}, c
	case e >= flagOther:
		return symbol{length: -1}, c
	case e&flagLiteral != 0:
		return symbol{length: 1, literal: byte(e >> 16)}, c
	}
	length := entryValue(e, bits)
	e = d.dist[c.bits&(1<<distBits-1)]
	if e >= flagOther && e&flagSub != 0 {
		c = c.drop(distBits)
		e = d.dist[secondIndex(e, c.bits)&(distSize-1)]
	}
	if e >= flagOther {
		return symbol{length: -1}, c
	}
	return symbol{length: length, dist: entryValue(e, c.bits)}, c.drop(e)
}

// secondIndex returns the place of a code in the second table that e leads to.
func secondIndex(e uint32, bits uint64) uint32 {
	return e>>16&(litSize-1) + uint32(bits)&(1<<(e>>8&15)-1)
}

// entryValue returns the length or distance of an entry and its extra bits.
func entryValue(e uint32, bits uint64) int {
	return int(e>>16&0x7fff) + int(bits&(1<<(e&31)-1)>>(e>>8&15))
}

// copyMatch copies length bytes from dist bytes before w, to w. The distance
// reaches no further back than dict.
func (d *decoder) copyMatch(w, length, dist int) {
	if back := dist - (w - d.base); back > 0 {
		n := copy(d.out[w:w+length], d.dict[len(d.dict)-back:])
		w, length = w+n, length-n
	}
	// What a copy may take grows by what was copied before.
	for from := w - dist; length > 0; {
		n := copy(d.out[w:w+length], d.out[from:w])
		w, length = w+n, length-n
	}
}

// inner inflates symbols as long as one more can neither end in nor fill out,
// and it is a literal or a valid match.
func (d *decoder) inner() {
	if len(d.in)-d.c.pos < tailLoad && !d.atTail {
		d.enterTail()
	}
	in, out, lit, c, w := d.in, d.out, d.lit, d.c, d.w
	inEnd, outEnd := len(in)-tailLoad, d.room-slack
	if d.atTail {
		inEnd = d.end // tailPad is behind it; that it was used is seen later
	}
	for c.pos <= inEnd && w <= outEnd {
		c = c.load(in)
		e := lit[c.bits&(1<<litBits-1)]
		if e&flagLiteral != 0 {
			out[w] = byte(e >> 16)
			c = c.drop(e)
			w++
			e = lit[c.bits&(1<<litBits-1)]
			if e&flagLiteral != 0 {
				out[w] = byte(e >> 16)
				c = c.drop(e)
				w++
				e = lit[c.bits&(1<<litBits-1)]
				if e&flagLiteral != 0 {
					out[w] = byte(e >> 16)
					c = c.drop(e)
					w++
					continue
				}
			}
			c = c.load(in)
		}
		next, n := d.innerMatch(c, e, w)
		if n == 0 {
			break
		}
		c, w = next, w+n
	}
	d.c, d.w = c, w
}

// innerMatch inflates the symbol of e, which is at c, to w. It returns how many
// bytes that were, none for what is not a valid match or literal. 48 bits are
// loaded, and there is slack behind w.
func (d *decoder) innerMatch(c cursor, e uint32, w int) (cursor, int) {
	if e >= flagOther {
		if e&flagSub == 0 {
			return c, 0
		}
		c = c.drop(litBits)
		e = d.lit[secondIndex(e, c.bits)&(litSize-1)]
		if e&flagLiteral != 0 {
			d.out[w] = byte(e >> 16)
			return c.drop(e), 1
		}
		if e >= flagOther {
			return c, 0
		}
	}
	length := entryValue(e, c.bits)
	c = c.drop(e)
	e = d.dist[c.bits&(1<<distBits-1)]
	if e >= flagOther {
		if e&flagSub != 0 {
			c = c.drop(distBits)
			e = d.dist[secondIndex(e, c.bits)&(distSize-1)]
		}
		if e >= flagOther {
			return c, 0
		}
	}
	dist := entryValue(e, c.bits)
	from := w - dist
	if from < d.base || dist < 8 || length > 64 {
		if from < d.base-len(d.dict) {
			return c, 0
		}
		d.copyMatch(w, length, dist)
		return c.drop(e), length
	}
	for i := 0; i < length; i += 8 {
		store64(d.out, w+i, load64(d.out, from+i))
	}
	return c.drop(e), length
}
