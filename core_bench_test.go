package websocket

// Benchmarks of the core beside each other, for benchstat: what parsing, joining,
// framing and the close payload cost without any stream. Mask, UTF-8, origins and
// handshakes have theirs beside their tests; bench/core has the peers'.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
)

var benchSizes = []int{16, 125, 1 << 10, 16 << 10, 1 << 20}

// benchFrame is a binary frame of n bytes as a server (masked) or client gets it.
func benchFrame(role Role, n int) []byte {
	m := byte(0)
	if role == RoleServer {
		m = 0x80
	}
	var b []byte
	switch {
	case n <= 125:
		b = []byte{0x82, m | byte(n)}
	case n <= 65535:
		b = binary.BigEndian.AppendUint16([]byte{0x82, m | 126}, uint16(n))
	default:
		b = binary.BigEndian.AppendUint64([]byte{0x82, m | 127}, uint64(n))
	}
	if m != 0 {
		b = append(b, 0x37, 0xfa, 0x21, 0x3d)
	}
	return append(b, bytes.Repeat([]byte{'x'}, n)...)
}

// BenchmarkReceiver parses whole frames, one after the other, in place.
func BenchmarkReceiver(b *testing.B) {
	for _, role := range bothRoles {
		for _, n := range benchSizes {
			b.Run(fmt.Sprintf("%s/%d", roleName(role), n), func(b *testing.B) {
				frame := benchFrame(role, n)
				var r Receiver
				r.Reset(role, false, Limits{})
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					if ev, used := r.Next(frame); used != len(frame) || !ev.Fin {
						b.Fatal(ev, used)
					}
				}
			})
		}
	}
}

// BenchmarkAssembler joins messages of 16 KiB that come in fragments, in the buffer
// of the message before.
func BenchmarkAssembler(b *testing.B) {
	const size = 16 << 10
	for _, fragments := range []int{1, 4, 64} {
		b.Run(fmt.Sprint(fragments), func(b *testing.B) {
			piece := make([]byte, size/fragments)
			var a Assembler
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				for i := range fragments {
					a.Add(Event{Kind: KindChunk, Op: Binary, First: i == 0, Fin: i == fragments-1, Data: piece})
				}
			}
		})
	}
}

// BenchmarkSender frames messages; a client's are masked on the way.
func BenchmarkSender(b *testing.B) {
	for _, role := range bothRoles {
		for _, n := range benchSizes {
			b.Run(fmt.Sprintf("%s/%d", roleName(role), n), func(b *testing.B) {
				payload := make([]byte, n)
				dst := make([]byte, 0, n+64)
				var s Sender
				s.Reset(role)
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.AppendMessage(dst, Binary, payload); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkClosePayload reads a code and a reason, and writes them.
func BenchmarkClosePayload(b *testing.B) {
	payload := append([]byte{1000 >> 8, 1000 & 0xff}, "going for lunch"...)
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := parseClosePayload(payload); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("append", func(b *testing.B) {
		dst := make([]byte, 0, 125)
		b.ReportAllocs()
		for b.Loop() {
			appendClosePayload(dst, StatusNormalClosure, "going for lunch")
		}
	})
}
