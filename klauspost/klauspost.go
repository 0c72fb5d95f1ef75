// Package klauspost lets websocket compress with github.com/klauspost/compress.
//
// The DEFLATE that websocket has by itself is made for messages and needs no other
// module; prefer it. This one is for programs that have klauspost/compress anyway
// and want its bytes, or its levels for large messages. It is also the example of
// a [websocket.Deflater] that is written by somebody else.
package klauspost

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/seed9f1f0156/websocket"
)

// Codec is a [websocket.Deflater] for [websocket.Compression]; its zero value is
// ready. It may be used by any number of goroutines and connections.
//
// Level 1 is flate's 1, level 2 its 6. A window below 15 bits is compressed in one
// way for both, as flate has but one encoder for it.
type Codec struct{}

var _ websocket.Deflater = Codec{}

// maxBits is the largest window of DEFLATE.
const maxBits = 15

// writers are flate's, by bits of the window and level.
var writers [maxBits + 1][3]sync.Pool

// sink is where a writer appends to.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

// writer is a flate.Writer and its sink, kept together.
type writer struct {
	*flate.Writer
	to   sink
	dict []byte // a copy: flate keeps what it is given
}

func newWriter(bits, level int) (w *writer, err error) {
	w = &writer{}
	switch {
	case bits < maxBits:
		w.Writer, err = flate.NewWriterWindow(&w.to, 1<<bits)
	case level > 1:
		w.Writer, err = flate.NewWriter(&w.to, 6)
	default:
		w.Writer, err = flate.NewWriter(&w.to, flate.BestSpeed)
	}
	return w, err
}

// tail ends what is flushed; RFC 7692, section 7.2.1, cuts it off.
var tail = []byte{0, 0, 0xff, 0xff}

// AppendDeflate is that of [websocket.Deflater]. dict is used with a window of 15
// bits; with a smaller one a message is compressed by itself.
func (Codec) AppendDeflate(dst, dict, src []byte, bits, level int) ([]byte, error) {
	bits, level = min(max(bits, 8), maxBits), min(max(level, 1), 2)
	pool := &writers[bits][level]
	w, _ := pool.Get().(*writer)
	if w == nil {
		var err error
		if w, err = newWriter(bits, level); err != nil {
			return dst, err
		}
	}
	defer pool.Put(w)
	w.to.b = dst
	defer func() { w.to.b = nil }()
	if bits < maxBits {
		dict = nil
	}
	// Not Reset: that begins with the dictionary of the message before.
	w.dict = append(w.dict[:0], dict...)
	w.ResetDict(&w.to, w.dict)
	if _, err := w.Write(src); err != nil {
		return dst, err
	}
	if err := w.Flush(); err != nil {
		return dst, err
	}
	return bytes.TrimSuffix(w.to.b, tail), nil
}

// reader is a flate reader and what it reads: a message, what its sender cut off,
// and a final block, without which flate would miss the end.
type reader struct {
	flate io.ReadCloser
	src   bytes.Reader
	end   bytes.Reader
	both  joined
}

// joined reads src and then end. It has ReadByte, so that flate reads no further
// than it has to and needs no buffer of its own.
type joined struct{ r *reader }

func (j joined) Read(p []byte) (int, error) {
	if n, err := j.r.src.Read(p); err == nil {
		return n, nil
	}
	return j.r.end.Read(p)
}

func (j joined) ReadByte() (byte, error) {
	if b, err := j.r.src.ReadByte(); err == nil {
		return b, nil
	}
	return j.r.end.ReadByte()
}

var final = []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}

var readers = sync.Pool{New: func() any {
	r := &reader{}
	r.both = joined{r}
	r.flate = flate.NewReader(r.both)
	return r
}}

// AppendInflate is that of [websocket.Deflater]. Room is made as the message is
// inflated, never beyond the limit.
func (Codec) AppendInflate(dst, dict, src []byte, limit int) ([]byte, error) {
	r := readers.Get().(*reader)
	defer readers.Put(r)
	r.src.Reset(src)
	r.end.Reset(final)
	if err := r.flate.(flate.Resetter).Reset(r.both, dict); err != nil {
		return dst, err
	}
	out, err := appendAll(dst, r.flate, limit)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// appendAll appends what r has, up to limit bytes, to dst.
func appendAll(dst []byte, r io.Reader, limit int) ([]byte, error) {
	base := len(dst)
	for {
		if len(dst) == cap(dst) && (limit < 0 || len(dst)-base < limit) {
			dst = grown(dst, base, limit)
		}
		room := dst[len(dst):cap(dst)]
		if limit >= 0 {
			room = room[:min(len(room), limit-(len(dst)-base))]
		}
		var probe [1]byte
		if len(room) == 0 { // the limit is reached: is that the end?
			room = probe[:]
		}
		n, err := r.Read(room)
		if n > 0 && limit >= 0 && len(dst)-base+n > limit {
			return dst, fmt.Errorf("klauspost: %w", websocket.ErrInflateLimit)
		}
		dst = dst[:len(dst)+n]
		switch {
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}

// grown returns dst with more capacity: twice of what was appended, no more than
// the limit allows.
func grown(dst []byte, base, limit int) []byte {
	more := max(len(dst)-base, 512)
	if limit >= 0 {
		more = min(more, limit-(len(dst)-base))
	}
	out := make([]byte, len(dst), len(dst)+more)
	copy(out, dst)
	return out
}
