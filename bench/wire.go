// What goes over the wire between the load generator and a server: the frames
// it sends, all made before the clock starts, and the check that every byte
// that comes back is the right one.
//
// This is a second, independent reading of RFC 6455, deliberately not the
// library's: a generator that shared code with what it measures could not find
// its faults. Nothing here allocates per message unless compression is on.

package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
)

const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// appendHeader appends an unmasked frame's header: first is FIN, RSV and
// opcode, n the payload's length.
func appendHeader(dst []byte, first byte, n int) []byte {
	switch {
	case n < 126:
		return append(dst, first, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, first, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(n))
}

// appendMasked appends a client's frame with payload p.
func appendMasked(dst []byte, first byte, key [4]byte, p []byte) []byte {
	at := len(dst) + 1
	dst = appendHeader(dst, first, len(p))
	dst[at] |= 0x80
	dst = append(dst, key[:]...)
	at = len(dst)
	dst = append(dst, p...)
	for i := range p {
		dst[at+i] ^= key[i&3]
	}
	return dst
}

// stream is the ring of messages that all connections of a run send, each
// beginning at another place, so that an echo that reaches the wrong
// connection or comes in the wrong order is noticed.
type stream struct {
	raw     bool // no frames at all
	op      byte
	payload [][]byte
	echo    [][]byte // payload i as a server would send it in one frame; nil when compressed
	out     []byte   // frames of the ring as sent, then its beginning again
	ends    []int    // ends[i] is where frame i begins in out, ends[i+1] where it ends
	packed  [][]byte // payload i as the server compresses it without takeover, once seen and found right
	inflate io.ReadCloser
}

// newStream makes messages of size bytes: random ones (constant seed) in binary
// messages, or text that looks like JSON. inFlight frames from any place of the
// ring lie contiguous in out.
func newStream(p loadPlan) (*stream, error) {
	count := min(max((1<<20)/max(p.Size, 1), 2), 61)
	if p.Takeover {
		count = max(count, (128<<10)/p.Size) // more than a window: nothing comes again while it is remembered
	}
	s := &stream{raw: p.Raw, op: opBinary, ends: []int{0}, packed: make([][]byte, count), inflate: flate.NewReader(nil)}
	if p.Text || p.Deflate || p.Takeover {
		s.op = opText
	}
	rng := rand.New(rand.NewPCG(6455, 7692))
	for range count {
		m := make([]byte, p.Size)
		if s.op == opText {
			fillJSON(m, rng)
		} else {
			for i := range m {
				m[i] = byte(rng.Uint32())
			}
		}
		s.payload = append(s.payload, m)
		if p.Deflate || p.Takeover {
			s.echo = append(s.echo, nil)
		} else if p.Raw {
			s.echo = append(s.echo, m)
		} else {
			s.echo = append(s.echo, append(appendHeader(nil, 0x80|s.op, len(m)), m...))
		}
	}
	var key [4]byte
	for i := range count + p.InFlight {
		m := s.payload[i%count]
		binary.BigEndian.PutUint32(key[:], rng.Uint32())
		switch {
		case p.Raw:
			s.out = append(s.out, m...)
		case p.Deflate || p.Takeover:
			packed, err := deflated(m)
			if err != nil {
				return nil, err
			}
			s.out = appendMasked(s.out, 0xC0|s.op, key, packed)
		default:
			s.out = appendMasked(s.out, 0x80|s.op, key, m)
		}
		s.ends = append(s.ends, len(s.out))
	}
	return s, nil
}

// fillJSON fills m with records of the kind that compression is used for.
func fillJSON(m []byte, rng *rand.Rand) {
	var b []byte
	for len(b) < len(m) {
		b = fmt.Appendf(b, `{"id":%d,"user":"user-%04d","price":%d.%02d,"ok":%t,"tags":["alpha","beta"]},`,
			rng.Uint32(), rng.IntN(10000), rng.IntN(1000), rng.IntN(100), rng.IntN(2) == 0)
	}
	copy(m, b)
}

// deflated compresses p as RFC 7692 section 7.2.1 says, with a fresh window, so
// that the result is right with context takeover and without.
func deflated(p []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(p); err != nil {
		return nil, err
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff}), nil
}

// closeSeen is the error of a verifier that met a close frame.
type closeSeen struct{ code int }

func (e *closeSeen) Error() string { return fmt.Sprintf("the server closed with code %d", e.code) }

// verifier checks what one connection receives. Its zero value is ready.
type verifier struct {
	hdr   [14]byte
	hn    int
	left  int  // payload of the current frame still to come
	body  bool // inside a frame's payload
	first byte // of the current frame's header
	off   int  // bytes of the message compared so far
	inMsg bool // a message has begun and is not finished
	rsv1  bool // that message is compressed
	ctl   []byte
	ping  bool // a ping came; its payload is ctl
	wire  int64
	zip   []byte // compressed message gathered so far
	dict  []byte // the last 32 KiB of plain text, for context takeover
	keep  bool   // context takeover
}

// next consumes b up to the end of the message numbered i of s, at most. It
// returns how much it used, whether the message ended, and what was wrong.
func (v *verifier) next(b []byte, s *stream, i int) (n int, done bool, err error) {
	if echo := s.echo[i]; echo != nil && !v.inMsg && v.hn == 0 && !v.body && len(b) >= len(echo) && bytes.Equal(b[:len(echo)], echo) {
		v.wire += int64(len(echo))
		return len(echo), true, nil
	}
	if s.raw {
		return v.plain(b, s.payload[i])
	}
	for n < len(b) && !done && err == nil {
		if !v.body {
			v.hdr[v.hn] = b[n]
			v.hn++
			n++
			if err = v.header(s.op); err != nil || !v.body {
				continue
			}
		}
		m := min(v.left, len(b)-n)
		if err = v.chunk(b[n:n+m], s.payload[i]); err != nil {
			break
		}
		n += m
		if v.left -= m; v.left == 0 {
			v.body = false
			done, err = v.frameEnd(s, i)
		}
	}
	v.wire += int64(n)
	return n, done, err
}

var (
	errMaskedReply = errors.New("a server's frame is masked")
	errOrder       = errors.New("a frame breaks the order of fragments")
	errLong        = errors.New("the echo is longer than the message")
	errDiffers     = errors.New("the echo differs from the message")
)

// plain compares raw bytes.
func (v *verifier) plain(b, want []byte) (int, bool, error) {
	m := min(len(want)-v.off, len(b))
	if !bytes.Equal(b[:m], want[v.off:v.off+m]) {
		return m, false, errDiffers
	}
	v.wire += int64(m)
	if v.off += m; v.off < len(want) {
		return m, false, nil
	}
	v.off = 0
	return m, true, nil
}

// header looks at the header bytes so far; when they are complete it begins
// the frame's body, whose length may be zero.
func (v *verifier) header(op byte) error {
	if v.hn < 2 {
		return nil
	}
	n := int(v.hdr[1] & 0x7f)
	switch {
	case v.hdr[1]&0x80 != 0:
		return errMaskedReply
	case n == 126 && v.hn < 4, n == 127 && v.hn < 10:
		return nil
	case n == 126:
		n = int(binary.BigEndian.Uint16(v.hdr[2:]))
	case n == 127:
		n = int(binary.BigEndian.Uint64(v.hdr[2:]))
	}
	if n < 0 || n > 1<<30 {
		return errLong
	}
	v.hn, v.left, v.body, v.first = 0, n, true, v.hdr[0]
	if v.first&0x08 != 0 {
		v.ctl = v.ctl[:0]
		return nil
	}
	if begins := v.first&0x0f != 0; begins == v.inMsg || v.first&0x30 != 0 || begins && v.first&0x0f != op {
		return fmt.Errorf("%w: first byte %#02x", errOrder, v.first)
	}
	if !v.inMsg {
		v.inMsg, v.off, v.rsv1, v.zip = true, 0, v.first&0x40 != 0, v.zip[:0]
	}
	return nil
}

// chunk compares, or gathers, a part of the current frame's payload.
func (v *verifier) chunk(p, want []byte) error {
	switch {
	case v.first&0x08 != 0:
		v.ctl = append(v.ctl, p...)
	case v.rsv1:
		v.zip = append(v.zip, p...)
	case len(p) > len(want)-v.off:
		return errLong
	case !bytes.Equal(p, want[v.off:v.off+len(p)]):
		return errDiffers
	default:
		v.off += len(p)
	}
	return nil
}

// frameEnd acts on a complete frame.
func (v *verifier) frameEnd(s *stream, i int) (done bool, err error) {
	switch {
	case v.first&0x0f == opClose:
		e := &closeSeen{1005}
		if len(v.ctl) >= 2 {
			e.code = int(binary.BigEndian.Uint16(v.ctl))
		}
		return false, e
	case v.first&0x0f == opPing:
		v.ping = true
		return false, nil
	case v.first&0x08 != 0, v.first&0x80 == 0:
		return false, nil
	}
	v.inMsg = false
	if v.rsv1 {
		return true, v.inflated(s, i)
	}
	if v.off != len(s.payload[i]) {
		return true, errDiffers
	}
	return true, nil
}

// inflated checks the compressed message gathered in v.zip. Without takeover a
// server compresses the same text to the same bytes, so a message once found
// right need not be inflated again.
func (v *verifier) inflated(s *stream, i int) error {
	if !v.keep && s.packed[i] != nil && bytes.Equal(v.zip, s.packed[i]) {
		return nil
	}
	// The empty last block makes the inflater report the end instead of an error.
	tail := bytes.NewReader([]byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff})
	src := io.MultiReader(bytes.NewReader(v.zip), tail)
	if err := s.inflate.(flate.Resetter).Reset(src, v.dict); err != nil {
		return err
	}
	want := s.payload[i]
	got, err := io.ReadAll(io.LimitReader(s.inflate, int64(len(want))+1))
	if err != nil {
		return fmt.Errorf("inflating the echo: %w", err)
	}
	if !bytes.Equal(got, want) {
		return errDiffers
	}
	if !v.keep {
		s.packed[i] = bytes.Clone(v.zip)
	}
	v.remember(want)
	return nil
}

// remember keeps the last 32 KiB of plain text when the context is taken over.
// Only compressed messages enter the window, so this is called for no others.
func (v *verifier) remember(p []byte) {
	if !v.keep {
		return
	}
	v.dict = append(v.dict, p...)
	if over := len(v.dict) - 32<<10; over > 0 {
		v.dict = slices.Delete(v.dict, 0, over)
	}
}
