package main

// This file holds what is compared: the corpora, cut into messages, and the
// codecs, each the way libraries use it: compress/flate and klauspost/compress
// as a pooled writer that is reset and flushed for every message and a pooled
// reader that is reset.

import (
	"bytes"
	stdflate "compress/flate"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/flate"

	"github.com/seed9f1f0156/websocket/internal/deflate"
)

var (
	files = []string{"ticks.json", "chat.txt", "page.html", "server.log", "random.bin"}
	sizes = []int{128, 512, 1 << 10, 4 << 10, 16 << 10}
)

// corporaDir is where the files are, seen from the root of the repository.
var corporaDir = filepath.Join("internal", "deflate", "testdata", "corpus")

func corpus(dir, name string) []byte {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		panic(err)
	}
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
