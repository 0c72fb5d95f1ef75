package websocket

import (
	"context"
	"io"
	"net"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// tcpPair returns the two ends of a TCP connection over loopback.
func tcpPair(t testing.TB) (server, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			close(accepted)
			return
		}
		accepted <- c
	}()
	client, err = net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	server, ok := <-accepted
	require.True(t, ok)
	return server, client
}

// connPair returns the two ends of a connection over loopback: the server's over what
// Accept would make of it, the client's over a net.Conn.
func connPair(t testing.TB, opts *Options) (server, client *Conn) {
	t.Helper()
	s, c := tcpPair(t)
	stream, _ := ownStream(s)
	server, err := NewConn(stream, Handshake{Role: RoleServer}, opts)
	require.NoError(t, err)
	client, err = NewConn(c, Handshake{Role: RoleClient}, opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		server.CloseNow()
		client.CloseNow()
	})
	return server, client
}

// A message that was lent may be appended to: what follows it in the read buffer is
// not in its capacity.
func TestAppendToLentMessage(t *testing.T) {
	ours, theirs := tcpPair(t)
	defer theirs.Close()
	c, err := NewConn(ours, Handshake{Role: RoleServer}, nil)
	require.NoError(t, err)
	defer c.CloseNow()
	_, err = theirs.Write([]byte{
		0x82, 0x83, 0, 0, 0, 0, 'o', 'n', 'e', // in one frame
		0x02, 0x82, 0, 0, 0, 0, 't', 'w', // in two
		0x80, 0x81, 0, 0, 0, 0, 'o',
		0x82, 0x85, 0, 0, 0, 0, 't', 'h', 'r', 'e', 'e',
	})
	require.NoError(t, err)
	for _, want := range []string{"one", "two", "three"} {
		_, p, err := c.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, string(p))
		_ = append(p, "!!!!!!!!!!!!!!!!"...)
	}
}

func TestEcho(t *testing.T) {
	server, client := connPair(t, nil)
	done := make(chan error, 1)
	go func() {
		done <- server.Serve(context.Background(), func(op Opcode, p []byte) error {
			return server.Write(context.Background(), op, p)
		})
	}()
	ctx := context.Background()
	for _, n := range []int{0, 1, 125, 126, 127, 4096, 65535, 65536, 1 << 20} {
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(i * 7)
		}
		require.NoError(t, client.Write(ctx, Binary, want))
		op, got, err := client.Read(ctx)
		require.NoError(t, err)
		require.Equal(t, Binary, op)
		require.Equal(t, len(want), len(got))
		require.Equal(t, want, append([]byte{}, got...))
	}
	require.NoError(t, client.Close(StatusNormalClosure, "bye"))
	require.NoError(t, <-done)
	require.NoError(t, server.Close(StatusNormalClosure, ""))
	_, _, err := server.Read(ctx)
	var ce *CloseError
	require.ErrorAs(t, err, &ce)
	require.Equal(t, CloseError{Code: StatusNormalClosure, Reason: "bye", Remote: true}, *ce)
	_, _, err = client.Read(ctx)
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestStreams(t *testing.T) {
	server, client := connPair(t, nil)
	ctx := context.Background()
	go func() {
		w, err := client.Writer(ctx, Text)
		if err != nil {
			return
		}
		for range 1000 {
			io.WriteString(w, "0123456789abcdef")
		}
		w.Close()
		client.Write(ctx, Text, []byte("after"))
	}()
	op, r, err := server.Reader(ctx)
	require.NoError(t, err)
	require.Equal(t, Text, op)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Len(t, b, 16000)
	_, p, err := server.Read(ctx)
	require.NoError(t, err)
	require.Equal(t, "after", string(p))
}

func TestAllocations(t *testing.T) {
	for _, n := range []int{16, 1024, 65536} {
		server, client := connPair(t, nil)
		ctx := context.Background()
		msg := make([]byte, n)
		round := func() {
			if err := client.Write(ctx, Binary, msg); err != nil {
				panic(err)
			}
			op, p, err := server.Next(ctx)
			if err != nil {
				panic(err)
			}
			if err := server.Write(ctx, op, p); err != nil {
				panic(err)
			}
			if _, _, err := client.Next(ctx); err != nil {
				panic(err)
			}
		}
		for range 100 {
			round()
		}
		allocs := testing.AllocsPerRun(100, round)
		if !raceDetector && !poisoning {
			require.Zero(t, allocs, "%d bytes", n)
		}
	}
}

// A connection is as large as it may be without taking the next size that Go's allocator
// has, 128 bytes more: 896, of which it needs 8 itself.
func TestConnSize(t *testing.T) {
	require.LessOrEqual(t, reflect.TypeFor[Conn]().Size(), uintptr(896-8))
}
