package deflate

// This file holds what the decoder spends its time in: the codes of a dynamic
// block's header, the symbols of a block, and the copying of matches. Called
// by decoder.run and decoder.header.

// dynamicHeader reads the codes of a dynamic block (RFC 1951 3.2.7) into the
// decoder's own tables.
func (d *decoder) dynamicHeader() error {
	nlit, ndist, ncode := d.take(5)+257, d.take(5)+1, d.take(4)+4
	if nlit > numLitLen || ndist > numDist {
		return ErrCorrupt
	}
	var codeLengths [numCodeLen]uint8
	for i := range ncode {
		if d.n < 3 {
			d.load()
		}
		codeLengths[codeLenOrder[i]] = uint8(d.take(3))
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
		d.load()
		e := table[d.bits&(1<<codeLenBits-1)]
		if e&flagOther != 0 || d.left() < 0 {
			return ErrCorrupt
		}
		d.drop(uint(e & 31))
		value, repeat := uint8(e>>16), 1
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
		for end := i + repeat; i < end; i++ {
			d.lengths[i] = value
		}
	}
	return nil
}

// codes inflates the symbols of a block. The inner loop goes as far as it can
// without looking at the ends of in and out; one symbol at a time goes on.
func (d *decoder) codes() error {
	for d.at == inCodes {
		if !d.dry {
			d.inner()
		}
		if err := d.symbol(); err != nil {
			return err
		}
	}
	return nil
}

// symbol inflates one symbol. If it returns an error, errFull for one, it has
// used nothing of the stream.
func (d *decoder) symbol() error {
	d.load()
	bits, n := d.bits, d.n
	e := d.lit[bits&(1<<litBits-1)]
	if e&flagSub != 0 {
		bits, n = bits>>litBits, n-litBits
		e = d.lit[secondIndex(e, bits)&(litSize-1)]
	}
	size := uint(e & 31)
	length, match := 1, e&(flagLiteral|flagOther) == 0
	dist := 0
	switch {
	case e&flagEnd != 0:
		length = 0
	case e&flagOther != 0:
		return ErrCorrupt
	case match:
		length = entryValue(e, bits)
		bits, n = bits>>size, n-size
		f := d.dist[bits&(1<<distBits-1)]
		if f >= flagOther && f&flagSub != 0 {
			bits, n = bits>>distBits, n-distBits
			f = d.dist[secondIndex(f, bits)&(distSize-1)]
		}
		if f >= flagOther {
			return ErrCorrupt
		}
		size, dist = uint(f&31), entryValue(f, bits)
	}
	bits, n = bits>>size, n-size
	if d.left()+int(n)-int(d.n) < 0 || dist > d.w-d.base+len(d.dict) {
		return ErrCorrupt
	}
	if err := d.need(length); err != nil {
		return err
	}
	d.bits, d.n = bits, n
	if e&flagEnd != 0 {
		d.at = betweenBlocks
	} else if !d.dry {
		if match {
			d.copyMatch(d.w, length, dist)
		} else {
			d.out[d.w] = byte(e >> 16)
		}
	}
	d.w += length
	return nil
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

// inner inflates symbols as long as one more can neither end in nor fill out.
// A symbol that it cannot decide it leaves to symbol.
func (d *decoder) inner() {
	if len(d.in)-d.pos < tailLoad && !d.atTail {
		d.enterTail()
	}
	in, pos, bits, n := d.in, d.pos, d.bits, d.n
	out, w, lit, dist := d.out, d.w, d.lit, d.dist
	inEnd, outEnd := len(in)-tailLoad, d.room-slack
	if d.atTail {
		inEnd = d.end // beyond it lies tailPad; symbol sees it if it was used
	}
	for pos <= inEnd && w <= outEnd {
		bits |= load64(in, pos) << (n & 63)
		pos += int((63 - n) >> 3)
		n |= 56
		e := lit[bits&(1<<litBits-1)]
		if e&flagLiteral != 0 {
			out[w] = byte(e >> 16)
			w++
			bits >>= e & 31
			n -= uint(e & 31)
			e = lit[bits&(1<<litBits-1)]
			if e&flagLiteral != 0 {
				out[w] = byte(e >> 16)
				w++
				bits >>= e & 31
				n -= uint(e & 31)
				e = lit[bits&(1<<litBits-1)]
				if e&flagLiteral != 0 {
					out[w] = byte(e >> 16)
					w++
					bits >>= e & 31
					n -= uint(e & 31)
					continue
				}
			}
			bits |= load64(in, pos) << (n & 63)
			pos += int((63 - n) >> 3)
			n |= 56
		}
		saved, savedN := bits, n
		if e >= flagOther {
			if e&flagSub == 0 {
				break
			}
			bits, n = bits>>litBits, n-litBits
			e = lit[secondIndex(e, bits)&(litSize-1)]
			if e&flagLiteral != 0 {
				out[w] = byte(e >> 16)
				w++
				bits >>= e & 31
				n -= uint(e & 31)
				continue
			}
			if e >= flagOther {
				bits, n = saved, savedN
				break
			}
		}
		length := entryValue(e, bits)
		bits >>= e & 31
		n -= uint(e & 31)
		f := dist[bits&(1<<distBits-1)]
		if f >= flagOther {
			if f&flagSub != 0 {
				bits, n = bits>>distBits, n-distBits
				f = dist[secondIndex(f, bits)&(distSize-1)]
			}
			if f >= flagOther {
				bits, n = saved, savedN
				break
			}
		}
		back := entryValue(f, bits)
		from := w - back
		if from < d.base {
			if back > w-d.base+len(d.dict) {
				bits, n = saved, savedN
				break
			}
			bits >>= f & 31
			n -= uint(f & 31)
			d.copyMatch(w, length, back)
			w += length
			continue
		}
		bits >>= f & 31
		n -= uint(f & 31)
		if back < 8 || length > 64 {
			d.copyMatch(w, length, back)
		} else {
			for i := 0; i < length; i += 8 {
				store64(out, w+i, load64(out, from+i))
			}
		}
		w += length
	}
	d.pos, d.bits, d.n, d.w = pos, bits, n, w
}
