// Package core compares functions of the core with those that peers export, and
// with the standard library: by benchmarks only, side by side in one run.
//
//	go test ./bench/core -run '^$' -bench . -count 10 | benchstat -col /lib -
package core

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/seed9f1f0156/websocket"
)

var key = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// BenchmarkMask unmasks in place; copy is what memory itself takes.
func BenchmarkMask(b *testing.B) {
	for _, n := range []int{8, 16, 32, 64, 125, 256, 1 << 10, 16 << 10, 1 << 20} {
		p, q := make([]byte, n), make([]byte, n)
		for _, way := range []struct {
			lib  string
			mask func()
		}{
			{"websocket", func() { websocket.Mask(p, p, key, 0) }},
			{"gobwas", func() { ws.Cipher(p, key, 0) }},
			{"copy", func() { copy(q, p) }},
		} {
			b.Run(fmt.Sprintf("n=%d/lib=%s", n, way.lib), func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					way.mask()
				}
			})
		}
	}
}

// frame is a masked binary frame of n bytes.
func frame(n int) []byte {
	var b []byte
	switch {
	case n <= 125:
		b = []byte{0x82, 0x80 | byte(n)}
	case n <= 65535:
		b = binary.BigEndian.AppendUint16([]byte{0x82, 0x80 | 126}, uint16(n))
	default:
		b = binary.BigEndian.AppendUint64([]byte{0x82, 0x80 | 127}, uint64(n))
	}
	return append(append(b, key[:]...), make([]byte, n)...)
}

// BenchmarkRead takes a frame that is in memory apart and unmasks it. gobwas reads
// headers from an io.Reader; what that costs is part of what its users pay.
func BenchmarkRead(b *testing.B) {
	for _, n := range []int{16, 125, 1 << 10, 16 << 10} {
		wire := frame(n)
		b.Run(fmt.Sprintf("n=%d/lib=websocket", n), func(b *testing.B) {
			var r websocket.Receiver
			r.Reset(websocket.RoleServer, false, websocket.Limits{})
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if ev, used := r.Next(wire); used != len(wire) || !ev.Fin {
					b.Fatal(ev, used)
				}
			}
		})
		b.Run(fmt.Sprintf("n=%d/lib=gobwas", n), func(b *testing.B) {
			r := bytes.NewReader(wire)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				r.Reset(wire)
				h, err := ws.ReadHeader(r)
				if err == nil {
					err = ws.CheckHeader(h, ws.StateServerSide)
				}
				if err != nil {
					b.Fatal(err)
				}
				ws.Cipher(wire[len(wire)-r.Len():], h.Mask, 0)
			}
		})
	}
}

// BenchmarkWrite frames a server's message in a buffer.
func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{16, 125, 1 << 10, 16 << 10} {
		payload := make([]byte, n)
		b.Run(fmt.Sprintf("n=%d/lib=websocket", n), func(b *testing.B) {
			var s websocket.Sender
			s.Reset(websocket.RoleServer)
			dst := make([]byte, 0, n+16)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.AppendMessage(dst, websocket.Binary, payload); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("n=%d/lib=gobwas", n), func(b *testing.B) {
			dst := bytes.NewBuffer(make([]byte, 0, n+16))
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				dst.Reset()
				if err := ws.WriteFrame(dst, ws.NewBinaryFrame(payload)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkText takes a text frame apart and checks it, beside the standard
// library's check alone. The masking key is 0, so that the text stays what it is.
func BenchmarkText(b *testing.B) {
	const n = 16 << 10
	for name, text := range map[string]string{
		"ascii": strings.Repeat("The quick brown fox. ", n/21),
		"mixed": strings.Repeat("Größe 5 €, 東京, да! ", n/31),
	} {
		wire := frame(len(text))
		wire[0] = 0x81
		copy(wire[len(wire)-len(text)-len(key):], "\x00\x00\x00\x00"+text)
		b.Run(name+"/lib=websocket", func(b *testing.B) {
			var r websocket.Receiver
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				r.Reset(websocket.RoleServer, false, websocket.Limits{})
				if ev, _ := r.Next(wire); ev.Kind != websocket.KindChunk {
					b.Fatal(r.Err())
				}
			}
		})
		b.Run(name+"/lib=utf8", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if !utf8.ValidString(text) {
					b.Fatal("invalid")
				}
			}
		})
	}
}

// BenchmarkClosePayload reads and writes a code and a reason.
func BenchmarkClosePayload(b *testing.B) {
	wire := append([]byte{0x88, 17, 1000 >> 8, 1000 & 0xff}, "going for lunch"...)
	b.Run("read/lib=websocket", func(b *testing.B) {
		var r websocket.Receiver
		for b.Loop() {
			r.Reset(websocket.RoleClient, false, websocket.Limits{})
			if ev, _ := r.Next(wire); ev.Code != websocket.StatusNormalClosure {
				b.Fatal(r.Err())
			}
		}
	})
	b.Run("read/lib=gobwas", func(b *testing.B) {
		for b.Loop() {
			code, reason := ws.ParseCloseFrameData(wire[2:])
			if err := ws.CheckCloseFrameData(code, reason); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("write/lib=websocket", func(b *testing.B) {
		var s websocket.Sender
		dst := make([]byte, 0, 32)
		for b.Loop() {
			s.Reset(websocket.RoleServer)
			s.AppendClose(dst, websocket.StatusNormalClosure, "going for lunch")
		}
	})
	b.Run("write/lib=gobwas", func(b *testing.B) {
		for b.Loop() {
			ws.NewCloseFrameBody(ws.StatusNormalClosure, "going for lunch")
		}
	})
}
