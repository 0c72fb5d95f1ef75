package websocket

// Tests of permessage-deflate on a connection: what goes out, and what comes in,
// message by message, with compress/flate as the peer, which keeps the windows as
// RFC 7692, section 7.2, says. Memory and limits are in compress_limits_test.go.

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// tape is a stream in memory: what is put in is read, what is written is kept.
type tape struct{ in, out []byte }

func (s *tape) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *tape) Write(p []byte) (int, error) {
	s.out = append(s.out, p...)
	return len(p), nil
}

func (s *tape) Close() error { return nil }

// far is the other end of a tape, or of any stream: it frames by hand, and
// compresses with compress/flate.
type far struct {
	t        testing.TB
	role     Role // of the connection under test
	sends    bool // takeover in what we send to it
	receives bool // and in what it sends
	bits     int  // of its window, for what it sends

	w   *flate.Writer
	wb  bytes.Buffer
	r   io.Reader
	in  bytes.Buffer
	win []byte // the window of what it sent
}

// frame returns a frame whose first byte is b0 as the connection reads it.
func (f *far) frame(b0 byte, p []byte) []byte {
	b := []byte{b0, byte(len(p))}
	switch {
	case len(p) > 65535:
		b = binary.BigEndian.AppendUint64([]byte{b0, 127}, uint64(len(p)))
	case len(p) > 125:
		b = binary.BigEndian.AppendUint16([]byte{b0, 126}, uint16(len(p)))
	}
	b = append(b, p...)
	if f.role == RoleServer {
		b, _ = maskFrame(b, testKeys[len(p)%len(testKeys)])
	}
	return b
}

// cut takes the first frame off what the connection wrote.
func (f *far) cut(out []byte) (b0 byte, p, rest []byte) {
	f.t.Helper()
	if f.role == RoleClient {
		_, frame, rest := unmaskFrame(f.t, out)
		b0, p, _ = (&far{t: f.t}).cut(frame)
		return b0, p, rest
	}
	require.GreaterOrEqual(f.t, len(out), 2)
	header, n := 2, int(out[1])
	switch n {
	case 126:
		header, n = 4, int(binary.BigEndian.Uint16(out[2:]))
	case 127:
		header, n = 10, int(binary.BigEndian.Uint64(out[2:]))
	}
	return out[0], out[header : header+n], out[header+n:]
}

// deflate: "Compress all the octets of the payload of the message using DEFLATE
// ... Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end" (7.2.1).
func (f *far) deflate(p []byte) []byte {
	f.wb.Reset()
	switch {
	case f.w == nil && f.sends:
		f.w, _ = flate.NewWriter(&f.wb, flate.DefaultCompression)
	case f.w == nil:
		f.w, _ = flate.NewWriter(&f.wb, flate.BestSpeed) // cheaper to begin anew
	case !f.sends:
		f.w.Reset(&f.wb)
	}
	f.w.Write(p)
	f.w.Flush()
	return bytes.TrimSuffix(f.wb.Bytes(), unhex("0000ffff"))
}

// inflate: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload"
// (7.2.2); the final block behind them is for compress/flate's sake.
func (f *far) inflate(p []byte) []byte {
	f.in.Reset()
	f.in.Write(p)
	f.in.WriteString("\x00\x00\xff\xff\x01\x00\x00\xff\xff")
	if f.r == nil {
		f.r = flate.NewReaderDict(&f.in, f.win)
	} else {
		f.r.(flate.Resetter).Reset(&f.in, f.win)
	}
	m, err := io.ReadAll(f.r)
	require.NoError(f.t, err)
	if f.receives {
		bits := f.bits
		if bits == 0 {
			bits = 15
		}
		f.win = append(f.win, m...)
		f.win = f.win[len(f.win)-min(len(f.win), 1<<bits):]
	}
	return m
}

// message returns the message that a frame is, and whether it was compressed.
func (f *far) message(b0 byte, p []byte) (m []byte, compressed bool) {
	if b0&0x40 == 0 {
		return p, false
	}
	return f.inflate(p), true
}

// compressed makes a connection on a tape, with what was agreed on.
func compressed(t testing.TB, role Role, agreed string, opts Options) (*Conn, *tape, *far) {
	t.Helper()
	if opts.Compression == nil {
		opts.Compression = &Compression{SendTakeover: true, ReceiveTakeover: true}
	}
	opts.KeepaliveInterval = -1
	s := &tape{}
	c, err := NewConn(s, Handshake{Role: role, Extensions: "permessage-deflate" + agreed}, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { c.CloseNow() })
	server, client := !strings.Contains(agreed, "server_no"), !strings.Contains(agreed, "client_no")
	if role == RoleServer {
		server, client = client, server
	}
	return c, s, &far{t: t, role: role, sends: server, receives: client}
}

// sent writes with write and returns the one frame that went out.
func (f *far) sent(s *tape, write func() error) (b0 byte, p []byte) {
	f.t.Helper()
	s.out = s.out[:0]
	require.NoError(f.t, write())
	b0, p, rest := f.cut(s.out)
	require.Empty(f.t, rest, "one frame")
	return b0, bytes.Clone(p)
}

// corpus returns the lines of a file of recorded messages.
func corpus(t testing.TB, name string) [][]byte {
	b, err := os.ReadFile("internal/deflate/testdata/corpus/" + name)
	require.NoError(t, err)
	return bytes.Split(bytes.TrimSpace(b), []byte("\n"))
}

var ctxBackground = context.Background()

// TestCompressTakeover: messages each way in all combinations of role and
// takeover, enough to fill a window twice, with messages between them that go
// uncompressed: too random, or by request. They enter no window, neither here nor
// there.
func TestCompressTakeover(t *testing.T) {
	lines := append(corpus(t, "ticks.json"), corpus(t, "chat.txt")...)
	count := 800
	if testing.Short() || raceDetector {
		count = 300
	}
	for _, role := range bothRoles {
		for _, agreed := range []string{"", "; server_no_context_takeover", "; client_no_context_takeover",
			"; server_no_context_takeover; client_no_context_takeover"} {
			t.Run(roleName(role)+agreed, func(t *testing.T) {
				c, s, f := compressed(t, role, agreed, Options{})
				r := rand.New(rand.NewPCG(7692, 1))
				noise := make([]byte, 300)
				plain, wire := 0, 0
				for i := range count {
					m, b0, write := lines[r.IntN(len(lines))], byte(0x81), c.Write
					switch i % 50 {
					case 7:
						for j := range noise {
							noise[j] = byte(r.Uint32())
						}
						m, b0 = noise[:r.IntN(len(noise))], 0x82
					case 13:
						write = c.WritePlain
					case 19:
						m = nil
					}
					op := Opcode(b0 & 15)
					out, p := f.sent(s, func() error { return write(ctxBackground, op, m) })
					got, z := f.message(out, p)
					if !bytes.Equal(m, got) || out&^0x40 != b0 {
						t.Fatalf("message %d: %02X %q, want %02X %q", i, out, got, b0, m)
					}
					if z != (i%50 != 7 && i%50 != 13 && i%50 != 19) {
						t.Fatalf("RSV1 of message %d is %v", i, z)
					}
					plain, wire = plain+len(m), wire+len(p)

					if i%50 == 13 || i%50 == 19 {
						s.in = f.frame(b0, m)
					} else {
						s.in = f.frame(b0|0x40, f.deflate(m))
					}
					gotOp, got, err := c.Next(ctxBackground)
					if err != nil || gotOp != op || !bytes.Equal(m, got) {
						t.Fatalf("message %d: %v %q, want %q: %v", i, gotOp, got, m, err)
					}
				}
				if f.receives {
					require.Less(t, wire, plain/2, "bytes on the wire, of %d", plain)
				} else {
					require.Nil(t, c.deflate.window)
				}
				if !f.sends {
					require.Nil(t, c.inflate.window)
				}
			})
		}
	}
}

// TestCompressWindow: what we send refers back no further than was agreed, and
// does refer back: the peer keeps just that much.
func TestCompressWindow(t *testing.T) {
	lines := corpus(t, "ticks.json")
	for bits := minWindowBits; bits <= maxWindowBits; bits++ {
		for _, level := range []int{1, 2} {
			for _, role := range bothRoles {
				agreed := fmt.Sprintf("; %s_max_window_bits=%d", roleName(role), bits)
				c, s, f := compressed(t, role, agreed, Options{Compression: &Compression{SendTakeover: true, Level: level}})
				f.bits = bits
				plain, wire := 0, 0
				for _, m := range lines[:200] {
					out, p := f.sent(s, func() error { return c.Write(ctxBackground, Text, m) })
					got, _ := f.message(out, p)
					require.Equal(t, string(m), string(got))
					plain, wire = plain+len(m), wire+len(p)
				}
				require.Less(t, wire, plain*3/4, "%d bits", bits)
				require.Equal(t, 1<<bits, cap(c.deflate.window), "%d bits", bits)
			}
		}
	}
}

// TestCompressSkips: what does not become smaller, is too small, or is not to be
// compressed, goes out as it is and leaves no trace in the window.
func TestCompressSkips(t *testing.T) {
	long := []byte(strings.Repeat("all work and no play ", 20))
	noise := unhex("9b1c7fe2 04d36a58 c5e1902f 7b3dd486 a1f0236e 59c8b714 8e4d0ba7 f2356cd9")
	c, s, f := compressed(t, RoleServer, "", Options{})
	b0, _ := f.sent(s, func() error { return c.Write(ctxBackground, Text, long) })
	require.Equal(t, byte(0xC1), b0)
	before := string(c.deflate.window)
	require.Equal(t, string(long), before)
	for name, write := range map[string]func() error{
		"noise":    func() error { return c.Write(ctxBackground, Binary, noise) },
		"empty":    func() error { return c.Write(ctxBackground, Text, nil) },
		"plain":    func() error { return c.WritePlain(ctxBackground, Text, long) },
		"one byte": func() error { return c.Write(ctxBackground, Text, []byte("q")) },
		"prepared": func() error {
			m, err := Prepare(Binary, noise)
			require.NoError(t, err)
			return c.WritePrepared(ctxBackground, m)
		},
		"Writer": func() error {
			w, err := c.Writer(ctxBackground, Text)
			require.NoError(t, err)
			w.Write(long)
			return w.Close()
		},
	} {
		b0, _ := f.sent(s, write)
		require.Zero(t, b0&0x40, name)
		require.Equal(t, before, string(c.deflate.window), name)
	}
	require.Same(t, errSendOpcode, c.WritePlain(ctxBackground, Ping, nil))

	// Without takeover the threshold says what is too small.
	for _, row := range []struct {
		threshold, size int
		want            byte
	}{{0, defaultThreshold - 1, 0x81}, {0, defaultThreshold, 0xC1}, {1000, 999, 0x81}, {1000, 1000, 0xC1}, {10, 10, 0xC1}} {
		c, s, f := compressed(t, RoleServer, "; server_no_context_takeover", Options{Compression: &Compression{Threshold: row.threshold}})
		m := bytes.Repeat([]byte("a"), row.size)
		b0, p := f.sent(s, func() error { return c.Write(ctxBackground, Text, m) })
		require.Equal(t, row.want, b0, "%+v", row)
		got, _ := f.message(b0, p)
		require.Equal(t, string(m), string(got))
	}
}

// TestCompressFirstFrameOnly: the frames of a Writer carry no RSV1, a compressed
// message has one frame, and control frames are as they always are (RFC 7692,
// section 6).
func TestCompressFirstFrameOnly(t *testing.T) { synctest.Test(t, testCompressFirstFrameOnly) }

func testCompressFirstFrameOnly(t *testing.T) {
	c, s, f := compressed(t, RoleClient, "", Options{})
	big := []byte(strings.Repeat("0123456789abcdef", 1<<14))
	b0, p := f.sent(s, func() error { return c.Write(ctxBackground, Text, big) })
	require.Equal(t, byte(0xC1), b0)
	got, _ := f.message(b0, p)
	require.Equal(t, string(big), string(got))
	s.out = nil
	w, err := c.Writer(ctxBackground, Text)
	require.NoError(t, err)
	_, err = w.Write(big[:10000])
	require.NoError(t, err)
	require.NoError(t, w.Close())
	var firsts []byte
	for rest := s.out; len(rest) > 0; {
		b0, _, rest = f.cut(rest)
		firsts = append(firsts, b0)
	}
	require.Equal(t, unhex("01 00 80"), firsts)
	b0, p = f.sent(s, func() error { return c.Write(ctxBackground, Text, big) })
	got, _ = f.message(b0, p)
	require.Equal(t, string(big), string(got), "the window is what it was before the Writer")
	s.in = f.frame(0x89, big[:125])
	s.in = append(s.in, f.frame(0xC1, f.deflate(big[:10]))...)
	s.out = nil
	_, _, err = c.Next(ctxBackground)
	require.NoError(t, err)
	synctest.Wait()
	b0, p, rest := f.cut(s.out)
	require.Empty(t, rest)
	require.Equal(t, byte(0x8A), b0)
	require.Equal(t, string(big[:125]), string(p))
}

// countingCodec counts what it is asked to compress.
type countingCodec struct {
	codec
	deflated *int
}

func (z countingCodec) AppendDeflate(dst, dict, src []byte, bits, level int) ([]byte, error) {
	*z.deflated++
	return z.codec.AppendDeflate(dst, dict, src, bits, level)
}

// TestCompressPrepared: one message for many connections with and without
// takeover, of both roles, is compressed once for each window that was agreed on,
// and the windows go on from it.
func TestCompressPrepared(t *testing.T) {
	deflated := 0
	z := &Compression{SendTakeover: true, Codec: countingCodec{deflated: &deflated}}
	m, err := Prepare(Text, []byte(strings.Repeat("to whom it may concern ", 3000)))
	require.NoError(t, err)
	for i := range 20 {
		role := bothRoles[i%2]
		agreed := []string{"", "; " + roleName(role) + "_no_context_takeover"}[i/2%2]
		if i >= 12 {
			agreed += "; " + roleName(role) + "_max_window_bits=9"
		}
		c, s, f := compressed(t, role, agreed, Options{Compression: z})
		f.bits = map[bool]int{false: 15, true: 9}[i >= 12]
		for _, text := range []string{"before, to whom it may concern", "", "after, to whom it may concern"} {
			count := deflated
			write := func() error { return c.Write(ctxBackground, Text, []byte(text)) }
			want := text
			if text == "" {
				want = string(m.p)
				write = func() error { return c.WritePrepared(ctxBackground, m) }
			}
			b0, p := f.sent(s, write)
			got, zipped := f.message(b0, p)
			require.Equal(t, want, string(got))
			if text == "" {
				require.True(t, zipped)
				require.Equal(t, map[bool]int{true: 1}[i == 0 || i == 12], deflated-count, "connection %d", i)
			}
		}
	}
}

// TestCompressedFragments: a compressed message in fragments of every size, empty
// ones between them, with pings and pongs inside; only its first frame has RSV1.
func TestCompressedFragments(t *testing.T) { synctest.Test(t, testCompressedFragments) }

func testCompressedFragments(t *testing.T) {
	text := []byte(strings.Repeat("Hello, hello. ", 20))
	for _, role := range bothRoles {
		c, s, f := compressed(t, role, "", Options{})
		for size := 1; size < 30; size++ {
			s.in, s.out = nil, nil
			p := f.deflate(text)
			pings := 0
			for first := byte(0x41); len(p) > 0; first = 0 {
				n := min(size, len(p))
				s.in = append(s.in, f.frame(first, p[:n])...)
				s.in = append(s.in, f.frame(0x89, []byte{byte(pings)})...)
				s.in = append(s.in, f.frame(0, nil)...)
				s.in = append(s.in, f.frame(0x8A, []byte("unasked"))...)
				p = p[n:]
				pings++
			}
			s.in = append(s.in, f.frame(0x80, nil)...)
			op, got, err := c.Next(ctxBackground)
			require.NoError(t, err)
			require.Equal(t, Text, op)
			require.Equal(t, string(text), string(got))
			synctest.Wait()
			_, last, rest := f.cut(s.out)
			for len(rest) > 0 {
				_, last, rest = f.cut(rest)
			}
			require.Equal(t, []byte{byte(pings - 1)}, last, "the newest pong")
		}
	}
}

// TestCompressedReader: the Reader of a compressed message, read or not, leaves
// the window right for the next.
func TestCompressedReader(t *testing.T) {
	c, s, f := compressed(t, RoleServer, "", Options{})
	for i := range 10 {
		m := fmt.Appendf(nil, "message %d, which is like the others", i)
		p := f.deflate(m)
		s.in = append(f.frame(0x41, p[:2]), f.frame(0x80, p[2:])...)
		_, r, err := c.Reader(ctxBackground)
		require.NoError(t, err)
		got, err := io.ReadAll(io.LimitReader(r, int64(i*4)))
		require.NoError(t, err)
		require.Equal(t, string(m[:min(len(m), i*4)]), string(got))
	}
}

// TestCompressGivenUp: a message whose context ends before its first byte is out
// leaves the window as it was, and the next can be read.
func TestCompressGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, other := net.Pipe()
		c, err := NewConn(near, Handshake{Role: RoleServer, Extensions: "permessage-deflate"},
			&Options{Compression: &Compression{SendTakeover: true}, KeepaliveInterval: -1, WriteTimeout: -1})
		require.NoError(t, err)
		defer other.Close()
		defer c.CloseNow()
		f := &far{t: t, receives: true}
		for i := range 20 {
			ctx, cancel := context.WithTimeout(ctxBackground, time.Second)
			err := c.Write(ctx, Text, []byte("a message that nobody reads"))
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			m := fmt.Sprintf("message %d is read, nobody doubts it", i)
			wrote := make(chan error, 1)
			go func() { wrote <- c.Write(ctxBackground, Text, []byte(m)) }()
			buf := make([]byte, 200)
			n, err := other.Read(buf)
			require.NoError(t, err)
			require.NoError(t, <-wrote)
			b0, p, rest := f.cut(buf[:n])
			require.Empty(t, rest)
			got, _ := f.message(b0, p)
			require.Equal(t, m, string(got))
		}
	})
}

// TestCompressedCloseRead: messages that CloseRead drops are in the window of
// those that are read afterwards.
func TestCompressedCloseRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, other := net.Pipe()
		c, err := NewConn(near, Handshake{Role: RoleServer, Extensions: "permessage-deflate"},
			&Options{Compression: &Compression{ReceiveTakeover: true}, KeepaliveInterval: -1})
		require.NoError(t, err)
		defer other.Close()
		defer c.CloseNow()
		f := &far{t: t, role: RoleServer, sends: true}
		send := func(m string) {
			p := f.deflate([]byte(m))
			other.Write(append(f.frame(0x41, p[:1]), f.frame(0x80, p[1:])...))
		}
		for i := range 5 {
			ctx, cancel := context.WithCancel(ctxBackground)
			c.CloseRead(ctx)
			send(fmt.Sprintf("%d: dropped, and yet not without use", i))
			other.Write(f.frame(0x81, []byte("dropped, and was not compressed")))
			synctest.Wait()
			cancel()
			synctest.Wait()
			m := fmt.Sprintf("%d: read, and yet not without use", i)
			go send(m)
			_, got, err := c.Next(ctxBackground)
			require.NoError(t, err)
			require.Equal(t, m, string(got))
		}
	})
}

// A Prepared that outlives many connections has one form for each window and level, not
// one for each of their options.
func TestPreparedKeepsFewForms(t *testing.T) {
	m, err := Prepare(Text, bytes.Repeat([]byte("welcome to the server. "), 100))
	require.NoError(t, err)
	for range 20 {
		c, _, _ := compressed(t, RoleServer, "", Options{}) // with Compression of its own
		require.NoError(t, c.WritePrepared(ctxBackground, m))
	}
	require.Len(t, m.deflate, 1)
}
