package deflate

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// This file holds the round trips of many random messages, with and without
// context takeover, between this package and a peer: compress/flate, or zlib in
// a process of its own. DEFLATE_MESSAGES sets how many messages go each way;
// DEFLATE_PYTHON names a Python for zlib.

// A peer is the other end of two streams of messages.
type peer interface {
	// begin starts both streams anew, in windows of 1<<bits bytes.
	begin(bits int)
	inflate(payload []byte) []byte
	deflate(message []byte) []byte
}

func messageCount(t *testing.T, n int) int {
	if s := os.Getenv("DEFLATE_MESSAGES"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	return n
}

func TestMessages(t *testing.T) {
	exchange(t, &flatePeer{t: t}, messageCount(t, 3000))
}

func TestMessagesZlib(t *testing.T) {
	p := startZlib(t)
	if p == nil {
		t.Skip("DEFLATE_PYTHON does not name a Python whose zlib to talk to")
	}
	exchange(t, p, messageCount(t, 3000))
}

// startZlib returns nil if there is no Python to start.
func startZlib(t testing.TB) *zlibPeer {
	python := os.Getenv("DEFLATE_PYTHON")
	if python == "" {
		return nil
	}
	cmd := exec.Command(python, filepath.Join("testdata", "zlibpeer.py"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, in.Close())
		require.NoError(t, cmd.Wait())
	})
	return &zlibPeer{t: t, w: bufio.NewWriter(in), r: bufio.NewReader(out)}
}

// FuzzMade inflates what compress/flate makes of a message that follows another,
// at any level and, if there is a Python, what zlib makes of it in any window.
func FuzzMade(f *testing.F) {
	var writers [10]*flate.Writer
	var wire bytes.Buffer
	for level := range writers {
		writers[level], _ = flate.NewWriter(&wire, level)
	}
	zlib := startZlib(f)
	for i, c := range corpora(f) {
		f.Add(c.data[:300], c.data[300:700], uint8(i), uint8(8+i))
		f.Add(c.data[:2000], c.data[1000:3000], uint8(9-i), uint8(15))
	}
	f.Fuzz(func(t *testing.T, before, message []byte, level, bits uint8) {
		check := func(payload []byte) {
			t.Helper()
			got, err := AppendInflate(nil, before, payload, len(message))
			require.NoError(t, err)
			require.True(t, bytes.Equal(got, message))
		}
		w := writers[level%10]
		w.Reset(&wire)
		w.Write(before)
		w.Flush()
		wire.Reset()
		w.Write(message)
		w.Flush()
		check(bytes.TrimSuffix(wire.Bytes(), []byte("\x00\x00\xff\xff")))
		if zlib != nil {
			zlib.t, zlib.n = t, int(level)
			zlib.begin(MinBits + int(bits)%8)
			zlib.deflate(before)
			check(zlib.deflate(message))
		}
	})
}

// exchange sends count messages each way, in streams of up to 200.
func exchange(t *testing.T, p peer, count int) {
	source := newMessageSource(t)
	r := source.r
	for sent := 0; sent < count; {
		bits, level, takeover := MinBits+r.IntN(8), Fast+r.IntN(2), r.IntN(3) > 0
		where := fmt.Sprintf("bits %d, level %d, takeover %v", bits, level, takeover)
		p.begin(bits)
		var out, in window
		for range min(1+r.IntN(200), count-sent) {
			sent++
			if !takeover {
				p.begin(bits)
				out, in = nil, nil
			}
			m := source.next()
			payload := AppendDeflate(nil, out, m, bits, level)
			if !bytes.Equal(p.inflate(payload), m) {
				t.Fatalf("message %d, %s: the peer inflates it to something else", sent, where)
			}
			out = out.add(m, 1<<bits)

			m = source.next()
			payload = p.deflate(m)
			got, err := AppendInflate(nil, in, payload, len(m))
			if err != nil || !bytes.Equal(got, m) {
				t.Fatalf("message %d, %s: %v, or something else than the peer sent", sent, where, err)
			}
			in = in.add(m, maxWindow)
		}
	}
}

// A window is the end of all messages so far.
type window []byte

func (w window) add(m []byte, size int) window {
	w = append(w, m...)
	return append(window(nil), w[len(w)-min(len(w), size):]...)
}

// A messageSource makes messages: text, JSON, records, noise, runs and nothing,
// most of them small, some up to 1 MiB.
type messageSource struct {
	r   *rand.Rand
	all []corpus
	seq int
}

func newMessageSource(t *testing.T) *messageSource {
	return &messageSource{r: rand.New(rand.NewPCG(11, 12)), all: corpora(t)}
}

func (s *messageSource) next() []byte {
	r := s.r
	size := 1 << r.IntN(12)
	if r.IntN(1000) == 0 {
		size = 1 << (12 + r.IntN(8))
	}
	size += r.IntN(size + 1)
	var b []byte
	switch kind := r.IntN(10); kind {
	case 0:
		return nil
	case 1:
		b = make([]byte, size)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
	case 2:
		b = bytes.Repeat([]byte{byte(kind), byte(r.Uint32())}, size/2+1)
	case 3:
		for len(b) < size {
			s.seq++
			b = binary.BigEndian.AppendUint64(b, uint64(s.seq))
			b = binary.BigEndian.AppendUint32(b, r.Uint32N(1000))
		}
	case 4, 5, 6:
		for len(b) < size {
			s.seq++
			b = fmt.Appendf(b, `{"seq":%d,"price":%d.%02d,"side":%q},`, s.seq, r.IntN(1000), r.IntN(100), []string{"buy", "sell"}[r.IntN(2)])
		}
	default:
		c := s.all[r.IntN(len(s.all))].data
		from := r.IntN(len(c))
		for b = append(b, c[from:]...); len(b) < size; {
			b = append(b, c...)
		}
	}
	return b[:size]
}

// flatePeer is compress/flate, with a window of 32 KiB in both directions.
type flatePeer struct {
	t      *testing.T
	r      io.ReadCloser
	w      *flate.Writer
	in     window
	out    bytes.Buffer
	levels int
}

func (p *flatePeer) begin(int) {
	p.in = p.in[:0]
	if p.r == nil {
		p.r = flate.NewReader(nil)
	}
	if p.levels%50 == 0 { // writers are heavy
		var err error
		p.w, err = flate.NewWriter(&p.out, p.levels/50%10)
		require.NoError(p.t, err)
	}
	p.levels++
	p.w.Reset(&p.out)
}

func (p *flatePeer) inflate(payload []byte) []byte {
	all := append(append([]byte(nil), payload...), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...)
	require.NoError(p.t, p.r.(flate.Resetter).Reset(bytes.NewReader(all), p.in))
	m, err := io.ReadAll(p.r)
	require.NoError(p.t, err)
	p.in = p.in.add(m, maxWindow)
	return m
}

func (p *flatePeer) deflate(message []byte) []byte {
	p.out.Reset()
	_, err := p.w.Write(message)
	require.NoError(p.t, err)
	require.NoError(p.t, p.w.Flush())
	return bytes.TrimSuffix(p.out.Bytes(), []byte("\x00\x00\xff\xff"))
}

// zlibPeer is testdata/zlibpeer.py.
type zlibPeer struct {
	t    testing.TB
	w    *bufio.Writer
	r    *bufio.Reader
	bits int
	n    int
}

func (p *zlibPeer) send(kind byte, b []byte) {
	head := append([]byte{kind, byte(p.bits)}, binary.LittleEndian.AppendUint32(nil, uint32(len(b)))...)
	_, err := p.w.Write(append(head, b...))
	require.NoError(p.t, err)
	require.NoError(p.t, p.w.Flush())
}

func (p *zlibPeer) answer() []byte {
	var n [4]byte
	_, err := io.ReadFull(p.r, n[:])
	require.NoError(p.t, err)
	b := make([]byte, binary.LittleEndian.Uint32(n[:]))
	_, err = io.ReadFull(p.r, b)
	require.NoError(p.t, err)
	return b
}

func (p *zlibPeer) begin(bits int) {
	p.bits = bits
	p.n++
	p.send(0, make([]byte, p.n%9))
}

func (p *zlibPeer) inflate(payload []byte) []byte {
	p.send(1, payload)
	return p.answer()
}

func (p *zlibPeer) deflate(message []byte) []byte {
	p.send(2, message)
	return p.answer()
}
