// Masking (RFC 6455, section 5.3) against a loop over bytes: every offset, length and position, in place and copying,
// with each of the kernels that the machine can run.

package websocket

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// maskVariants are the ways to mask that this machine has; use makes one the choice of Mask until the test ends. Those
// of amd64 are added by its own file; elsewhere the choice is made by the compiler.
var maskVariants = []maskVariant{{name: "the default", use: func(testing.TB) {}}}

type maskVariant struct {
	name string
	use  func(testing.TB)
}

func forEachMask(t *testing.T, test func(t *testing.T)) {
	for _, v := range maskVariants {
		t.Run(v.name, func(t *testing.T) {
			v.use(t)
			test(t)
		})
	}
}

// maskSlowly is the formula of the RFC.
func maskSlowly(dst, src []byte, key [4]byte, pos int) {
	for i := range src {
		dst[i] = src[i] ^ key[(i+pos)&3]
	}
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// RFC 6455, section 5.7: "A single-frame masked text message", 0x81 0x85 0x37 0xfa 0x21 0x3d 0x7f 0x9f 0x4d 0x51 0x58,
// contains "Hello".
func TestMaskOfTheRFC(t *testing.T) {
	wire, err := hex.DecodeString("7f9f4d5158")
	require.NoError(t, err)
	text := make([]byte, 5)
	Mask(text, wire, [4]byte{0x37, 0xfa, 0x21, 0x3d}, 0)
	require.Equal(t, "Hello", string(text))
	Mask(text, text, [4]byte{0x37, 0xfa, 0x21, 0x3d}, 0)
	require.Equal(t, wire, text)
}

// Bytes around the payload are compared too: none of them may change. The loop over bytes masks the whole once for each
// turn of the key; what is expected of a part is cut from that.
func TestMaskEveryShortCase(t *testing.T) {
	const maxLen, edge = 300, 64
	r := rand.New(rand.NewPCG(6455, 53))
	key := [4]byte(randomBytes(r, 4))
	whole := randomBytes(r, edge+maxLen+edge)
	var masked [4][]byte
	for turn := range masked {
		masked[turn] = make([]byte, len(whole))
		maskSlowly(masked[turn], whole, key, turn)
	}
	got, want := make([]byte, len(whole)), make([]byte, len(whole))
	forEachMask(t, func(t *testing.T) {
		for off := range edge {
			for n := range maxLen + 1 {
				for pos := range 4 {
					src, expected := whole[off:off+n], masked[(pos-off)&3][off:off+n]

					copy(got, whole)
					copy(want, whole)
					copy(want[off:], expected)
					Mask(got[off:off+n], got[off:off+n], key, pos)
					if !bytes.Equal(want, got) {
						t.Fatalf("in place: offset %d, length %d, pos %d", off, n, pos)
					}

					to := (off*5 + n) % edge
					copy(got, whole[1:])
					copy(want, whole[1:])
					copy(want[to:], expected)
					Mask(got[to:], src, key, pos)
					if !bytes.Equal(want, got) {
						t.Fatalf("copying: offset %d to %d, length %d, pos %d", off, to, n, pos)
					}
				}
			}
		}
	})
}

func TestMaskLongPayloads(t *testing.T) {
	r := rand.New(rand.NewPCG(6455, 54))
	whole := randomBytes(r, 40_000)
	got, want := make([]byte, len(whole)), make([]byte, len(whole))
	forEachMask(t, func(t *testing.T) {
		for range 300 {
			n := 300 + r.IntN(5000)
			if r.IntN(20) == 0 {
				n = r.IntN(len(whole) - 128)
			}
			off, to, pos := r.IntN(128), r.IntN(128), r.IntN(1<<20)
			key := [4]byte(randomBytes(r, 4))
			copy(got, whole[2:])
			copy(want, whole[2:])
			maskSlowly(want[to:], whole[off:off+n], key, pos)
			Mask(got[to:to+n], whole[off:off+n], key, pos)
			require.True(t, bytes.Equal(want, got), "copying: offset %d to %d, length %d, pos %d, key %x", off, to, n, pos, key)

			copy(want, got)
			maskSlowly(want[off:], got[off:off+n], key, pos)
			Mask(got[off:off+n], got[off:off+n], key, pos)
			require.True(t, bytes.Equal(want, got), "in place: offset %d, length %d, pos %d, key %x", off, n, pos, key)
		}
	})
}

// A payload masked in pieces is the payload masked at once.
func TestMaskInPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(6455, 55))
	key := [4]byte{1, 2, 4, 0x88}
	forEachMask(t, func(t *testing.T) {
		for range 1000 {
			src := randomBytes(r, r.IntN(1000))
			want := make([]byte, len(src))
			maskSlowly(want, src, key, 0)
			for pos := 0; pos < len(src); {
				n := min(len(src)-pos, r.IntN(200))
				Mask(src[pos:pos+n], src[pos:pos+n], key, pos)
				pos += n
			}
			require.Equal(t, want, src)
		}
	})
}

// Only the two lowest bits of pos count.
func TestMaskPositions(t *testing.T) {
	key := [4]byte{1, 2, 4, 0x88}
	src := []byte("any position whatsoever")
	for _, pos := range []int{5, math.MaxInt, math.MaxInt - 1, math.MaxInt32, 1 << 30, -1, -6, math.MinInt} {
		want, got := make([]byte, len(src)), make([]byte, len(src))
		maskSlowly(want, src, key, pos&3)
		Mask(got, src, key, pos)
		require.Equal(t, want, got, "pos %d", pos)
	}
}

func TestMaskPanicsIfDstIsShorter(t *testing.T) {
	forEachMask(t, func(t *testing.T) {
		for _, n := range []int{1, 7, 20, 100} {
			dst := make([]byte, 2*n)
			require.Panics(t, func() { Mask(dst[:n-1], make([]byte, n), [4]byte{1, 2, 3, 4}, 0) })
			require.Equal(t, make([]byte, 2*n), dst, "capacity is not length")
		}
		require.NotPanics(t, func() { Mask(nil, nil, [4]byte{1, 2, 3, 4}, 0) })
	})
}

// A buffer on the stack stays there.
func TestMaskDoesNotAllocate(t *testing.T) {
	forEachMask(t, func(t *testing.T) {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			var buf [200]byte
			Mask(buf[:], buf[:], [4]byte{1, 2, 3, 4}, 1)
		}))
	})
}

func FuzzMask(f *testing.F) {
	f.Add([]byte("Hello"), uint32(0x37fa213d), 0, uint8(0))
	f.Add(bytes.Repeat([]byte("0123456789"), 70), uint32(0x80000001), 3, uint8(61))
	f.Fuzz(func(t *testing.T, src []byte, k uint32, pos int, off uint8) {
		key := [4]byte{byte(k >> 24), byte(k >> 16), byte(k >> 8), byte(k)}
		want := make([]byte, len(src))
		maskSlowly(want, src, key, pos&3)
		guarded := make([]byte, int(off)+len(src)+64)
		forEachMask(t, func(t *testing.T) {
			clear(guarded)
			at := guarded[off : int(off)+len(src)]
			Mask(at, src, key, pos)
			require.Equal(t, want, at)
			Mask(at, at, key, pos)
			require.Equal(t, src, at)
			clear(at)
			require.Equal(t, make([]byte, len(guarded)), guarded)
		})
	})
}

// BenchmarkMask masks payloads that are not the ones masked just before, as in life, and compares with copy.
func BenchmarkMask(b *testing.B) {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	for _, way := range []struct {
		name string
		mask func(dst, src []byte)
	}{
		{"in-place", func(_, src []byte) { Mask(src, src, key, 0) }},
		{"copying", func(dst, src []byte) { Mask(dst, src, key, 0) }},
		{"copy()", func(dst, src []byte) { copy(dst, src) }},
	} {
		for _, n := range []int{2, 8, 12, 16, 24, 31, 32, 64, 100, 125, 128, 256, 512, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s/%d", way.name, n), func(b *testing.B) {
				payloads := min(16, max(1, 16<<10/n))
				src, dst := make([]byte, payloads*n), make([]byte, payloads*n)
				b.SetBytes(int64(n))
				i := 0
				for b.Loop() {
					at := i % payloads * n
					way.mask(dst[at:at+n], src[at:at+n])
					i++
				}
			})
		}
	}
}
