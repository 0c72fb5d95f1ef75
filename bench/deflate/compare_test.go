package main

// This file holds the benchmarks of single cells:
//
//	go test -run xxx -bench . ./deflate | benchstat -col /codec -
//
// Every benchmark reports the compressed bytes for each byte of the source.

import (
	"bytes"
	stdflate "compress/flate"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket/internal/deflate"
)

var testCorpora = filepath.Join("..", "..", corporaDir)

func BenchmarkDeflate(b *testing.B) {
	each(b, encoders(), func(messages [][]byte) [][]byte { return messages })
}

func BenchmarkInflate(b *testing.B) {
	w, err := stdflate.NewWriter(nil, 6)
	pack := pooled("", w, err).run
	each(b, decoders(), func(messages [][]byte) (packed [][]byte) {
		for _, m := range messages {
			packed = append(packed, bytes.Clone(pack(nil, m)))
		}
		return packed
	})
}

// each runs every codec on what prepare makes of each corpus at each size.
func each(b *testing.B, codecs []codec, prepare func([][]byte) [][]byte) {
	dst := make([]byte, 0, 64<<10)
	for _, file := range files {
		for _, size := range sizes {
			messages := prepare(cut(corpus(testCorpora, file), size))
			for _, c := range codecs {
				b.Run(fmt.Sprintf("data=%s/size=%d/codec=%s", file, size, c.name), func(b *testing.B) {
					out, in := 0, 0
					b.SetBytes(int64(size))
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						p := messages[i%len(messages)]
						out += len(c.run(dst, p))
						in += len(p)
					}
					b.ReportMetric(float64(out)/float64(in), "out/in")
				})
			}
		}
	}
}

// BenchmarkTakeover sends lines one by one, each with the 32 KiB before it as
// its window: ours over that window, klauspost/compress with ResetDict.
func BenchmarkTakeover(b *testing.B) {
	var buf bytes.Buffer
	dst := make([]byte, 0, 64<<10)
	type encoder struct {
		name string
		run  func(dict, p []byte) int
	}
	all := []encoder{
		{"fast", func(dict, p []byte) int { return len(deflate.AppendDeflate(dst, dict, p, 15, deflate.Fast)) }},
		{"better", func(dict, p []byte) int { return len(deflate.AppendDeflate(dst, dict, p, 15, deflate.Better)) }},
	}
	for _, level := range []int{1, 6} {
		w, err := flate.NewWriter(nil, level)
		require.NoError(b, err)
		all = append(all, encoder{fmt.Sprintf("klauspost%d", level), func(dict, p []byte) int {
			buf.Reset()
			w.ResetDict(&buf, dict)
			if _, err := w.Write(p); err != nil {
				panic(err)
			}
			if err := w.Flush(); err != nil {
				panic(err)
			}
			return buf.Len() - 4
		}})
	}
	for _, file := range []string{"ticks.json", "chat.txt", "server.log"} {
		data := corpus(testCorpora, file)
		lines := bytes.SplitAfter(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
		for _, c := range all {
			b.Run(fmt.Sprintf("data=%s/codec=%s", file, c.name), func(b *testing.B) {
				out, in, at := 0, 0, 0
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					p := lines[i%len(lines)]
					if i%len(lines) == 0 {
						at = 0
					}
					out += c.run(data[max(0, at-32<<10):at], p)
					in += len(p)
					at += len(p)
				}
				b.ReportMetric(float64(out)/float64(in), "out/in")
			})
		}
	}
}

// What is compared must do the same work.
func TestCodecsAgree(t *testing.T) {
	dst, out := make([]byte, 0, 64<<10), make([]byte, 0, 64<<10)
	for _, file := range files {
		for _, m := range cut(corpus(testCorpora, file), 16<<10) {
			for _, e := range encoders() {
				payload := e.run(dst, m)
				for _, d := range decoders() {
					require.True(t, bytes.Equal(m, d.run(out, payload)), "%s, %s to %s", file, e.name, d.name)
				}
			}
		}
	}
}
