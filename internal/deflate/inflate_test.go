package deflate

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// This file holds the tests of AppendInflate with streams from elsewhere: the
// examples of RFC 7692, streams written bit by bit, compress/flate and zlib.

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// flateMessage compresses the way of a pooled compress/flate writer.
func flateMessage(t testing.TB, level int, p []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	require.NoError(t, err)
	_, err = w.Write(p)
	require.NoError(t, err)
	require.NoError(t, w.Flush())
	return bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
}

// RFC 7692 7.2.3.
func TestInflateExamples(t *testing.T) {
	for _, tc := range []struct {
		name, dict, in, want string
	}{
		{"one block, 7.2.3.1", "", "f2 48 cd c9 c9 07 00", "Hello"},
		{"shared window, 7.2.3.2", "Hello", "f2 00 11 00 00", "Hello"},
		{"stored, 7.2.3.3", "", "00 05 00 fa ff 48 65 6c 6c 6f 00", "Hello"},
		{"final block, 7.2.3.4", "", "f3 48 cd c9 c9 07 00 00", "Hello"},
		{"two blocks, 7.2.3.5", "", "f2 48 05 00 00 00 ff ff ca c9 c9 07 00", "Hello"},
		{"empty, 7.2.3.6", "", "00", ""},
		{"nothing at all", "", "", ""},
		{"final block and nothing else", "", "f3 48 cd c9 c9 07 00", "Hello"},
		{"final block, then another", "", "f3 48 cd c9 c9 07 00 f2 48 cd c9 c9 07 00", "HelloHello"},
		{"final block that goes back into the window", "Hello", "f3 00 11 00 00", "Hello"},
		{"final block, then one that goes back behind it", "", "f3 48 cd c9 c9 07 00 f2 00 11 00 00", "HelloHello"},
		{"two final blocks", "", "f3 48 cd c9 c9 07 00 f3 48 cd c9 c9 07 00", "HelloHello"},
		{"final block whose tail was left out", "", "f2 48 cd c9 c9 07 00 00 00 ff ff 01", "Hello"},
		{"empty blocks", "", "00 00 00 ff ff 00 00 00 ff ff 02 00 00 00 ff ff 00", ""},
		{"stored block that includes the tail", "", "00 04 00 fb ff", "\x00\x00\xff\xff"},
		{"stored block that includes some of the tail", "", "00 06 00 f9 ff 31 32", "12\x00\x00\xff\xff"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := AppendInflate([]byte("before"), []byte(tc.dict), unhex(t, tc.in), len(tc.want))
			require.NoError(t, err)
			require.Equal(t, "before"+tc.want, string(got))
		})
	}
}

func TestInflateCorrupt(t *testing.T) {
	for _, tc := range []struct{ name, dict, in string }{
		{"reserved type of block", "", "ff ff ff ff"},
		{"reserved type of block, last", "", "06"},
		{"header that is not whole", "", "f2 48 cd c9 c9 07"},
		{"end of block missing", "", "f2 48 cd c9 c9"},
		{"symbol that is not whole", "", "f2 48"},
		{"final block, garbage", "", "f3 48 cd c9 c9 07 00 ff ff ff ff ff ff ff"},
		{"final block, garbage that begins well", "", "f3 48 cd c9 c9 07 00 00 01"},
		{"final block that ends in the tail", "", "f3 48 cd c9 c9"},
		{"final stored block with bytes of the tail", "", "01 02 00 fd ff"},
		{"stored length against its complement", "", "00 05 00 fa fe 48 65 6c 6c 6f 00"},
		{"stored block too short", "", "00 ff ff 00 00 48 65"},
		{"stored length too short", "", "00 05"},
		{"distance beyond the message", "", "f2 00 11 00 00"},
		{"distance beyond the window", "ell", "f2 00 11 00 00"},
		{"whole but for the byte that the tail needs", "", "00 05 00 fa ff 48 65 6c 6c 6f"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, ok := oracleInflate([]byte(tc.dict), unhex(t, tc.in))
			require.False(t, ok, "the oracle takes it")
			for _, room := range []int{0, 4 << 10} {
				dst := append(make([]byte, 0, room), "before"...)
				got, err := AppendInflate(dst, []byte(tc.dict), unhex(t, tc.in), -1)
				require.Equal(t, ErrCorrupt, err)
				require.Equal(t, "before", string(got))
			}
		})
	}
}

// dynamicBlock begins a dynamic block with the given code lengths, which are
// all sent as they are, in a code of four bits for 0 to 15.
func dynamicBlock(final int, lit, dist []int) *bitString {
	s := new(bitString).put(final, 1).put(2, 2).put(len(lit)-257, 5).put(len(dist)-1, 5).put(15, 4)
	for _, sym := range codeLenOrder {
		if sym < 16 {
			s.put(4, 3)
		} else {
			s.put(0, 3)
		}
	}
	for _, l := range append(lit[:len(lit):len(lit)], dist...) {
		s.code(l, 4)
	}
	return s
}

// lengthsOf returns n code lengths that are zero but for those given.
func lengthsOf(n int, given map[int]int) []int {
	l := make([]int, n)
	for i, v := range given {
		l[i] = v
	}
	return l
}

func TestInflateDynamicHeaders(t *testing.T) {
	// 'a' is 0, the end 10, length 258 is 11.
	lit := lengthsOf(286, map[int]int{'a': 1, 256: 2, 285: 2})
	end := func(s *bitString) []byte { return s.code(0b10, 2).put(0, 3).b }
	raw := func(nlit, ndist int) *bitString {
		return new(bitString).put(0, 1).put(2, 2).put(nlit, 5).put(ndist, 5).put(15, 4)
	}
	// codeLengths sends the lengths of a code length code.
	codeLengths := func(s *bitString, given map[int]int) *bitString {
		for _, sym := range codeLenOrder {
			s.put(given[int(sym)], 3)
		}
		return s
	}
	long := map[int]int{256: 15}
	for i := range 14 {
		long['a'+i] = i + 1
	}
	long['z'] = 15
	// The end is fourteen ones: it comes in ff ff, after many a 0.
	almost := map[int]int{'z': 14, 256: 14}
	for i := range 13 {
		almost['a'+i] = i + 1
	}
	for _, tc := range []struct {
		name string
		in   []byte
		want string
		ok   bool
	}{
		{"no distances", end(dynamicBlock(0, lit, []int{0}).code(0, 1)), "a", true},
		{"one distance, 0", end(dynamicBlock(0, lit, []int{1}).code(0, 1).code(0b11, 2).code(0, 1)), strings.Repeat("a", 259), true},
		{"one distance, 1", end(dynamicBlock(0, lit, []int{1}).code(0, 1).code(0b11, 2).code(1, 1)), "", false},
		{"one distance of two bits", end(dynamicBlock(0, lit, []int{2}).code(0, 1)), "", false},
		{"a match without distances", end(dynamicBlock(0, lit, []int{0}).code(0, 1).code(0b11, 2)), "", false},
		{"too many lengths", end(dynamicBlock(0, lengthsOf(287, map[int]int{'a': 1, 256: 2, 285: 2}), []int{0}).code(0, 1)), "", false},
		{"too many distances", end(dynamicBlock(0, lit, lengthsOf(31, map[int]int{0: 1})).code(0, 1)), "", false},
		{"oversubscribed", end(dynamicBlock(0, lengthsOf(257, map[int]int{'a': 1, 'b': 1, 256: 1}), []int{0}).code(0, 1)), "", false},
		{"incomplete", end(dynamicBlock(0, lengthsOf(257, map[int]int{'a': 2, 256: 2}), []int{0}).code(0, 1)), "", false},
		{"nothing but an end", dynamicBlock(0, lengthsOf(257, map[int]int{256: 1}), []int{0}).code(0, 1).put(0, 3).b, "", true},
		{"nothing but an end, its code unused", dynamicBlock(0, lengthsOf(257, map[int]int{256: 1}), []int{0}).code(1, 1).put(0, 3).b, "", false},
		{"no end", dynamicBlock(0, lengthsOf(257, map[int]int{'a': 1, 'b': 1}), []int{0}).code(0, 1).put(0, 3).b, "", false},
		{"codes of 15 bits", dynamicBlock(0, lengthsOf(257, long), []int{0}).code(1<<15-1, 15).code(1<<15-4, 14).code(1<<15-2, 15).put(0, 3).b, "", false},
		{"codes of 15 bits, in order", dynamicBlock(0, lengthsOf(257, long), []int{0}).code(1<<15-2, 15).code(1<<14-2, 14).code(1<<15-1, 15).put(0, 3).b, "zn", true},
		{"end in the tail, two bits before its end", dynamicBlock(0, lengthsOf(257, almost), []int{0}).b, "", false},
		{"code lengths oversubscribed", codeLengths(raw(0, 0), map[int]int{1: 1, 2: 1, 3: 1}).put(0, 64).b, "", false},
		{"code lengths not used", codeLengths(raw(0, 0), map[int]int{}).put(0, 64).b, "", false},
		{"repetition of nothing", codeLengths(raw(0, 0), map[int]int{16: 1, 1: 1}).code(1, 1).put(0, 64).b, "", false},
		{"repetition beyond the end", codeLengths(raw(0, 0), map[int]int{18: 1, 1: 1}).code(1, 1).put(127, 7).code(1, 1).put(127, 7).put(0, 64).b, "", false},
		{"code lengths cut off", dynamicBlock(0, lit, []int{0}).b[:60], "", false},
		{"code length code cut off", dynamicBlock(0, lit, []int{0}).b[:6], "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, ok := oracleInflate(nil, tc.in)
			require.Equal(t, tc.ok, ok, "of the oracle")
			got, err := AppendInflate(nil, nil, tc.in, -1)
			if !tc.ok {
				require.Equal(t, ErrCorrupt, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, string(got))
			checkInflate(t, nil, tc.in, 1)
		})
	}
}

// Symbols that are in the fixed codes but never occur (RFC 1951 3.2.6), where
// there is room for the inner loop and where there is not.
func TestInflateFixedReserved(t *testing.T) {
	head := func() *bitString { return new(bitString).put(0, 1).put(1, 2).code(0x30+'a', 8) }
	for name, in := range map[string][]byte{
		"length 286":  head().code(0b11000110, 8).code(0, 5).put(0, 200).b,
		"length 287":  head().code(0b11000111, 8).code(0, 5).put(0, 200).b,
		"distance 30": head().code(0b0000001, 7).code(30, 5).put(0, 200).b,
		"distance 31": head().code(0b0000001, 7).code(31, 5).put(0, 200).b,
	} {
		for _, room := range []int{0, 10, 4 << 10} {
			_, err := AppendInflate(make([]byte, 0, room), nil, in, -1)
			require.Equal(t, ErrCorrupt, err, name)
		}
	}
}

// zlibVectors calls f with each message of testdata/zlib.txt.
func zlibVectors(t testing.TB, f func(name string, dict, want, payload []byte)) {
	b, err := os.ReadFile(filepath.Join("testdata", "zlib.txt"))
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		var name, file, payload string
		var from, mid, to int
		_, err := fmt.Sscan(line, &name, &file, &from, &mid, &to, &payload)
		require.NoError(t, err)
		data, err := os.ReadFile(filepath.Join("testdata", "corpus", file))
		require.NoError(t, err)
		f(name, data[from:mid], data[mid:to], unhex(t, payload))
	}
}

func TestInflateZlib(t *testing.T) {
	n := 0
	zlibVectors(t, func(name string, dict, want, payload []byte) {
		n++
		for _, room := range []int{0, len(want), len(want) + slack} {
			got, err := AppendInflate(make([]byte, 0, room), dict, payload, len(want))
			require.NoError(t, err, name)
			require.True(t, bytes.Equal(want, got), name)
		}
		_, err := AppendInflate(nil, dict, payload, len(want)-1)
		require.Equal(t, ErrTooLarge, err, name)
	})
	require.Greater(t, n, 150)
}

// A payload cut short is corrupt wherever it is cut, but behind a whole block
// that leaves room for the header of the next in its last byte.
func TestInflateTruncated(t *testing.T) {
	for _, c := range corpora(t) {
		for _, level := range []int{1, 6} {
			p := flateMessage(t, level, c.data[:600])
			for i := 1; i < len(p); i++ {
				checkInflate(t, nil, p[:i], i)
			}
		}
	}
}

// bomb is a stream of n bytes, about, that inflates to 1032 times as much: a
// literal, and matches of two bits each, which are all zero.
func bomb(n int) []byte {
	lit := lengthsOf(286, map[int]int{0: 2, 256: 2, 285: 1})
	s := dynamicBlock(0, lit, []int{1}).code(0b10, 2)
	s.b = append(s.b, make([]byte, n)...)
	s.n = 8 * len(s.b)
	return s.code(0b11, 2).put(0, 3).b
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestInflateBomb(t *testing.T) {
	const mib = 1 << 20
	b := bomb(mib)
	require.Less(t, len(b), mib+400)
	for _, limit := range []int{0, 1, 64 << 10, mib, 16 * mib} {
		for _, room := range []int{0, 4 << 10, 64 << 10, mib} {
			dst := make([]byte, 0, room)
			n := allocated(func() {
				_, err := AppendInflate(dst, nil, b, limit)
				require.Equal(t, ErrTooLarge, err)
			})
			// Not even the limit: what passes it is found out before.
			require.Less(t, n, uint64(256<<10), "limit %d, room %d", limit, room)
		}
	}
	// The whole of a smaller one takes its own size, not twice that.
	b = bomb(16 << 10)
	var got []byte
	n := allocated(func() {
		var err error
		got, err = AppendInflate(nil, nil, b, 64*mib)
		require.NoError(t, err)
	})
	require.Greater(t, len(got), 16*mib)
	require.Equal(t, len(got), bytes.Count(got, []byte{0}))
	require.Less(t, n, uint64(len(got)+256<<10))
}

// The room that is made never exceeds the limit by more than the slack, nor
// twice the message.
func TestInflateGrowth(t *testing.T) {
	for _, size := range []int{1, 100, 5000, 70_000, 300_000} {
		want := bytes.Repeat([]byte("0123456789 abcdef"), size/17+1)[:size]
		p := flateMessage(t, 6, want)
		for _, limit := range []int{-1, size, size + 1, 2 * size} {
			got, err := AppendInflate([]byte("before"), nil, p, limit)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got[6:]))
			if limit < 0 {
				limit = math.MaxInt / 2
			}
			require.LessOrEqual(t, cap(got), (6+min(limit, max(2*size, 512))+slack)*9/8, "size %d, limit %d", size, limit)
		}
	}
}

func TestInflateAllocs(t *testing.T) {
	d := new(decoder)
	dst := make([]byte, 0, 8<<10)
	p := flateMessage(t, 6, corpora(t)[0].data[:4<<10])
	require.Zero(t, testing.AllocsPerRun(100, func() {
		d.reset(dst, nil, p, -1)
		require.NoError(t, d.run())
	}))
}
