package fuzz

// Masking: where the keys come from, whom they are for, and what they leave alone.

import (
	"bytes"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// clientFrames returns the first n frames that a client sends when write is called
// for each.
func clientFrames(t *testing.T, n int, write func(c *websocket.Conn) error) []refFrame {
	t.Helper()
	c, peer := open(t, websocket.RoleClient, "", nil, 0)
	raw := collect(peer)
	for range n {
		require.NoError(t, write(c))
	}
	c.CloseNow()
	all := refFrames(t, websocket.RoleClient, <-raw)
	require.GreaterOrEqual(t, len(all), n)
	return all[:n]
}

// distinct tells that of keys hardly any are equal: of a hundred thousand random
// ones two are so often enough, ten as good as never.
func distinct(t *testing.T, all []refFrame) {
	t.Helper()
	seen, twice, zero := map[[4]byte]bool{}, 0, 0
	for i, f := range all {
		if seen[f.key] {
			twice++
		}
		if f.key == [4]byte{} {
			zero++
		}
		seen[f.key] = true
		require.False(t, i > 0 && f.key == all[i-1].key, "two in a row")
	}
	require.Less(t, twice, 10)
	require.Less(t, zero, 2)
}

func TestMSK01KeysDiffer(t *testing.T) {
	distinct(t, clientFrames(t, 100_000, func(c *websocket.Conn) error {
		return c.Write(t.Context(), websocket.Binary, []byte("same"))
	}))
}

// Keys come from crypto/rand: no file of the package imports another source of
// random numbers, and each bit is set about as often as not.
func TestMSK02KeysAreUnpredictable(t *testing.T) {
	files, err := filepath.Glob("../*.go")
	require.NoError(t, err)
	secure := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range file.Imports {
			require.False(t, strings.HasPrefix(spec.Path.Value, `"math/rand`), "%s imports %s", name, spec.Path.Value)
			if spec.Path.Value == `"crypto/rand"` {
				secure++
			}
		}
	}
	require.Positive(t, secure)

	const n = 20_000
	var set [32]int
	for _, f := range clientFrames(t, n, func(c *websocket.Conn) error { return c.Write(t.Context(), websocket.Text, nil) }) {
		for bit := range set {
			set[bit] += int(f.key[bit/8] >> (bit % 8) & 1)
		}
	}
	for bit, count := range set {
		// Seven standard deviations of the binomial distribution are 495.
		require.InDelta(t, n/2, count, 495, "bit %d", bit)
	}
}

func TestMSK03EmptyFramesHaveKeys(t *testing.T) {
	distinct(t, clientFrames(t, 20_000, func(c *websocket.Conn) error { return c.Write(t.Context(), websocket.Binary, nil) }))
}

// A slice that a thousand clients send at once is as it was.
func TestMSK04CallersBytes(t *testing.T) {
	for _, size := range []int{1, 100, 5000} {
		shared := bytes.Repeat([]byte("shared!"), size)
		want := bytes.Clone(shared)
		var all sync.WaitGroup
		for range 1000 {
			ours, peer := wstest.NetPipe(0)
			c, err := websocket.NewConn(ours, websocket.Handshake{Role: websocket.RoleClient}, nil)
			require.NoError(t, err)
			raw := collect(peer)
			all.Go(func() {
				defer peer.Close()
				defer c.CloseNow()
				if c.Write(t.Context(), websocket.Binary, shared) != nil {
					t.Error("write")
				}
				c.CloseNow()
				if f := refFrames(t, websocket.RoleClient, <-raw); !bytes.Equal(f[0].payload, want) {
					t.Error("sent something else")
				}
			})
		}
		all.Wait()
		require.True(t, bytes.Equal(want, shared))
	}
}

// Frames to a server without a mask, and to a client with one.
func TestMSK05UnmaskedClient(t *testing.T) {
	for _, in := range []string{"810568656c6c6f", "8100", "8900", "880203e8", "8a00", "010161"} {
		for _, role := range bothRoles {
			r := row{name: in, code: 1002}
			playRow(t, r, role, frames(other(role), in))
		}
	}
}

// Every start in the key, every length to 300, every offset in memory to 64.
func TestMSK06AgainstBytewise(t *testing.T) {
	key := [4]byte{0x12, 0x34, 0x56, 0x78}
	space := make([]byte, 64+300+64)
	for offset := 0; offset < 64; offset += thin(7) {
		for n := 0; n <= 300; n++ {
			for pos := range 4 {
				for i := range space {
					space[i] = byte(i * 11)
				}
				p := space[offset : offset+n]
				websocket.Mask(p, p, key, pos)
				for i, b := range space {
					want := byte(i * 11)
					if i >= offset && i < offset+n {
						want ^= key[(i-offset+pos)&3]
					}
					if b != want {
						t.Fatalf("offset %d, length %d, pos %d: byte %d is %x, not %x", offset, n, pos, i, b, want)
					}
				}
			}
		}
	}
}
