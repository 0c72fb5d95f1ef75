package klauspost

// Tests of the adapter: against the package's own DEFLATE, over a connection; and
// by itself, with dictionaries and limits.

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/seed9f1f0156/websocket"
	"github.com/stretchr/testify/require"
)

func TestRoundTrip(t *testing.T) {
	dict := []byte(strings.Repeat(`{"symbol":"GO","bid":101.25,"ask":101.5}`, 1000))
	src := []byte(`{"symbol":"GO","bid":101.27,"ask":101.5}` + strings.Repeat("x", 5000))
	for bits := 8; bits <= 15; bits++ {
		for level := 1; level <= 2; level++ {
			for _, d := range [][]byte{nil, dict} {
				for range 3 { // what is pooled is used again
					z, err := Codec{}.AppendDeflate([]byte("before"), d, src, bits, level)
					require.NoError(t, err)
					require.Equal(t, "before", string(z[:6]))
					got, err := Codec{}.AppendInflate([]byte("before"), d, z[6:], len(src))
					require.NoError(t, err)
					require.Equal(t, "before"+string(src), string(got))
					// and by the standard library
					whole := append(bytes.Clone(z[6:]), final...)
					std, err := io.ReadAll(flate.NewReaderDict(bytes.NewReader(whole), d))
					require.NoError(t, err)
					require.Equal(t, string(src), string(std))
				}
			}
		}
	}
	random := make([]byte, 4000) // nothing in it resembles anything else in it
	r := rand.New(rand.NewPCG(1951, 7692))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	for level := 1; level <= 2; level++ {
		after, err := Codec{}.AppendDeflate(nil, random, random[100:1100], 15, level)
		require.NoError(t, err)
		require.Less(t, len(after), 100, "the dictionary is used")
		alone, err := Codec{}.AppendDeflate(nil, nil, random[100:1100], 15, level)
		require.NoError(t, err)
		require.Greater(t, len(alone), 999, "and forgotten")
	}
}

func TestLimit(t *testing.T) {
	src := make([]byte, 100000)
	z, err := Codec{}.AppendDeflate(nil, nil, src, 15, 1)
	require.NoError(t, err)
	for _, limit := range []int{-1, len(src), len(src) + 1} {
		got, err := Codec{}.AppendInflate(nil, nil, z, limit)
		require.NoError(t, err)
		require.Len(t, got, len(src))
	}
	for _, limit := range []int{0, 1, 1000, len(src) - 1} {
		got, err := Codec{}.AppendInflate([]byte("before"), nil, z, limit)
		require.ErrorIs(t, err, websocket.ErrInflateLimit)
		require.Equal(t, "before", string(got))
	}
	_, err = Codec{}.AppendInflate(nil, nil, []byte{0xff, 0xff}, -1)
	require.Error(t, err)
	require.NotErrorIs(t, err, websocket.ErrInflateLimit)
}

// TestConnections: this codec at one end, the package's own at the other.
func TestConnections(t *testing.T) {
	for _, agreed := range []string{"", "; server_no_context_takeover; client_no_context_takeover", "; server_max_window_bits=9"} {
		a, b := net.Pipe()
		ends := make([]*websocket.Conn, 2)
		for i, rw := range []net.Conn{a, b} {
			z := &websocket.Compression{SendTakeover: true, ReceiveTakeover: true}
			if i == 0 {
				z.Codec = Codec{}
			}
			c, err := websocket.NewConn(rw, websocket.Handshake{
				Role:       []websocket.Role{websocket.RoleServer, websocket.RoleClient}[i],
				Extensions: "permessage-deflate" + agreed,
			}, &websocket.Options{Compression: z})
			require.NoError(t, err)
			defer c.CloseNow()
			ends[i] = c
		}
		ctx := context.Background()
		echoed := make(chan error, 1)
		go func() {
			echoed <- ends[1].Serve(ctx, func(op websocket.Opcode, p []byte) error { return ends[1].Write(ctx, op, p) })
		}()
		for i := range 200 {
			want := fmt.Sprintf("message %d %s", i, strings.Repeat("and so on ", i))
			require.NoError(t, ends[0].Write(ctx, websocket.Text, []byte(want)))
			_, got, err := ends[0].Next(ctx)
			require.NoError(t, err)
			require.Equal(t, want, string(got))
		}
		ends[0].CloseNow()
		<-echoed
	}
}
