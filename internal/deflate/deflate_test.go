package deflate

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

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

// checkDeflate compresses src and compares what compress/flate and
// AppendInflate make of it.
func checkDeflate(t testing.TB, dict, src []byte, bits, level int) []byte {
	p := AppendDeflate([]byte("prefix"), dict, src, bits, level)
	require.Equal(t, "prefix", string(p[:6]))
	p = p[6:]
	require.LessOrEqual(t, len(p), len(src)+len(src)/4096+16)
	want, ok := oracleInflate(dict, p)
	if !ok || !bytes.Equal(want, src) {
		t.Fatalf("bits %d level %d: compress/flate reads %d bytes, %v\ndict %x\nsrc %x\nout %x", bits, level, len(want), ok, dict, src, p)
	}
	got, err := AppendInflate(nil, dict, p, len(src))
	require.NoError(t, err)
	require.True(t, bytes.Equal(got, src))
	return p
}

func TestDeflateCorpora(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range corpora(t) {
		for range 100 {
			for level := Fast; level <= Better; level++ {
				from := r.IntN(len(c.data))
				mid := from + r.IntN(len(c.data)-from)
				to := mid + r.IntN(len(c.data)-mid)
				checkDeflate(t, c.data[from:mid], c.data[mid:to], 8+r.IntN(8), level)
			}
		}
	}
}
