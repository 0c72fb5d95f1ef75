package deflate

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"testing"
)

// This file holds the benchmarks: both directions on the corpora, without and
// with a window, and compress/flate doing the same the way libraries use it, a
// pooled writer that is reset and flushed for each message.

var benchSizes = []int{128, 512, 1 << 10, 4 << 10, 16 << 10}

// eachCorpus runs f on every corpus cut into messages of each size.
func eachCorpus(b *testing.B, f func(b *testing.B, messages [][]byte)) {
	for _, c := range corpora(b) {
		for _, size := range benchSizes {
			b.Run(fmt.Sprintf("data=%s/size=%d", c.name, size), func(b *testing.B) {
				f(b, c.messages(size))
			})
		}
	}
}

// reportRatio reports the compressed bytes for each of src.
func reportRatio(b *testing.B, out, src int) {
	b.ReportMetric(float64(out)/float64(src), "ratio")
}

func benchDeflate(b *testing.B, messages [][]byte, compress func(dst, src []byte) []byte) {
	dst, out, src := make([]byte, 0, 64<<10), 0, 0
	b.SetBytes(int64(len(messages[0])))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p := messages[i%len(messages)]
		out += len(compress(dst, p))
		src += len(p)
	}
	reportRatio(b, out, src)
}

func BenchmarkDeflate(b *testing.B) {
	for level, name := range []string{Fast: "fast", Better: "better"} {
		if name == "" {
			continue
		}
		b.Run("codec="+name, func(b *testing.B) {
			eachCorpus(b, func(b *testing.B, messages [][]byte) {
				benchDeflate(b, messages, func(dst, src []byte) []byte {
					return AppendDeflate(dst, nil, src, 15, level)
				})
			})
		})
	}
	for _, level := range []int{1, 6} {
		b.Run(fmt.Sprintf("codec=std%d", level), func(b *testing.B) {
			w, _ := flate.NewWriter(nil, level)
			var buf bytes.Buffer
			eachCorpus(b, func(b *testing.B, messages [][]byte) {
				benchDeflate(b, messages, func(_, src []byte) []byte {
					buf.Reset()
					w.Reset(&buf)
					w.Write(src)
					w.Flush()
					return buf.Bytes()[:buf.Len()-4]
				})
			})
		})
	}
}

// BenchmarkTakeover sends lines one by one with the window of those before. If
// streams is 1, an encoder still knows the window from the line before; if it is
// 2, two connections take turns, and each time the window is noted anew.
func BenchmarkTakeover(b *testing.B) {
	for level, name := range []string{Fast: "fast", Better: "better"} {
		if name == "" {
			continue
		}
		for _, c := range corpora(b)[:2] {
			for _, bits := range []int{9, 12, 15} {
				for streams := 1; streams <= 2; streams++ {
					b.Run(fmt.Sprintf("codec=%s/data=%s/bits=%d/streams=%d", name, c.name, bits, streams), func(b *testing.B) {
						benchTakeover(b, c, bits, level, streams)
					})
				}
			}
		}
	}
}

func benchTakeover(b *testing.B, c corpus, bits, level, streams int) {
	lines := c.messages(0)
	half := len(lines) / 2
	var starts []int
	at := 0
	for _, p := range lines {
		starts = append(starts, at)
		at += len(p)
	}
	dst, out, src := make([]byte, 0, 8<<10), 0, 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		// Lines of the second half, whose windows are nearly full; the other
		// connection is a quarter of the file behind.
		k := half + i/streams%half - (i%streams)*half/2
		p := lines[k]
		out += len(AppendDeflate(dst, c.data[max(0, starts[k]-1<<bits):starts[k]], p, bits, level))
		src += len(p)
	}
	reportRatio(b, out, src)
}

func BenchmarkInflate(b *testing.B) {
	bench := func(name string, inflate func(dst, src []byte) []byte) {
		b.Run("codec="+name, func(b *testing.B) {
			eachCorpus(b, func(b *testing.B, messages [][]byte) {
				var packed [][]byte
				for _, p := range messages {
					packed = append(packed, flateMessage(b, 6, p))
				}
				dst := make([]byte, 0, 64<<10)
				b.SetBytes(int64(len(messages[0])))
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if len(inflate(dst, packed[i%len(packed)])) != len(messages[i%len(packed)]) {
						b.Fatal("wrong length")
					}
				}
			})
		})
	}
	bench("ours", func(dst, src []byte) []byte {
		p, err := AppendInflate(dst, nil, src, 1<<20)
		if err != nil {
			b.Fatal(err)
		}
		return p
	})
	r := flate.NewReader(nil)
	var in, tail bytes.Reader
	bench("std", func(dst, src []byte) []byte {
		in.Reset(src)
		tail.Reset([]byte("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))
		r.(flate.Resetter).Reset(io.MultiReader(&in, &tail), nil)
		dst = dst[:cap(dst)]
		n, err := io.ReadFull(r, dst)
		if err != io.ErrUnexpectedEOF {
			b.Fatal(err)
		}
		return dst[:n]
	})
}

// BenchmarkInflateHostile inflates what costs the most for its size: blocks that
// are hardly more than a header.
func BenchmarkInflateHostile(b *testing.B) {
	for _, tc := range []struct {
		name  string
		block func(s *bitString)
	}{
		// The code length code is 0 for 138 zeros at most, 10 for 0, 11 for 1.
		{"one-code", func(s *bitString) {
			shortHeader(s).code(0, 1).put(138-11, 7).code(0, 1).put(118-11, 7).code(3, 2).code(2, 2)
			s.code(0, 1) // the end
		}},
		{"two-codes", func(s *bitString) {
			shortHeader(s).code(0, 1).put(138-11, 7).code(0, 1).put(117-11, 7).code(3, 2).code(3, 2).code(2, 2)
			s.code(1, 1)
		}},
		{"fixed", func(s *bitString) { s.put(0, 1).put(1, 2).code(0, 7) }},
	} {
		b.Run("blocks="+tc.name, func(b *testing.B) {
			s := new(bitString)
			for len(s.b) < 64<<10 {
				tc.block(s)
			}
			s.put(0, 3)
			b.SetBytes(int64(len(s.b)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := AppendInflate(nil, nil, s.b, 0); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(s.b)), "ns/B")
		})
	}
}

// shortHeader begins a dynamic block of 257 and 1 codes, up to their lengths.
func shortHeader(s *bitString) *bitString {
	s.put(0, 1).put(2, 2).put(0, 5).put(0, 5).put(14, 4)
	for _, sym := range codeLenOrder[:18] {
		s.put(map[uint8]int{18: 1, 0: 2, 1: 2}[sym], 3)
	}
	return s
}
