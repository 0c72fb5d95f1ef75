package deflate

import (
	"errors"
	"math/bits"
)

// This file holds a decoder for the tests that goes by RFC 1951 bit by bit. It
// is slow, and it tells what compress/flate does not: which types of blocks a
// stream has and how far back its distances reach.

// A streamInfo is what a stream was seen to be made of.
type streamInfo struct {
	blocks  [3]int // of each type
	maxDist int
}

type reference struct {
	in   []byte
	bit  int
	out  []byte
	info streamInfo
}

var errReference = errors.New("not DEFLATE")

// inspect inflates a payload behind dict and says what it is made of. Final
// blocks are not expected.
func inspect(dict, src []byte) (out []byte, info streamInfo, err error) {
	r := &reference{in: append(append([]byte(nil), src...), 0, 0, 0xff, 0xff), out: append([]byte(nil), dict...)}
	defer func() {
		if e := recover(); e != nil {
			if e != errReference {
				panic(e)
			}
			err = errReference
		}
	}()
	for r.bit < 8*len(r.in) {
		r.block()
	}
	return r.out[len(dict):], r.info, nil
}

// take reads n bits, the first one lowest (RFC 1951 3.1.1).
func (r *reference) take(n int) int {
	v := 0
	for i := range n {
		if r.bit >= 8*len(r.in) {
			panic(errReference)
		}
		v |= int(r.in[r.bit/8]>>(r.bit%8)&1) << i
		r.bit++
	}
	return v
}

func (r *reference) block() {
	if r.take(1) != 0 {
		panic(errReference)
	}
	kind := r.take(2)
	if kind == 3 {
		panic(errReference)
	}
	r.info.blocks[kind]++
	var lit, dist []int
	switch kind {
	case 0:
		r.stored()
		return
	case 1:
		for i := range 288 {
			switch {
			case i < 144:
				lit = append(lit, 8)
			case i < 256:
				lit = append(lit, 9)
			case i < 280:
				lit = append(lit, 7)
			default:
				lit = append(lit, 8)
			}
		}
		for range 32 {
			dist = append(dist, 5)
		}
	case 2:
		lit, dist = r.lengths()
	}
	r.symbols(codesOf(lit), codesOf(dist))
}

func (r *reference) stored() {
	r.bit = (r.bit + 7) / 8 * 8
	n := r.take(16)
	if n^r.take(16) != 0xffff {
		panic(errReference)
	}
	for range n {
		r.out = append(r.out, byte(r.take(8)))
	}
}

func (r *reference) lengths() (lit, dist []int) {
	nlit, ndist, ncode := r.take(5)+257, r.take(5)+1, r.take(4)+4
	order := []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	first := make([]int, 19)
	for _, i := range order[:ncode] {
		first[i] = r.take(3)
	}
	codes := codesOf(first)
	var all []int
	for len(all) < nlit+ndist {
		sym, n, value := r.symbol(codes), 1, 0
		switch sym {
		case 16:
			n, value = 3+r.take(2), all[len(all)-1]
		case 17:
			n = 3 + r.take(3)
		case 18:
			n = 11 + r.take(7)
		default:
			value = sym
		}
		for range n {
			all = append(all, value)
		}
	}
	if len(all) != nlit+ndist {
		panic(errReference)
	}
	return all[:nlit], all[nlit:]
}

// A codeKey is a code: its bits, first one highest, and their number.
type codeKey struct{ bits, n int }

// codesOf assigns codes in the order of lengths and symbols (RFC 1951 3.2.2)
// and requires that none is left over, but for a single one.
func codesOf(lengths []int) map[codeKey]int {
	codes := map[codeKey]int{}
	code := 0
	for n := 1; n <= 15; n++ {
		code <<= 1
		for sym, l := range lengths {
			if l == n {
				codes[codeKey{code, n}] = sym
				code++
			}
		}
		if code > 1<<n {
			panic(errReference)
		}
	}
	if len(codes) > 1 && code != 1<<15 {
		panic(errReference)
	}
	return codes
}

func (r *reference) symbol(codes map[codeKey]int) int {
	k := codeKey{}
	for k.n < 15 {
		k = codeKey{k.bits<<1 | r.take(1), k.n + 1}
		if sym, ok := codes[k]; ok {
			return sym
		}
	}
	panic(errReference)
}

func (r *reference) symbols(lit, dist map[codeKey]int) {
	for {
		sym := r.symbol(lit)
		switch {
		case sym < 256:
			r.out = append(r.out, byte(sym))
			continue
		case sym == 256:
			return
		case sym > 285:
			panic(errReference)
		}
		n := sym - 257 // the table of RFC 1951 3.2.5, as a formula
		length := 258
		if n < 8 {
			length = 3 + n
		} else if n < 28 {
			extra := n/4 - 1
			length = 3 + (4+n%4)<<extra + r.take(extra)
		}
		sym = r.symbol(dist)
		if sym > 29 {
			panic(errReference)
		}
		d := sym + 1
		if sym > 3 {
			extra := sym/2 - 1
			d = 1 + (2+sym%2)<<extra + r.take(extra)
		}
		if d > len(r.out) {
			panic(errReference)
		}
		r.info.maxDist = max(r.info.maxDist, d)
		for range length {
			r.out = append(r.out, r.out[len(r.out)-d])
		}
	}
}

// A bitString builds streams by hand.
type bitString struct {
	b []byte
	n int
}

// put adds n bits, the lowest first, as numbers are sent.
func (s *bitString) put(v, n int) *bitString {
	for i := range n {
		if s.n%8 == 0 {
			s.b = append(s.b, 0)
		}
		s.b[s.n/8] |= byte(v>>i&1) << (s.n % 8)
		s.n++
	}
	return s
}

// code adds n bits, the highest first, as codes are sent.
func (s *bitString) code(v, n int) *bitString {
	return s.put(int(bits.Reverse64(uint64(v))>>(64-n)), n)
}
