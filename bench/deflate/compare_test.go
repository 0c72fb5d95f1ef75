// Package deflate compares the codec of permessage-deflate with the two that
// other libraries use for it: compress/flate and klauspost/compress, each the
// way it is used there, as a pooled writer that is reset and flushed for every
// message and a pooled reader that is reset.
//
//	go test -run xxx -bench . ./deflate | benchstat -col /codec -
//
// Every benchmark reports the compressed bytes for each byte of the source.
package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket/internal/deflate"
)

var files = []string{"ticks.json", "chat.txt", "page.html", "server.log", "random.bin"}

func corpus(t testing.TB, name string) []byte {
	b, err := os.ReadFile(filepath.Join("..", "..", "internal", "deflate", "testdata", "corpus", name))
	require.NoError(t, err)
	return b
}

func cut(data []byte, size int) (messages [][]byte) {
	for ; len(data) >= size; data = data[size:] {
		messages = append(messages, data[:size])
	}
	return messages
}

// A codec turns one message into its payload, appended to dst or in a buffer of
// its own.
type codec struct {
	name string
	run  func(dst, p []byte) []byte
}

// A flushWriter is what compress/flate and klauspost/compress have in common.
type flushWriter interface {
	io.Writer
	Reset(io.Writer)
	Flush() error
}

// pooled is a writer as it would come from a pool.
func pooled(name string, w flushWriter, err error) codec {
	if err != nil {
		panic(err)
	}
	var buf bytes.Buffer
	return codec{name, func(_, p []byte) []byte {
		buf.Reset()
		w.Reset(&buf)
		if _, err := w.Write(p); err != nil {
			panic(err)
		}
		if err := w.Flush(); err != nil {
			panic(err)
		}
		return bytes.TrimSuffix(buf.Bytes(), []byte("\x00\x00\xff\xff"))
	}}
}

func encoders() []codec {
	all := []codec{
		{"fast", func(dst, p []byte) []byte { return deflate.AppendDeflate(dst, nil, p, 15, deflate.Fast) }},
		{"better", func(dst, p []byte) []byte { return deflate.AppendDeflate(dst, nil, p, 15, deflate.Better) }},
	}
	for _, level := range []int{1, 6} {
		std, err := stdflate.NewWriter(nil, level)
		all = append(all, pooled(fmt.Sprintf("flate%d", level), std, err))
		kp, err := flate.NewWriter(nil, level)
		all = append(all, pooled(fmt.Sprintf("klauspost%d", level), kp, err))
	}
	return all
}

func decoders() []codec {
	var in, tail bytes.Reader
	reader := func(name string, r io.Reader, reset func(io.Reader) error) codec {
		return codec{name, func(dst, p []byte) []byte {
			in.Reset(p)
			tail.Reset([]byte("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))
			if err := reset(io.MultiReader(&in, &tail)); err != nil {
				panic(err)
			}
			n, err := io.ReadFull(r, dst[:cap(dst)])
			if err != io.ErrUnexpectedEOF {
				panic(err)
			}
			return dst[:n]
		}}
	}
	std, kp := stdflate.NewReader(nil), flate.NewReader(nil)
	return []codec{
		{"ours", func(dst, p []byte) []byte {
			m, err := deflate.AppendInflate(dst, nil, p, 1<<20)
			if err != nil {
				panic(err)
			}
			return m
		}},
		reader("flate", std, func(r io.Reader) error { return std.(stdflate.Resetter).Reset(r, nil) }),
		reader("klauspost", kp, func(r io.Reader) error { return kp.(flate.Resetter).Reset(r, nil) }),
	}
}

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
		for _, size := range []int{128, 512, 1 << 10, 4 << 10, 16 << 10} {
			messages := prepare(cut(corpus(b, file), size))
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
		data := corpus(b, file)
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
		for _, m := range cut(corpus(t, file), 16<<10) {
			for _, e := range encoders() {
				payload := e.run(dst, m)
				for _, d := range decoders() {
					require.True(t, bytes.Equal(m, d.run(out, payload)), "%s, %s to %s", file, e.name, d.name)
				}
			}
		}
	}
}
