//go:build wspoison

package websocket

// What the tag wspoison is for: it makes those see their mistake who give a buffer
// back twice, or keep what was lent to them.

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDoublePutPanics(t *testing.T) {
	for _, n := range []int{1, 4096, 5000, 1 << 22, 1<<22 + 1} {
		b := newBuffer(n)
		b.put()
		require.PanicsWithValue(t, "websocket: buffer given back twice", b.put, "%d bytes", n)
	}
	require.NotPanics(t, (*buffer)(nil).put)
}

// TestPutPoisons: what goes back is overwritten to its last byte, and whoever takes
// it finds it empty.
func TestPutPoisons(t *testing.T) {
	b := newBuffer(4096)
	mine := append(b.b, "somebody's secret"...)[:cap(b.b)]
	b.put()
	require.Equal(t, bytes.Repeat([]byte{poison}, len(mine)), mine)
	require.Zero(t, newBuffer(4096).len())
}

// TestLentExpires: what Next lent is overwritten when the next read begins.
func TestLentExpires(t *testing.T) {
	server, client := connPair(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, n := range []int{5, 5000, 100_000} {
		want := bytes.Repeat([]byte("x"), n)
		wrote := make(chan error, 1)
		go func() { wrote <- client.Write(ctx, Binary, want) }()
		_, lent, err := server.Next(ctx)
		require.NoError(t, err)
		require.Equal(t, want, lent)
		require.NoError(t, <-wrote)
		over, stop := context.WithCancel(ctx)
		stop()
		_, _, err = server.Next(over)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, bytes.Repeat([]byte{poison}, n), lent)
	}
}
