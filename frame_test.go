package websocket

// Tests of the frame header. Headers are drawn bit by bit, as the RFC draws them.

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fromBits turns a picture of bits into bytes. Blanks only help the eye.
func fromBits(picture string) []byte {
	digits := strings.ReplaceAll(picture, " ", "")
	if len(digits)%8 != 0 {
		panic(fmt.Sprintf("%d bits are no bytes: %s", len(digits), picture))
	}
	var out []byte
	for i := 0; i < len(digits); i += 8 {
		var b byte
		for _, d := range digits[i : i+8] {
			b = b<<1 | byte(d-'0')
		}
		out = append(out, b)
	}
	return out
}

// headerRows are headers that are right.
//
//	F RSV opcode M length
//	i 123        a          length, continued                               masking key
//	n            s
//	_ ___ ____   _ _______  ______________________________________________  ___________
var headerRows = []struct {
	picture string
	size    int
	n       uint64
}{
	{"1 000 0001 0 0000000", 2, 0},
	{"1 000 0001 0 0000101", 2, 5},
	{"1 000 0001 1 0000101 00110111 11111010 00100001 00111101", 6, 5},
	{"0 000 0000 0 0000001", 2, 1},
	{"1 100 0010 0 1111101", 2, 125},
	{"1 000 1001 1 1111101 00000000 00000000 00000000 00000000", 6, 125},
	{"1 000 0010 0 1111110 00000000 01111110", 4, 126},
	{"1 000 0010 0 1111110 00000000 01111111", 4, 127},
	{"1 000 0010 0 1111110 00000001 00000000", 4, 256},
	{"1 000 0010 0 1111110 11111111 11111111", 4, 65535},
	{"1 000 0010 1 1111110 11111111 11111110 00000001 00000010 00000011 00000100", 8, 65534},
	{"1 000 0010 0 1111111 00000000 00000000 00000000 00000000 00000000 00000001 00000000 00000000", 10, 65536},
	{"1 000 0010 0 1111111 00000000 00000000 00000000 00000000 01111111 11111111 11111111 11111111", 10, 1<<31 - 1},
	{"1 000 0010 0 1111111 00000000 00000000 00000000 00000000 10000000 00000000 00000000 00000000", 10, 1 << 31},
	{"1 000 0010 0 1111111 00000000 00000000 00000000 00000000 11111111 11111111 11111111 11111111", 10, 1<<32 - 1},
	{"1 000 0010 0 1111111 00000000 00000000 00000000 00000001 00000000 00000000 00000000 00000000", 10, 1 << 32},
	{"1 000 0010 0 1111111 00000000 00000000 00000000 00000001 00000000 00000000 00000000 00000101", 10, 1<<32 + 5},
	{"1 000 0010 0 1111111 01111111 11111111 11111111 11111111 11111111 11111111 11111111 11111111", 10, 1<<63 - 1},
	{"1 000 0010 1 1111111 01000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000" +
		" 11111111 00000000 11111111 00000000", 14, 1 << 62},
}

// brokenLengths are headers whose length is wrong.
var brokenLengths = []struct {
	picture string
	err     *ProtocolError
}{
	{"1 000 0010 0 1111110 00000000 00000000", errNotMinimal},
	{"1 000 0010 0 1111110 00000000 00000101", errNotMinimal},
	{"1 000 0010 1 1111110 00000000 01111101", errNotMinimal},
	{"1 000 0010 0 1111111 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000101", errNotMinimal},
	{"1 000 0010 0 1111111 00000000 00000000 00000000 00000000 00000000 00000000 00000000 01111110", errNotMinimal},
	{"1 000 0010 1 1111111 00000000 00000000 00000000 00000000 00000000 00000000 11111111 11111111", errNotMinimal},
	{"1 000 0010 0 1111111 10000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000", errLength63},
	{"1 000 0010 0 1111111 10000000 00000000 00000000 00000000 00000000 00000000 00000000 00000101", errLength63},
	{"1 000 0010 1 1111111 11111111 11111111 11111111 11111111 11111111 11111111 11111111 11111111", errLength63},
	{"1 000 0010 1 1111111 11111111 11111111 11111111 11111111 11111111 11111111 11111111 11111100", errLength63},
	{"1 000 0010 1 1111111 10000000 00000000 00000000 00000001 00000000 00000000 00000000 00000101", errLength63},
}

func TestFrameHeaderRead(t *testing.T) {
	for _, row := range headerRows {
		h := fromBits(row.picture)
		require.Equal(t, row.size, headerLen(h[1]), row.picture)
		require.Len(t, h, row.size, row.picture)
		n, err := payloadLen(h)
		require.Nil(t, err, row.picture)
		require.Equal(t, row.n, n, row.picture)
	}
	for _, row := range brokenLengths {
		n, err := payloadLen(fromBits(row.picture))
		require.Same(t, row.err, err, row.picture)
		require.Zero(t, n, row.picture)
	}
}

func TestFrameHeaderWritten(t *testing.T) {
	before := []byte("before")
	for _, row := range headerRows {
		if row.n > math.MaxInt {
			continue // a length that an int of this machine cannot name
		}
		h := fromBits(row.picture)
		keyless := h[:len(h)-4*int(h[1]>>7)]
		got := appendHeader(before, h[0], h[1]&maskBit, int(row.n))
		require.Equal(t, append([]byte("before"), keyless...), got, row.picture)
	}
}

// Every length up to beyond the last boundary of the encoding, and every power of
// two with its neighbours, is written in the shortest form and read back.
func TestFrameLengths(t *testing.T) {
	lengths := []uint64{}
	for n := uint64(0); n <= 1<<16+300; n++ {
		lengths = append(lengths, n)
	}
	for shift := 17; shift < 63; shift++ {
		lengths = append(lengths, 1<<shift-1, 1<<shift, 1<<shift+1, 1<<shift+5)
	}
	lengths = append(lengths, 1<<63-2, 1<<63-1)
	var h []byte
	for _, n := range lengths {
		if n > math.MaxInt {
			continue
		}
		size := 2
		if n > 125 {
			size = 4
		}
		if n > 65535 {
			size = 10
		}
		h = appendHeader(h[:0], 0x82, 0, int(n))
		back, err := payloadLen(h)
		if len(h) != size || headerLen(h[1]) != size || back != n || err != nil {
			t.Fatalf("length %d: header % X, %d bytes long by its own word, read back as %d, %v", n, h, headerLen(h[1]), back, err)
		}
	}
}

// No longer form of a length is read as anything, whatever the length.
func TestFrameLengthForms(t *testing.T) {
	h := []byte{0x82, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	for n := range uint64(1 << 16) {
		h[1] = 126
		binary.BigEndian.PutUint16(h[2:], uint16(n))
		if _, err := payloadLen(h); (err == errNotMinimal) != (n < 126) || (err == nil) != (n >= 126) {
			t.Fatalf("%d in 16 bits: %v", n, err)
		}
		h[1] = 127
		binary.BigEndian.PutUint64(h[2:], n)
		if _, err := payloadLen(h); err != errNotMinimal {
			t.Fatalf("%d in 64 bits: %v", n, err)
		}
		binary.BigEndian.PutUint64(h[2:], n<<48|5)
		if _, err := payloadLen(h); (err == errLength63) != (n >= 1<<15) || n == 0 && err != errNotMinimal || n > 0 && n < 1<<15 && err != nil {
			t.Fatalf("%d<<48|5 in 64 bits: %v", n, err)
		}
	}
}

func TestFrameHeaderLen(t *testing.T) {
	for b1 := range 256 {
		want := 2
		if b1&127 == 126 {
			want = 4
		}
		if b1&127 == 127 {
			want = 10
		}
		if b1 >= 128 {
			want += 4
		}
		require.Equal(t, want, headerLen(byte(b1)), "second byte %02X", b1)
		require.LessOrEqual(t, headerLen(byte(b1)), maxHeader)
	}
}

func TestFrameOpcodes(t *testing.T) {
	for _, row := range []struct {
		op                         Opcode
		name                       string
		control, message, reserved bool
	}{
		{0x0, "continuation", false, false, false},
		{0x1, "text", false, true, false},
		{0x2, "binary", false, true, false},
		{0x3, "opcode 3", false, false, true},
		{0x4, "opcode 4", false, false, true},
		{0x5, "opcode 5", false, false, true},
		{0x6, "opcode 6", false, false, true},
		{0x7, "opcode 7", false, false, true},
		{0x8, "close", true, false, false},
		{0x9, "ping", true, false, false},
		{0xA, "pong", true, false, false},
		{0xB, "opcode 11", true, false, true},
		{0xC, "opcode 12", true, false, true},
		{0xD, "opcode 13", true, false, true},
		{0xE, "opcode 14", true, false, true},
		{0xF, "opcode 15", true, false, true},
	} {
		require.Equal(t, row.name, row.op.String())
		require.Equal(t, row.control, row.op.isControl(), row.name)
		require.Equal(t, row.message, row.op.isMessage(), row.name)
		require.Equal(t, row.reserved, row.op.isReserved(), row.name)
	}
	require.Equal(t, []Opcode{0, 1, 2, 8, 9, 10}, []Opcode{Continuation, Text, Binary, Close, Ping, Pong})
	var zero Role
	require.Equal(t, RoleServer, zero)
}
