package deflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

var tail = []byte{0, 0, 0xff, 0xff}

// samples are contents of different kinds, each of n octets.
func samples(n int) map[string][]byte {
	r := rand.New(rand.NewPCG(7, 13))
	noise, text, runs := make([]byte, n), make([]byte, n), make([]byte, n)
	words := []string{"alpha ", "beta ", "gamma ", "delta ", "window ", "message ", "\n"}
	for i := range noise {
		noise[i] = byte(r.Uint32())
		runs[i] = byte(i / 700)
	}
	for i := 0; i < n; {
		i += copy(text[i:], words[r.IntN(len(words))])
	}
	sparse := append([]byte(nil), noise...)
	for i := range sparse {
		sparse[i] = "aaaaaaaabbbbccd\x00"[sparse[i]>>4]
	}
	return map[string][]byte{"noise": noise, "text": text, "runs": runs, "sparse": sparse, "zero": make([]byte, n)}
}

// Whatever the compressor makes, compress/flate and the inflater give back the
// message, and no distance is beyond the window, whatever the window is.
func TestCompressorAgainstStandardLibrary(t *testing.T) {
	for _, takeover := range []bool{true, false} {
		for bits := 8; bits <= 15; bits++ {
			for name, data := range samples(300_000) {
				t.Run(fmt.Sprintf("%s/%d/%v", name, bits, takeover), func(t *testing.T) {
					checkCompressor(t, data, bits, takeover)
				})
			}
		}
	}
}

func checkCompressor(t *testing.T, data []byte, bits int, takeover bool) {
	c := NewCompressor(bits, takeover)
	own := NewInflater(bits, takeover, 1<<30)
	var history []byte
	at, total := 0, 0
	for _, n := range []int{0, 1, 3, 4, 5, 100, 511, 512, 513, 70_000, 16, 131_072, 40_000} {
		p := data[at : at+n]
		at += n
		b := c.Append(nil, p)
		total += len(b)
		dict := history
		if !takeover {
			dict = nil
		}
		r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(b), bytes.NewReader(tail)), dict)
		got := make([]byte, n)
		_, err := io.ReadFull(r, got)
		require.NoError(t, err)
		require.True(t, bytes.Equal(p, got))
		inflated, err := own.Message(b)
		require.NoError(t, err)
		require.True(t, bytes.Equal(p, inflated))
		history = append(history, p...)
		history = history[max(0, len(history)-1<<bits):]
	}
	require.LessOrEqual(t, own.Reach, 1<<bits)
	require.Less(t, total, at+at/100+200)
}

// The inflater reads what compress/flate writes, at every level.
func TestInflaterAgainstStandardLibrary(t *testing.T) {
	for name, data := range samples(200_000) {
		for level := flate.HuffmanOnly; level <= 9; level++ {
			var b bytes.Buffer
			w, err := flate.NewWriter(&b, level)
			require.NoError(t, err)
			own := NewInflater(15, true, 1<<30)
			for at := 0; at < len(data); {
				n := min(1+at/2, len(data)-at)
				b.Reset()
				_, _ = w.Write(data[at : at+n])
				require.NoError(t, w.Flush())
				msg := bytes.TrimSuffix(b.Bytes(), tail)
				got, err := own.Message(msg)
				require.NoError(t, err, "%s, level %d", name, level)
				require.True(t, bytes.Equal(data[at:at+n], got), "%s, level %d", name, level)
				at += n
			}
			require.False(t, own.Final)
		}
	}
}

// The examples of RFC 7692, section 7.2.3: "Hello" in five forms.
func TestExamplesOfTheRFC(t *testing.T) {
	f := NewInflater(15, true, 100)
	for _, b := range []string{
		"\xf2\x48\xcd\xc9\xc9\x07\x00",
		"\xf2\x00\x11\x00\x00",
		"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
		"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
		"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
	} {
		got, err := f.Message([]byte(b))
		require.NoError(t, err)
		require.Equal(t, "Hello", string(got))
		require.Equal(t, b[0] == 0xf3, f.Final)
	}
	require.Equal(t, []byte{0}, NewCompressor(15, true).Append(nil, nil))
}

func TestWindow(t *testing.T) {
	noise := samples(2000)["noise"]
	long := append(append([]byte(nil), noise[:1500]...), noise[:100]...)
	b := NewCompressor(15, false).Append(nil, long)
	got, err := NewInflater(11, false, 5000).Message(b)
	require.NoError(t, err)
	require.Equal(t, long, got)
	_, err = NewInflater(10, false, 5000).Message(b)
	var beyond *WindowError
	require.True(t, errors.As(err, &beyond))
	require.Equal(t, 1500, beyond.Distance)

	// A compressor that goes on where it should have started anew.
	c := NewCompressor(15, true)
	first, second := c.Append(nil, noise[:300]), c.Append(nil, noise[:300])
	f := NewInflater(15, false, 5000)
	_, err = f.Message(first)
	require.NoError(t, err)
	_, err = f.Message(second)
	require.True(t, errors.As(err, &beyond))

	f = NewInflater(15, true, 5000)
	f.SetHistory(noise[:300])
	got, err = f.Message(second)
	require.NoError(t, err)
	require.Equal(t, noise[:300], got)
}

func TestDamagedData(t *testing.T) {
	f := NewInflater(15, false, 1000)
	for _, b := range []string{
		"\x06", "\x07\xff", "\x00\x05\x00\xfa\xfe", "\x00\x05\x00\xfa\xffHel", "\xf2\x48\xcd",
		"\x04\xc0", "\xfc\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x02\x02",
	} {
		_, err := f.Message([]byte(b))
		require.Error(t, err, "%x", b)
	}
	_, err := f.Message(NewCompressor(15, false).Append(nil, make([]byte, 1001)))
	require.ErrorIs(t, err, errTooLong)
}

// Random damage gives an error or some message, never a panic, and never more than
// the limit.
func FuzzInflater(f *testing.F) {
	for _, data := range samples(5000) {
		f.Add(NewCompressor(12, false).Append(nil, data))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := NewInflater(9, true, 10_000).Message(b)
		if err == nil {
			require.LessOrEqual(t, len(got), 10_000)
		}
	})
}

func BenchmarkCompressor(b *testing.B) {
	data := samples(131_072)["text"]
	c := NewCompressor(15, true)
	var out []byte
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		out = c.Append(out[:0], data)
	}
}

func BenchmarkInflater(b *testing.B) {
	data := samples(131_072)["text"]
	msg := NewCompressor(15, false).Append(nil, data)
	f := NewInflater(15, true, 1<<30)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := f.Message(msg); err != nil {
			b.Fatal(err)
		}
	}
}
