// Package deflate compresses and inflates whole messages for the conformance suite
// (RFC 1951, as RFC 7692 uses it). It exists because compress/flate can neither keep
// to a window below 15 bits nor tell how far a peer has reached back, and because
// the judge must not share code with what it judges.
//
// A [Compressor] or an [Inflater] is one direction of one connection, for one
// goroutine at a time.
package deflate

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

const (
	minMatch = 4
	maxMatch = 258
	hashBits = 14
	blockMax = 32 << 10 // tokens of one block
	slideAt  = 256 << 10
)

// Compressor compresses messages one after the other. The zero value is not usable,
// see [NewCompressor].
type Compressor struct {
	window   int  // the largest distance used
	takeover bool // the window goes on from one message to the next

	buf    []byte // history, then the message
	head   [1 << hashBits]int32
	tokens []token
	lit    [286]uint32
	dist   [30]uint32
	w      bitWriter
}

// token is a literal, or a copy: then length has copyFlag set.
type token struct {
	length uint16 // or the literal
	dist   uint16 // less one
}

const copyFlag = 1 << 15

// NewCompressor returns a compressor that reaches back at most 1<<bits octets, bits
// from 8 to 15, and, without takeover, never into an earlier message.
func NewCompressor(bits int, takeover bool) *Compressor {
	return &Compressor{window: 1 << bits, takeover: takeover}
}

// Append appends the compressed form of p to dst, without the four octets 00 00 ff
// ff at its end (RFC 7692, section 7.2.1). It does not keep p.
func (c *Compressor) Append(dst, p []byte) []byte {
	if !c.takeover {
		c.buf = c.buf[:0]
		clear(c.head[:])
	} else if len(c.buf)+len(p) > slideAt {
		c.slide()
	}
	start := len(c.buf)
	c.buf = append(c.buf, p...)
	c.w = bitWriter{out: dst}
	for i := start; i < len(c.buf); {
		end := c.tokenize(i)
		c.block(c.buf[i:end])
		i = end
	}
	c.w.bits(0, 3) // an empty stored block ends the message at an octet
	c.w.align()
	return c.w.out
}

// slide forgets what is beyond the window.
func (c *Compressor) slide() {
	cut := max(0, len(c.buf)-c.window)
	c.buf = c.buf[:copy(c.buf, c.buf[cut:])]
	for i, p := range c.head {
		c.head[i] = max(0, p-int32(cut))
	}
}

func hash(b []byte) uint32 {
	return binary.LittleEndian.Uint32(b) * 0x9e3779b1 >> (32 - hashBits)
}

// tokenize turns octets from position i on into tokens, greedily, until the block is
// full, and returns where it stopped. head holds positions plus one.
func (c *Compressor) tokenize(i int) int {
	c.tokens = c.tokens[:0]
	clear(c.lit[:])
	clear(c.dist[:])
	buf, misses := c.buf, 0
	for i+minMatch <= len(buf) && len(c.tokens) < blockMax {
		h := hash(buf[i:])
		at := int(c.head[h]) - 1
		c.head[h] = int32(i + 1)
		if at >= 0 && at < i && i-at <= c.window &&
			binary.LittleEndian.Uint32(buf[at:]) == binary.LittleEndian.Uint32(buf[i:]) {
			n := matchLen(buf[at:], buf[i:])
			c.copyToken(n, i-at)
			i += n
			if i+minMatch <= len(buf) {
				c.head[hash(buf[i-2:])] = int32(i - 1)
			}
			misses = 0
			continue
		}
		// Where nothing matches, look at fewer and fewer positions.
		misses++
		for range min(1+misses>>6, len(buf)-i) {
			c.literal(buf[i])
			i++
		}
	}
	for ; i < len(buf) && i+minMatch > len(buf); i++ {
		c.literal(buf[i])
	}
	return i
}

func (c *Compressor) literal(b byte) {
	c.tokens = append(c.tokens, token{uint16(b), 0})
	c.lit[b]++
}

func (c *Compressor) copyToken(n, d int) {
	c.tokens = append(c.tokens, token{copyFlag | uint16(n), uint16(d - 1)})
	c.lit[257+int(lengthCode[n])]++
	c.dist[distCode(d)]++
}

// matchLen returns how many octets, at most 258, are the same at the start of a and b.
func matchLen(a, b []byte) int {
	limit := min(maxMatch, len(b))
	n := 0
	for n+8 <= limit {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
		n += 8
	}
	for n < limit && a[n] == b[n] {
		n++
	}
	return n
}

// block writes the tokens, which stand for raw, in the shortest of the three forms.
func (c *Compressor) block(raw []byte) {
	if c.noise(len(raw)) {
		c.stored(raw)
		return
	}
	c.lit[256]++ // end of block
	dyn := newDynamic(&c.lit, &c.dist)
	extra := c.extraBits()
	dynamic := dyn.headerBits + extra + cost(c.lit[:], dyn.lit.len[:]) + cost(c.dist[:], dyn.dist.len[:])
	fixed := extra + cost(c.lit[:], fixedLit.len[:]) + cost(c.dist[:], fixedDist.len[:])
	// Of noise, Huffman saves too little to be worth its time.
	stored := (len(raw) + 5*(1+len(raw)/0xffff)) * 8
	switch {
	case stored < min(dynamic, fixed)*65/64:
		c.stored(raw)
	case fixed <= dynamic:
		c.w.bits(1<<1, 3)
		c.codes(&fixedLit, &fixedDist)
	default:
		c.w.bits(2<<1, 3)
		dyn.writeHeader(&c.w)
		c.codes(&dyn.lit, &dyn.dist)
	}
}

// noise tells whether n octets are hardly worth a look: nearly all of them literals, and
// none of these much more frequent than the others.
func (c *Compressor) noise(n int) bool {
	return n > 4096 && len(c.tokens) > n-n/32 && slices.Max(c.lit[:256]) < uint32(n/64)
}

func (c *Compressor) stored(raw []byte) {
	for len(raw) > 0 {
		n := min(len(raw), 0xffff)
		c.w.bits(0, 3)
		c.w.align()
		c.w.out = binary.LittleEndian.AppendUint16(c.w.out, uint16(n))
		c.w.out = binary.LittleEndian.AppendUint16(c.w.out, ^uint16(n))
		c.w.out = append(c.w.out, raw[:n]...)
		raw = raw[n:]
	}
}

func (c *Compressor) extraBits() (n int) {
	for code, f := range c.lit[257:] {
		n += int(f) * int(lengthExtra[code])
	}
	for code, f := range c.dist {
		n += int(f) * int(distExtra[code])
	}
	return n
}

// codes writes the tokens and the end of the block.
func (c *Compressor) codes(lit *litCode, dist *distanceCode) {
	w := &c.w
	acc, n := w.acc, w.n
	// A token has at most 48 bits, and the loop leaves fewer than 8 in acc.
	out := slices.Grow(w.out, 6*len(c.tokens)+16)
	at := len(out)
	out = out[:cap(out)]
	for _, t := range c.tokens {
		if t.length&copyFlag == 0 {
			acc |= uint64(lit.code[t.length]) << (n & 63)
			n += uint(lit.len[t.length])
		} else {
			length, d := int(t.length&^copyFlag), int(t.dist)+1
			lc, dc := lengthCode[length], distCode(d)
			acc |= uint64(lit.code[257+int(lc)]) << (n & 63)
			n += uint(lit.len[257+int(lc)])
			acc |= uint64(length-int(lengthBase[lc])) << (n & 63)
			n += uint(lengthExtra[lc])
			acc |= uint64(dist.code[dc]) << (n & 63)
			n += uint(dist.len[dc])
			acc |= uint64(d-int(distBase[dc])) << (n & 63)
			n += uint(distExtra[dc])
		}
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(n >> 3)
		acc >>= n &^ 7
		n &= 7
	}
	w.out, w.acc, w.n = out[:at], acc, n
	w.bits(uint64(lit.code[256]), uint(lit.len[256]))
}

// bitWriter appends bits, the lowest first.
type bitWriter struct {
	out []byte
	acc uint64
	n   uint
}

func (w *bitWriter) bits(v uint64, n uint) {
	w.acc |= v << w.n
	w.n += n
	if w.n >= 32 {
		w.out = binary.LittleEndian.AppendUint32(w.out, uint32(w.acc))
		w.acc >>= 32
		w.n -= 32
	}
}

// align fills the last octet with zeros.
func (w *bitWriter) align() {
	for ; w.n > 0; w.n -= min(w.n, 8) {
		w.out = append(w.out, byte(w.acc))
		w.acc >>= 8
	}
	w.acc = 0
}
