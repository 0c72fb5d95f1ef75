package websocket

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// loopTape is a stream that plays the same bytes a number of times and takes anything.
type loopTape struct {
	bytes []byte
	times int
}

func (t *loopTape) Read(p []byte) (int, error) {
	if t.times == 0 {
		return 0, io.EOF
	}
	t.times--
	return copy(p, t.bytes), nil
}

func (t *loopTape) Write(p []byte) (int, error) { return len(p), nil }
func (t *loopTape) Close() error                { return nil }

// BenchmarkServe echoes messages of 16 bytes, as many as come in one read, without a
// socket: what a message costs beside the system calls. One op is one message.
func BenchmarkServe(b *testing.B) {
	// A masked text frame, key 01020304, of "sixteen letters!".
	frame := []byte{
		0x81, 0x90, 0x01, 0x02, 0x03, 0x04,
		0x72, 0x6B, 0x7B, 0x70, 0x64, 0x67, 0x6D, 0x24, 0x6D, 0x67, 0x77, 0x70, 0x64, 0x70, 0x70, 0x25,
	}
	for name, n := range map[string]int{"1": 1, "16": 16} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			c, err := NewConn(&loopTape{bytes.Repeat(frame, n), (b.N + n - 1) / n}, Handshake{}, nil)
			require.NoError(b, err)
			ctx := context.Background()
			b.ResetTimer()
			c.Serve(ctx, func(op Opcode, p []byte) error { return c.Write(ctx, op, p) })
		})
	}
}
