package deflate

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// This file holds the tests of AppendDeflate. What it makes is read by
// compress/flate, by a decoder that checks its distances, and by AppendInflate.

// checkDeflate compresses src and has three decoders read the result.
func checkDeflate(t testing.TB, dict, src []byte, bits, level int) ([]byte, streamInfo) {
	p := AppendDeflate([]byte("before"), dict, src, bits, level)
	require.Equal(t, "before", string(p[:6]))
	p = p[6:]
	require.LessOrEqual(t, len(p), len(src)+len(src)/4096+16)
	if want, ok := oracleInflate(dict, p); !ok || !bytes.Equal(want, src) {
		t.Fatalf("compress/flate, bits %d, level %d: %d bytes, %v\ndict %x\nsrc %x\nout %x", bits, level, len(want), ok, dict, src, p)
	}
	got, err := AppendInflate(nil, dict, p, len(src))
	require.NoError(t, err)
	require.True(t, bytes.Equal(got, src))

	got, info, err := inspect(dict, p)
	require.NoError(t, err)
	require.True(t, bytes.Equal(got, src))
	require.LessOrEqual(t, info.maxDist, 1<<min(max(bits, 8), 15))
	return p, info
}

func FuzzDeflate(f *testing.F) {
	for _, c := range corpora(f) {
		f.Add(c.data[:300], c.data[300:700], uint8(15), uint8(1))
		f.Add(c.data[:3000], c.data[3000:4000], uint8(9), uint8(2))
		f.Add(c.data[:30], c.data[:10], uint8(8), uint8(2))
	}
	f.Fuzz(func(t *testing.T, dict, src []byte, bits, level uint8) {
		checkDeflate(t, dict, src, int(bits), int(level))
	})
}

func TestDeflateCorpora(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range corpora(t) {
		for bits := MinBits; bits <= MaxBits; bits++ {
			for level := Fast; level <= Better; level++ {
				for _, dict := range []int{0, 1, 3, 255, 256, 257, 1 << bits, 1<<bits + 1, 40000} {
					mid := min(dict+r.IntN(100), len(c.data)-400)
					checkDeflate(t, c.data[max(0, mid-dict):mid], c.data[mid:mid+1+r.IntN(400)], bits, level)
				}
			}
		}
	}
}

// noise returns n bytes that cannot be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{3}).Read(b)
	return b
}

// A repetition at every distance about the window's size: found as far as the
// window goes, never beyond it.
func TestDeflateWindow(t *testing.T) {
	// Values below 64, so that a match shows among literals that are coded.
	data := noise(80_000)
	for i := range data {
		data[i] &= 63
	}
	for bits := MinBits; bits <= MaxBits; bits++ {
		for level := Fast; level <= Better; level++ {
			for dist := 1<<bits - 8; dist <= 1<<bits+8; dist++ {
				src := append(bytes.Clone(data[:dist]), data[:64]...)
				p, info := checkDeflate(t, src[:dist], src[dist:], bits, level)
				if dist <= 1<<bits {
					require.LessOrEqual(t, len(p), 24, "bits %d level %d dist %d", bits, level, dist)
					require.Equal(t, dist, info.maxDist)
				}
				if dist%4 == 0 {
					_, info = checkDeflate(t, nil, src, bits, level)
					if level == Better && dist <= 1<<bits {
						require.GreaterOrEqual(t, info.maxDist, dist, "bits %d", bits)
					}
				}
			}
		}
	}
}

// Each type of block is chosen where it is the smallest, also after another.
func TestDeflateBlocks(t *testing.T) {
	all := corpora(t)
	ticks, random := all[0].data, all[4].data
	for level := Fast; level <= Better; level++ {
		_, info := checkDeflate(t, nil, []byte("Hello"), 15, level)
		require.Equal(t, [3]int{1, 1, 0}, info.blocks)
		_, info = checkDeflate(t, nil, ticks[:5000], 15, level)
		require.Equal(t, [3]int{1, 0, 1}, info.blocks)
		p, info := checkDeflate(t, nil, random[:5000], 15, level)
		require.Equal(t, [3]int{2, 0, 0}, info.blocks)
		require.Len(t, p, 1+4+5000+1) // the last is the header of the empty block

		mixed := append(append(bytes.Clone(ticks), noise(100_000)...), ticks...)
		p, info = checkDeflate(t, nil, mixed, 15, level)
		require.Greater(t, info.blocks[blockStored], 1)
		require.Greater(t, info.blocks[blockDynamic], 1)
		require.Less(t, len(p), 100_000+2*len(ticks)/3)
	}
}

// RFC 7692 7.2.3.1 and 7.2.3.6.
func TestDeflateExamples(t *testing.T) {
	for level := Fast; level <= Better; level++ {
		require.Equal(t, unhex(t, "f2 48 cd c9 c9 07 00"), AppendDeflate(nil, nil, []byte("Hello"), 15, level))
		require.Equal(t, []byte{1, 2, 0}, AppendDeflate([]byte{1, 2}, []byte("Hello"), nil, 15, level))
	}
}

// Values outside the documented ranges are taken as the nearest ones.
func TestDeflateParameters(t *testing.T) {
	data := corpora(t)[0].data
	for _, tc := range []struct{ bits, level, asBits, asLevel int }{
		{-1, 1, 8, 1}, {7, 2, 8, 2}, {16, 1, 15, 1}, {100, 2, 15, 2}, {12, 0, 12, 1}, {12, -3, 12, 1}, {12, 9, 12, 2},
	} {
		require.Equal(t, AppendDeflate(nil, data[:9000], data[9000:9900], tc.asBits, tc.asLevel),
			AppendDeflate(nil, data[:9000], data[9000:9900], tc.bits, tc.level))
	}
}

// Inputs for which blocks and matches become as large or as many as they can.
func TestDeflateExtremes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	fibonacci := func() []byte { // frequencies that make the longest codes
		var b []byte
		for a, c, sym := 1, 1, 0; len(b)+a < 30_000; a, c, sym = c, a+c, sym+1 {
			b = append(b, bytes.Repeat([]byte{byte(sym * 7)}, a)...)
		}
		r.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
		return b
	}
	short := func(n int) []byte { // matches of a few bytes, as many as there can be
		words := make([][]byte, 200)
		for i := range words {
			words[i] = []byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}[:3+i%2]
		}
		var b []byte
		for len(b) < n {
			b = append(b, words[r.IntN(len(words))]...)
		}
		return b
	}
	few := func(n, kinds int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.IntN(kinds))
		}
		return b
	}
	for name, src := range map[string][]byte{
		"one byte": {7}, "two bytes": {7, 7}, "three": {1, 1, 1}, "run": make([]byte, 200_000),
		"run of 258": make([]byte, 259), "fibonacci": fibonacci(), "short": short(150_000), "all values": few(100_000, 256),
		"bits": few(100_000, 2), "nibbles": few(70_000, 16), "block and one": few(blockMax+1, 250), "block": few(blockMax, 250),
	} {
		t.Run(name, func(t *testing.T) {
			for level := Fast; level <= Better; level++ {
				for _, dict := range [][]byte{nil, src[:len(src)/2], few(maxWindow, 256)} {
					checkDeflate(t, dict, src, MaxBits, level)
				}
			}
		})
	}
}

// Literal codes may be 14 bits long, so that frequencies which ask for more
// must be cut to a complete code.
func TestCodeLimit(t *testing.T) {
	var b codeBuilder
	for _, limit := range []int{7, maxLitBits, maxCodeBits} {
		var used []uint32
		for a, c, sym := uint32(1), uint32(1), uint32(0); a < 1<<16 && int(sym) < numCodeLen; a, c, sym = c, a+c, sym+1 {
			used = append(used, a<<symbolBits|sym)
		}
		var lengths [numCodeLen]uint8
		var codes [numCodeLen]code
		b.build(used, lengths[:], codes[:], limit)
		room := 1 << limit
		for i := range used {
			require.LessOrEqual(t, int(lengths[i]), limit)
			require.NotZero(t, lengths[i])
			room -= 1 << (limit - int(lengths[i]))
			if i > 0 {
				require.LessOrEqual(t, lengths[i], lengths[i-1], "more frequent, but longer")
			}
		}
		require.Zero(t, room)
	}
}

// Tables keep what they hold from one message to the next. It must not be seen,
// whatever came before, nor when the positions start again from the beginning.
func TestEncoderForgets(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	all := corpora(t)
	used := &encoder{next: firstBase}
	for i := range 3000 {
		c := all[r.IntN(len(all))].data
		from := r.IntN(len(c) - 10)
		mid := min(len(c), from+r.IntN(3000)*r.IntN(2))
		src := c[mid:min(len(c), mid+1+r.IntN(2000))]
		if len(src) == 0 {
			continue
		}
		bits, level := MinBits+r.IntN(8), Fast+r.IntN(2)
		if i%40 == 0 {
			used.next = math.MaxUint32 - uint32(r.IntN(1<<20))
		}
		dict := c[from:mid]
		if i%4 == 0 && len(used.joined) > 0 {
			// The end of what the tables know, of which this stream has no more.
			n := min(len(used.joined), 1+r.IntN(1<<bits))
			dict = bytes.Clone(used.joined[len(used.joined)-n:])
			src = append(dict[:n:n], used.joined[:min(len(used.joined), 500)]...)[n/2:]
		}
		fresh := &encoder{next: firstBase}
		want := fresh.append(nil, dict, src, bits, level)
		require.Equal(t, want, used.append(nil, dict, src, bits, level), "message %d", i)
	}
}

// A stream of messages whose window is still in the tables becomes the same as
// one of which each message goes to an encoder of its own.
func TestEncoderContinues(t *testing.T) {
	for _, c := range corpora(t) {
		for _, bits := range []int{8, 11, 15} {
			r := rand.New(rand.NewPCG(9, 10))
			used, continued := &encoder{next: firstBase}, 0
			for at := 0; at < len(c.data); {
				end := min(len(c.data), at+1+r.IntN(900))
				dict := c.data[max(0, at-1<<bits):at]
				if used.better = true; used.continues(dict, end-at) {
					continued++
				}
				fresh := &encoder{next: firstBase}
				want := fresh.append(nil, dict, c.data[at:end], bits, Better)
				require.Equal(t, want, used.append(nil, dict, c.data[at:end], bits, Better))
				at = end
			}
			require.Greater(t, continued, 30)
		}
	}
}

// What is searched in pieces is as good as what is searched in one.
func TestEncoderSegments(t *testing.T) {
	data := corpora(t)[0].data
	for level := Fast; level <= Better; level++ {
		for _, most := range []int{1, 7, 1000, 20_000} {
			e := &encoder{next: firstBase, window: 1 << 12, better: level == Better}
			e.message(data[:5000], data[5000:9000], most)
			e.message(nil, data[9000:12_000], most)
			got, info, err := inspect(data[:5000], e.w.syncFlush())
			require.NoError(t, err)
			require.True(t, bytes.Equal(data[5000:12_000], got))
			require.LessOrEqual(t, info.maxDist, 1<<12)
		}
		// A message too long to be joined with its dict as a whole.
		long := bytes.Repeat(data, 3)
		checkDeflate(t, data[:40_000], long, MaxBits, level)
	}
}

// dst is grown only if it lacks the room that is documented.
func TestDeflateAllocs(t *testing.T) {
	for _, c := range corpora(t) {
		for level := Fast; level <= Better; level++ {
			for _, dict := range [][]byte{nil, c.data[:2000]} {
				src := c.data[2000:6000]
				dst := make([]byte, 0, len(src)+len(src)/4096+32)
				e := &encoder{next: firstBase}
				require.Zero(t, testing.AllocsPerRun(20, func() { e.append(dst, dict, src, 15, level) }), c.name)
			}
		}
	}
}

// On ticks, with takeover, a stream is at most 5 % larger than that of zlib's
// level 6, whose sizes for these files zlib 1.2.13 gave.
func TestDeflateTakeoverRatio(t *testing.T) {
	for name, zlib := range map[string]int{"ticks.json": 10183, "chat.txt": 17003, "server.log": 12824} {
		for _, c := range corpora(t) {
			if c.name != name {
				continue
			}
			size, at := 0, 0
			for _, p := range c.messages(0) {
				size += len(AppendDeflate(nil, c.data[max(0, at-maxWindow):at], p, 15, Better))
				at += len(p)
			}
			require.Equal(t, len(c.data), at+1) // the last end of a line belongs to no message
			require.LessOrEqual(t, size, zlib*105/100, name)
		}
	}
}
