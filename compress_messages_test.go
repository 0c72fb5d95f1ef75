package websocket

// The round trip of many random messages under every combination of parameters
// that can be agreed on, in both directions, with incompressible messages in the
// middle and pings between fragments. The peer is compress/flate, or zlib in a
// process of its own:
//
//	go test -run TestCompressMessages -timeout 1h -compress.messages 1000000 .
//	go test -run TestCompressMessages -timeout 1h -compress.messages 1000000 -compress.python python3 .

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

var (
	compressCount  = flag.Int("compress.messages", 3000, "how many messages TestCompressMessages sends each way")
	compressPython = flag.String("compress.python", "", "a Python, whose zlib is then the peer of TestCompressMessages")
)

// An agreement is a combination of parameters and what the server does with it.
// Bits of 0 stand for a parameter that is not there.
type agreement struct {
	role                   Role
	level                  int
	serverNo, clientNo     bool
	serverBits, clientBits int
}

// agreements returns all there are.
func agreements() (all []agreement) {
	for i := range 2 * 2 * 2 * 2 * 9 * 9 {
		a := agreement{role: bothRoles[i%2], level: 1 + i/2%2, serverNo: i/4%2 == 1, clientNo: i/8%2 == 1}
		for k, bits := range []*int{&a.serverBits, &a.clientBits} {
			if *bits = []int{i / 16 % 9, i / 144}[k]; *bits > 0 {
				*bits += minWindowBits - 1
			}
		}
		all = append(all, a)
	}
	return all
}

func (a agreement) String() string {
	var b strings.Builder
	for _, p := range []struct {
		there bool
		name  string
	}{
		{a.serverNo, "server_no_context_takeover"}, {a.clientNo, "client_no_context_takeover"},
		{a.serverBits > 0, fmt.Sprintf("server_max_window_bits=%d", a.serverBits)},
		{a.clientBits > 0, fmt.Sprintf("client_max_window_bits=%d", a.clientBits)},
	} {
		if p.there {
			b.WriteString("; " + p.name)
		}
	}
	return b.String()
}

// inflater and deflater are the two directions of a peer. begin starts a stream
// in a window of 1<<bits bytes and says whether it can go on from one message to
// the next.
type (
	inflater interface {
		begin(bits int)
		message(payload []byte) []byte
	}
	deflater interface {
		begin(bits int) (goesOn bool)
		payload(message []byte) []byte
	}
)

func TestCompressMessages(t *testing.T) {
	all := agreements()
	distinct := map[agreement]bool{}
	for _, a := range all {
		distinct[a] = true
	}
	require.Len(t, distinct, 2*2*2*2*9*9)
	var in inflater = &flateInflater{t: t}
	var out deflater = &flateDeflater{t: t}
	if *compressPython != "" {
		in, out = zlibInflater{startZlib(t)}, zlibDeflater{startZlib(t)}
	}
	each := (*compressCount + len(all) - 1) / len(all)
	if testing.Short() || raceDetector {
		each = 1
	}
	source := &anyMessage{r: rand.New(rand.NewPCG(7692, 2)), lines: append(corpus(t, "ticks.json"), corpus(t, "chat.txt")...)}
	synctest.Test(t, func(t *testing.T) {
		for _, a := range all {
			x := newExchange(t, a, in, out)
			for range each {
				x.fromUs(source)
				x.toUs(source)
			}
			x.c.CloseNow()
		}
	})
}

// An exchange is a connection and its peer's two streams.
type exchange struct {
	t        *testing.T
	a        agreement
	c        *Conn
	s        *tape
	far      *far // for its frames
	in       inflater
	out      deflater
	sent     int // by us
	inBits   int
	outBits  int
	inGoesOn bool
	goesOn   bool
}

func newExchange(t *testing.T, a agreement, in inflater, out deflater) *exchange {
	x := &exchange{t: t, a: a, in: in, out: out, inBits: orBits(a.serverBits), outBits: orBits(a.clientBits)}
	x.c, x.s, x.far = compressed(t, a.role, a.String(), Options{Compression: &Compression{
		SendTakeover: true, ReceiveTakeover: true, Level: a.level}})
	if a.role == RoleClient {
		x.inBits, x.outBits = x.outBits, x.inBits
	}
	x.inGoesOn = x.far.receives
	in.begin(x.inBits)
	x.goesOn = out.begin(x.outBits) && x.far.sends
	return x
}

func (x *exchange) failed(format string, args ...any) {
	x.t.Helper()
	x.t.Fatalf("%v%v, level %d, message %d: %s", roleName(x.a.role), x.a, x.a.level, x.sent, fmt.Sprintf(format, args...))
}

// fromUs sends a message to the peer.
func (x *exchange) fromUs(source *anyMessage) {
	x.sent++
	op, m := source.next()
	write := x.c.Write
	if source.r.IntN(20) == 0 {
		write = x.c.WritePlain
	}
	b0, p := x.far.sent(x.s, func() error { return write(ctxBackground, op, m) })
	if b0&0x40 != 0 {
		if !x.inGoesOn {
			x.in.begin(x.inBits)
		}
		p = x.in.message(p)
	}
	if Opcode(b0&15) != op || b0&0xB0 != 0x80 || !bytes.Equal(p, m) {
		x.failed("%02X and %d bytes arrive, not %v and %d", b0, len(p), op, len(m))
	}
}

// toUs sends us a message, in fragments and with pings between them.
func (x *exchange) toUs(source *anyMessage) {
	op, m := source.next()
	b0, p := byte(op), m
	if source.r.IntN(20) > 0 {
		if !x.goesOn {
			x.out.begin(x.outBits)
		}
		b0, p = b0|0x40, x.out.payload(m)
	}
	pings := x.fragments(source.r, b0, p)
	gotOp, got, err := x.c.Next(ctxBackground)
	if err != nil || gotOp != op || !bytes.Equal(got, m) {
		x.failed("%v and %d bytes arrive, not %v and %d: %v", gotOp, len(got), op, len(m), err)
	}
	if pings == 0 {
		return
	}
	synctest.Wait()
	newest := byte(0)
	for rest := x.s.out; len(rest) > 0; {
		if b0, p, rest = x.far.cut(rest); b0 != 0x8A || len(p) != 1 {
			x.failed("%02X % X is not a pong", b0, p)
		}
		newest = p[0]
	}
	if newest != pings {
		x.failed("pong %d, of %d pings", newest, pings)
	}
}

// fragments puts p on the wire in up to four frames, some of them empty, and
// returns the number of pings between them, which are numbered from 1.
func (x *exchange) fragments(r *rand.Rand, b0 byte, p []byte) (pings byte) {
	x.s.in, x.s.out = x.s.in[:0], x.s.out[:0]
	for left := r.IntN(4); left > 0; left-- {
		n := r.IntN(len(p) + 1)
		x.s.in = append(x.s.in, x.far.frame(b0, p[:n])...)
		if r.IntN(2) == 0 {
			pings++
			x.s.in = append(x.s.in, x.far.frame(0x89, []byte{pings})...)
		}
		b0, p = 0, p[n:]
	}
	x.s.in = append(x.s.in, x.far.frame(b0|0x80, p)...)
	return pings
}

// anyMessage makes messages: text, JSON, records, noise, runs and nothing, most
// of them small, some up to 1 MiB.
type anyMessage struct {
	r     *rand.Rand
	lines [][]byte
	seq   uint64
}

func (a *anyMessage) next() (Opcode, []byte) {
	r := a.r
	size := 1 << r.IntN(12)
	if r.IntN(1000) == 0 {
		size = 1 << (12 + r.IntN(8))
	}
	size += r.IntN(size + 1)
	b := make([]byte, 0, size+300)
	switch kind := r.IntN(10); kind {
	case 0:
		return Text, nil
	case 1, 2:
		for len(b) < size {
			b = binary.LittleEndian.AppendUint64(b, r.Uint64())
		}
	case 3:
		b = append(b, bytes.Repeat([]byte{byte(r.Uint32()), 7}, size/2+1)...)
	case 4:
		for ; len(b) < size; a.seq++ {
			b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, a.seq), r.Uint32N(1000))
		}
	case 5, 6:
		for ; len(b) < size; a.seq++ {
			b = fmt.Appendf(b, `{"seq":%d,"price":%d.%02d,"name":"köchel"},`, a.seq, r.IntN(1000), r.IntN(100))
		}
		return Text, bytes.ToValidUTF8(b[:size], nil)
	default:
		for len(b) < size {
			b = append(b, a.lines[r.IntN(len(a.lines))]...)
		}
		return Text, bytes.ToValidUTF8(b[:size], nil)
	}
	return Binary, b[:size]
}

// flateInflater is compress/flate, which keeps just the window that was agreed on.
type flateInflater struct {
	t    *testing.T
	r    io.ReadCloser
	in   bytes.Reader
	win  []byte
	bits int
}

func (f *flateInflater) begin(bits int) { f.win, f.bits = f.win[:0], bits }

func (f *flateInflater) message(payload []byte) []byte {
	f.in.Reset(append(bytes.Clone(payload), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...))
	if f.r == nil {
		f.r = flate.NewReader(&f.in)
	}
	require.NoError(f.t, f.r.(flate.Resetter).Reset(&f.in, f.win))
	m, err := io.ReadAll(f.r)
	require.NoError(f.t, err)
	f.win = append(f.win, m...)
	f.win = f.win[:copy(f.win, f.win[len(f.win)-min(len(f.win), 1<<f.bits):])]
	return m
}

// flateDeflater is compress/flate, at all of its levels in turn. It has but one
// window, of 32 KiB, and with a smaller one cannot go on.
type flateDeflater struct {
	t    *testing.T
	w    [10]*flate.Writer
	n    int
	wire bytes.Buffer
}

func (f *flateDeflater) begin(bits int) bool {
	f.n++
	level := f.n % len(f.w)
	if f.w[level] == nil {
		f.w[level], _ = flate.NewWriter(&f.wire, level)
	}
	f.w[level].Reset(&f.wire)
	return bits == maxWindowBits
}

func (f *flateDeflater) payload(message []byte) []byte {
	w := f.w[f.n%len(f.w)]
	f.wire.Reset()
	_, err := w.Write(message)
	require.NoError(f.t, err)
	require.NoError(f.t, w.Flush())
	return bytes.TrimSuffix(f.wire.Bytes(), unhex("0000ffff"))
}

// A zlib is a process with a stream in each direction, of which one is used.
type zlib struct {
	t *testing.T
	w *bufio.Writer
	r *bufio.Reader
	n int
}

func startZlib(t *testing.T) *zlib {
	cmd := exec.Command(*compressPython, "internal/deflate/testdata/zlibpeer.py")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		require.NoError(t, cmd.Wait())
	})
	return &zlib{t: t, w: bufio.NewWriter(in), r: bufio.NewReader(out)}
}

// ask sends a request, as zlibpeer.py describes them, and returns the answer of
// those that have one.
func (z *zlib) ask(kind byte, bits int, b []byte) []byte {
	head := binary.LittleEndian.AppendUint32([]byte{kind, byte(bits)}, uint32(len(b)))
	_, err := z.w.Write(append(head, b...))
	require.NoError(z.t, err)
	require.NoError(z.t, z.w.Flush())
	if kind == 0 {
		return nil
	}
	var n [4]byte
	_, err = io.ReadFull(z.r, n[:])
	require.NoError(z.t, err)
	answer := make([]byte, binary.LittleEndian.Uint32(n[:]))
	_, err = io.ReadFull(z.r, answer)
	require.NoError(z.t, err)
	return answer
}

type (
	zlibInflater struct{ *zlib }
	zlibDeflater struct{ *zlib }
)

func (z zlibInflater) begin(bits int)          { z.ask(0, bits, nil) }
func (z zlibInflater) message(p []byte) []byte { return z.ask(1, 0, p) }

// begin: zlib compresses in no smaller window than that of 9 bits, and with 8
// cannot go on.
func (z zlibDeflater) begin(bits int) bool {
	z.n++
	z.ask(0, bits, make([]byte, z.n%9))
	return bits > minWindowBits
}

func (z zlibDeflater) payload(m []byte) []byte { return z.ask(2, 0, m) }
