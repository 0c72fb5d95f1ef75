package main

// This file holds the measurement of memory: connections on streams that end
// nowhere, so that nothing but the connection is counted.

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"runtime"
	"strings"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/internal/deflate"
)

// A sink gives the bytes that it has and swallows what is written.
type sink struct{ in []byte }

func (s *sink) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) Close() error                { return nil }

// idle returns the bytes that a client's connection holds on to after a message
// of 100 kB each way.
func idle(agreed string, z *websocket.Compression) int {
	const count = 200
	text := []byte(strings.Repeat("idle ", 20_000))
	frame := binary.BigEndian.AppendUint64([]byte{0x81, 127}, uint64(len(text)))
	frame = append(frame, text...)
	if z != nil {
		p := deflate.AppendDeflate(nil, nil, text, 15, deflate.Fast)
		frame = append(binary.BigEndian.AppendUint16([]byte{0xC1, 126}, uint16(len(p))), p...)
	}
	conns := make([]*websocket.Conn, count)
	before := heap()
	for i := range conns {
		s := &sink{in: frame}
		hs := websocket.Handshake{Role: websocket.RoleClient, Extensions: agreed}
		c, err := websocket.NewConn(s, hs, &websocket.Options{Compression: z})
		if err != nil {
			panic(err)
		}
		_, p, err := c.Read(context.Background())
		if err != nil || !bytes.Equal(p, text) {
			panic("the message is another")
		}
		if err := c.Write(context.Background(), websocket.Text, p); err != nil {
			panic(err)
		}
		conns[i] = c
	}
	each := (heap() - before) / count
	for _, c := range conns {
		c.CloseNow()
	}
	return each
}

func heap() int {
	var m runtime.MemStats
	for range 3 { // pools let go at the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
