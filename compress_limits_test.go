package websocket

// Tests of what permessage-deflate costs, and of what a peer may make it cost:
// limits, bombs and broken streams, allocations, and memory while idle.

import (
	"bytes"
	"compress/flate"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// failsWith feeds frames to a connection and returns the code of the close frame
// that goes out and the error of the read.
func failsWith(t *testing.T, role Role, opts Options, in func(f *far) []byte) (code StatusCode, err error) {
	synctest.Test(t, func(t *testing.T) {
		c, s, f := compressed(t, role, "", opts)
		s.in = in(f)
		for err == nil {
			_, _, err = c.Next(ctxBackground)
		}
		synctest.Wait()
		b0, p, rest := f.cut(s.out)
		require.Empty(t, rest)
		require.Equal(t, byte(0x88), b0)
		code = StatusCode(p[0])<<8 | StatusCode(p[1])
	})
	return code, err
}

// TestCompressedBroken: what does not inflate, or inflates to what is no text, is
// answered with 1007, before a byte of it is delivered, in one frame or many.
func TestCompressedBroken(t *testing.T) {
	for _, row := range []struct {
		name, wire string
		want       error
		code       StatusCode
	}{
		{"block type 11", "ff ff ff ff", errDeflate, 1007},
		{"cut off", "f2 48 cd c9", errDeflate, 1007},
		{"a distance before the beginning", "f2 00 11 00 00", errDeflate, 1007},
		{"stored, of another length", "00 05 00 00 00 48 65 6c 6c 6f 00", errDeflate, 1007},
		{"garbage behind BFINAL", "f3 48 cd c9 c9 07 00 ff ff ff", errDeflate, 1007},
		{"text that is none", "00 02 00 fd ff c3 28 00", errUTF8, 1007},
		{"text that ends in a rune", "00 01 00 fe ff c3 00", errUTF8, 1007},
	} {
		for _, role := range bothRoles {
			for _, size := range []int{1, 100} {
				code, err := failsWith(t, role, Options{}, func(f *far) (in []byte) {
					pieces := slices.Collect(slices.Chunk(unhex(row.wire), size))
					for i, p := range pieces {
						b0 := byte(0)
						if i == 0 {
							b0 = 0x41
						}
						if i == len(pieces)-1 {
							b0 |= 0x80
						}
						in = append(in, f.frame(b0, p)...)
					}
					return in
				})
				require.ErrorIs(t, err, row.want, row.name)
				require.Equal(t, row.code, code, row.name)
			}
		}
	}
}

// TestCompressedOdd: what is unusual and legal.
func TestCompressedOdd(t *testing.T) {
	for _, row := range []struct{ name, wire, want string }{
		{"no bytes at all", "", ""},
		{"empty", "00", ""},
		{"empty, of an empty fixed block", "02 00", ""},
		{"BFINAL", "f3 48 cd c9 c9 07 00 00", "Hello"},
		{"BFINAL, and nothing more", "f3 48 cd c9 c9 07 00", "Hello"},
		{"a block behind BFINAL", "f3 48 cd c9 c9 07 00 f2 48 cd c9 c9 07 00", "HelloHello"},
		{"empty blocks before", "02 00 00 00 ff ff 00 00 00 ff ff f2 48 cd c9 c9 07 00", "Hello"},
	} {
		for _, role := range bothRoles {
			c, s, f := compressed(t, role, "", Options{})
			s.in = append(f.frame(0xC1, unhex(row.wire)), f.frame(0x81, []byte("next"))...)
			for _, want := range []string{row.want, "next"} {
				_, got, err := c.Next(ctxBackground)
				require.NoError(t, err, row.name)
				require.Equal(t, want, string(got), row.name)
			}
		}
	}
}

// TestCompressedUnasked: RSV1 without permessage-deflate is 1002 (RFC 6455,
// section 5.2), and nothing is inflated.
func TestCompressedUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tape{in: (&far{role: RoleClient}).frame(0xC1, unhex("f2 48 cd c9 c9 07 00"))}
		c, err := NewConn(s, Handshake{Role: RoleClient}, &Options{Compression: &Compression{}})
		require.NoError(t, err)
		defer c.CloseNow()
		_, _, err = c.Next(ctxBackground)
		var broken *ProtocolError
		require.ErrorAs(t, err, &broken)
		require.Equal(t, StatusProtocolError, broken.Code)
		require.Nil(t, c.inflate)
	})
	for _, extensions := range []string{"permessage-deflate; x", "permessage-deflate, permessage-deflate", "x", "x;"} {
		_, err := NewConn(&tape{}, Handshake{Extensions: extensions}, &Options{Compression: &Compression{}})
		require.Error(t, err, extensions)
	}
	_, err := NewConn(&tape{}, Handshake{Extensions: "permessage-deflate"}, nil)
	require.Same(t, errExtensionUnasked, err)
}

// TestCompressedLimit: ReadLimit counts inflated bytes: a message of exactly so
// many is delivered, one byte more is 1009; MaxRatio is 1008.
func TestCompressedLimit(t *testing.T) {
	for _, limit := range []int64{1, 100, 4096, 65536, 65537, 1 << 20} {
		for _, row := range []struct {
			size  int64
			ratio int
			want  error
			code  StatusCode
		}{
			{limit + 1, 0, &MessageTooBigError{Limit: limit}, 1009},
			{limit + 100000, 5000, &MessageTooBigError{Limit: limit}, 1009},
			{1 << 16, 10, errRatio, 1008},
		} {
			if row.code == 1008 && limit < 1<<16 {
				continue
			}
			code, err := failsWith(t, RoleServer, Options{ReadLimit: limit, Compression: &Compression{MaxRatio: row.ratio, ReceiveTakeover: true}},
				func(f *far) []byte {
					p := f.deflate(make([]byte, limit))
					in := f.frame(0x82, make([]byte, limit)) // and plain
					if row.ratio == 0 && int64(len(p)) <= limit {
						in = append(in, f.frame(0xC2, p)...) // these are delivered
					} else {
						f.w = nil
					}
					return append(in, f.frame(0xC2, f.deflate(make([]byte, row.size)))...)
				})
			if wire := len((&far{}).deflate(make([]byte, row.size))); int64(wire) > limit {
				continue // too long already as it comes
			}
			require.Equal(t, row.want, errors.Unwrap(wrapped(err)), "limit %d", limit)
			require.Equal(t, row.code, code)
		}
	}
}

// wrapped makes err something that can be unwrapped to what the tables name.
func wrapped(err error) error {
	var big *MessageTooBigError
	var broken *ProtocolError
	switch {
	case errors.As(err, &big):
		return &CloseError{Err: big}
	case errors.As(err, &broken):
		return &CloseError{Err: broken}
	}
	return err
}

// bomb is 1 GiB of zeros in less than 1 MiB: sixty-four times the same 16 MiB.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	zeros := make([]byte, 1<<20)
	for range 16 {
		w.Write(zeros)
	}
	w.Flush()
	return bytes.TrimSuffix(bytes.Repeat(b.Bytes(), 64), unhex("0000ffff"))
})

// weighed is a codec that notes what inflating costs beyond the wire's bytes.
type weighed struct {
	codec
	room  int    // given to it
	spent uint64 // allocated in it
	after func()
}

func (w *weighed) AppendInflate(dst, dict, src []byte, limit int) ([]byte, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b, err := w.codec.AppendInflate(dst, dict, src, limit)
	runtime.ReadMemStats(&after)
	w.room, w.spent = cap(dst), after.TotalAlloc-before.TotalAlloc
	if w.after != nil {
		w.after()
	}
	return b, err
}

// TestCompressedBomb: a frame of 1 MiB that is 1 GiB ends in 1009, and has not cost
// more than the limit and a little.
func TestCompressedBomb(t *testing.T) {
	require.Less(t, len(bomb()), 1<<20)
	for _, limit := range []int64{1 << 16, 1 << 20, 16 << 20} {
		for _, frames := range []int{1, 1000} {
			w := &weighed{}
			code, err := failsWith(t, RoleClient, Options{ReadLimit: limit, Compression: &Compression{Codec: w}}, func(f *far) []byte {
				pieces := slices.Collect(slices.Chunk(bomb(), (len(bomb())+frames-1)/frames))
				in := f.frame(0x42, pieces[0])
				for _, p := range pieces[1:] {
					in = append(in, f.frame(0, p)...)
				}
				return append(in, f.frame(0x80, nil)...)
			})
			require.Equal(t, &MessageTooBigError{Limit: limit}, errors.Unwrap(wrapped(err)))
			require.EqualValues(t, 1009, code)
			t.Logf("limit %d: %d bytes given, %d allocated", limit, w.room, w.spent)
			require.LessOrEqual(t, uint64(w.room)+w.spent, uint64(limit)+256<<10)
		}
	}
}

// TestCompressedBombs: 100 at once, all of them stopped at the moment at which
// they hold the most. Beyond the bytes that came, each may hold the limit and
// 256 KiB.
func TestCompressedBombs(t *testing.T) {
	const count, limit = 100, 1 << 20
	data := (&far{role: RoleClient}).frame(0xC2, bomb())
	var arrived, done sync.WaitGroup
	arrived.Add(count)
	done.Add(count)
	measured := make(chan struct{})
	conns, arrives := make([]*Conn, count), make([]func(), count)
	for i := range conns {
		arrive := sync.OnceFunc(arrived.Done)
		w := &weighed{after: func() {
			arrive()
			<-measured
		}}
		c, s, _ := compressed(t, RoleClient, "", Options{ReadLimit: limit, Compression: &Compression{Codec: w}})
		s.in, conns[i], arrives[i] = data, c, arrive
	}
	before := heap()
	for i, c := range conns {
		go func() {
			defer done.Done()
			defer arrives[i]() // also if it never came to inflating
			_, _, err := c.Next(ctxBackground)
			var big *MessageTooBigError
			if !errors.As(err, &big) {
				t.Errorf("not too big: %v", err)
			}
		}()
	}
	arrived.Wait()
	each := (heap() - before) / count
	close(measured)
	done.Wait()
	t.Logf("%d bytes each, of which %d came over the wire", each, len(bomb()))
	require.Less(t, each, int64(2*len(bomb())+limit+256<<10))
	require.Less(t, each, int64(1<<20+limit/2), "and is far from it: a bomb is known before there is room for it")
}

// heap returns what is alive, without what pools keep.
func heap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestCompressIdle: an idle connection with takeover keeps its two windows and at
// most 1 KiB more than one without compression; without takeover no window.
func TestCompressIdle(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector's own memory cannot be told from ours")
	}
	const count = 200
	text := []byte(strings.Repeat("idle ", 20000))
	idle := func(agreed string, z *Compression) int64 {
		conns, far := make([]*Conn, count), &far{t: t, role: RoleServer}
		in := far.frame(0xC1, far.deflate(text))
		if z == nil {
			in = far.frame(0x81, text)
		}
		before := heap()
		for i := range conns {
			s := &tape{}
			c, err := NewConn(s, Handshake{Role: RoleServer, Extensions: agreed}, &Options{Compression: z})
			require.NoError(t, err)
			s.in = in
			_, p, err := c.Next(ctxBackground)
			require.NoError(t, err)
			require.NoError(t, c.Write(ctxBackground, Text, p))
			c.reading.Lock() // as the next read does, before it waits
			c.expireLent()
			c.reading.Unlock()
			s.in, s.out, conns[i] = nil, nil, c
		}
		each := (heap() - before) / count
		for _, c := range conns {
			c.CloseNow()
		}
		return each
	}
	takeover := &Compression{SendTakeover: true, ReceiveTakeover: true}
	idle("", nil) // meanwhile what other tests have left goes
	none := idle("", nil)
	for _, row := range []struct {
		agreed  string
		z       *Compression
		windows int64
	}{
		{"permessage-deflate; server_no_context_takeover; client_no_context_takeover", &Compression{}, 0},
		{"permessage-deflate; client_no_context_takeover", takeover, 32 << 10},
		{"permessage-deflate", takeover, 64 << 10},
		{"permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", takeover, 8 << 10},
		{"permessage-deflate; server_max_window_bits=9; client_max_window_bits=9", takeover, 1 << 10},
	} {
		more := idle(row.agreed, row.z) - none
		t.Logf("%s: %d bytes more than the %d of a connection without", row.agreed, more, none)
		require.LessOrEqual(t, more, row.windows+1<<10, row.agreed)
		require.GreaterOrEqual(t, more, row.windows, row.agreed)
	}
}

// TestCompressAllocations: a message costs no allocation, each way, once the
// buffers have found their size, also where sizes alternate.
func TestCompressAllocations(t *testing.T) {
	ticks := bytes.Join(corpus(t, "ticks.json"), []byte(","))
	for _, agreed := range []string{"", "; server_no_context_takeover; client_no_context_takeover"} {
		for _, sizes := range [][]int{{130}, {2000}, {40000}, {200, 40000, 130}} {
			c, s, f := compressed(t, RoleServer, agreed, Options{})
			var frames [][]byte
			for range 50 {
				for _, size := range sizes {
					frames = append(frames, f.frame(0xC1, f.deflate(ticks[:size])))
				}
			}
			at := 0
			room := make([]byte, 0, 1<<20)
			round := func() {
				for range sizes {
					// The mask comes off in place, in a copy.
					s.in, s.out = append(room[:0], frames[at]...), room[1<<19:1<<19]
					at++
					op, p, err := c.Next(ctxBackground)
					if err == nil {
						err = c.Write(ctxBackground, op, p)
					}
					if err != nil {
						panic(err)
					}
				}
			}
			for range 20 {
				round()
			}
			allocs := testing.AllocsPerRun(20, round)
			if !raceDetector && !poisoning {
				require.Zero(t, allocs, "%d bytes%s", sizes, agreed)
			}
		}
	}
}
