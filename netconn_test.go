package websocket_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// netConns runs fn with a connection as two net.Conns, in a bubble, which ends
// only if no goroutine is left.
func netConns(t *testing.T, opts wstest.Options, fn func(t *testing.T, server, client *websocket.Conn, s, c net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(&opts)
		s, c := server.NetConn(websocket.Binary), client.NetConn(websocket.Binary)
		defer server.CloseNow()
		defer client.CloseNow()
		fn(t, server, client, s, c)
	})
}

func closeWrite(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.(interface{ CloseWrite() error }).CloseWrite())
}

// Reads take messages apart, at any place, and see no boundaries between them.
func TestNetConnPartialReads(t *testing.T) {
	var rec wstest.Recorder
	netConns(t, wstest.Options{Recorder: &rec}, func(t *testing.T, server, client *websocket.Conn, s, c net.Conn) {
		for _, m := range []string{"abcde", "", "f", "ghij"} {
			n, err := c.Write([]byte(m))
			require.NoError(t, err)
			require.Equal(t, len(m), n)
		}
		require.Len(t, rec.Frames(), 3, "a write of nothing is no message")
		require.NoError(t, client.Write(context.Background(), websocket.Binary, nil)) // an empty message is no end
		_, err := c.Write([]byte("kl"))
		require.NoError(t, err)
		got := ""
		for len(got) < 12 {
			p := make([]byte, 3)
			n, err := s.Read(p)
			require.NoError(t, err)
			require.NotZero(t, n)
			got += string(p[:n])
		}
		require.Equal(t, "abcdefghijkl", got)
		n, err := s.Read(nil)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

// A message is read as it comes, not when all of it is there.
func TestNetConnReadsUnfinishedMessages(t *testing.T) {
	netConns(t, wstest.Options{}, func(t *testing.T, server, client *websocket.Conn, s, c net.Conn) {
		w, err := client.Writer(context.Background(), websocket.Binary)
		require.NoError(t, err)
		_, err = w.Write(make([]byte, 5000))
		require.NoError(t, err)
		_, err = io.ReadFull(s, make([]byte, 4096))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		_, err = io.ReadFull(s, make([]byte, 5000-4096))
		require.NoError(t, err)
	})
}

func TestNetConnLargeWrite(t *testing.T) {
	for _, compression := range []*websocket.Compression{nil, {}} {
		both := websocket.Options{Compression: compression}
		netConns(t, wstest.Options{Server: both, Client: both}, func(t *testing.T, server, client *websocket.Conn, s, c net.Conn) {
			want := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16) // three times the limit of a message
			go func() {
				n, err := c.Write(want)
				if err != nil || n != len(want) {
					t.Errorf("%d, %v", n, err)
				}
				c.(interface{ CloseWrite() error }).CloseWrite()
			}()
			got, err := io.ReadAll(s)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got))
		})
	}
}

// Text that is cut into messages is cut between runes.
func TestNetConnText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec wstest.Recorder
		server, client := wstest.Pipe(&wstest.Options{Recorder: &rec, Buffer: 1 << 20})
		defer server.CloseNow()
		defer client.CloseNow()
		s, c := server.NetConn(websocket.Text), client.NetConn(websocket.Text)
		for shift := range 4 {
			want := strings.Repeat("x", shift) + strings.Repeat("\U0001F600", 20_000)
			_, err := c.Write([]byte(want))
			require.NoError(t, err)
			got := make([]byte, len(want))
			_, err = io.ReadFull(s, got)
			require.NoError(t, err)
			require.Equal(t, want, string(got))
		}
		for _, f := range rec.Frames() {
			require.Equal(t, websocket.Text, f.Op)
			require.True(t, utf8.Valid(f.Payload))
		}
	})
}

func requireTimeout(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	var ne net.Error
	require.ErrorAs(t, err, &ne)
	require.True(t, ne.Timeout())
}

// A read deadline ends the read at its time, and the next read goes on, within a
// frame as between frames.
func TestNetConnReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, wire := wstest.NetPipe(0)
		defer wire.Close()
		conn, err := websocket.NewConn(ours, websocket.Handshake{}, &websocket.Options{KeepaliveInterval: -1})
		require.NoError(t, err)
		defer conn.CloseNow()
		c := conn.NetConn(websocket.Binary)
		// Two masked binary frames, key 0, given byte by byte.
		stream := "\x82\x83\x00\x00\x00\x00abc" + "\x82\x82\x00\x00\x00\x00de"
		got := ""
		for i := range stream {
			_, err := wire.Write([]byte(stream[i : i+1]))
			require.NoError(t, err)
			for {
				begun := time.Now()
				require.NoError(t, c.SetReadDeadline(begun.Add(time.Second)))
				p := make([]byte, 10)
				n, err := c.Read(p)
				if err != nil {
					requireTimeout(t, err)
					require.Equal(t, time.Second, time.Since(begun))
					break
				}
				got += string(p[:n])
			}
		}
		require.Equal(t, "abcde", got)

		// It holds for later reads too, and one in the past at once.
		for range 2 {
			begun := time.Now()
			_, err = c.Read(make([]byte, 1))
			requireTimeout(t, err)
			require.Zero(t, time.Since(begun))
		}
		require.NoError(t, c.SetReadDeadline(time.Unix(1, 0)))
		_, err = c.Read(make([]byte, 1))
		requireTimeout(t, err)
	})
}

// A deadline that is moved while a call waits moves the end of that call.
func TestNetConnDeadlineMoves(t *testing.T) {
	patient := websocket.Options{WriteTimeout: -1, KeepaliveInterval: -1}
	netConns(t, wstest.Options{Buffer: 100, Server: patient, Client: patient}, func(t *testing.T, server, client *websocket.Conn, s, c net.Conn) {
		for _, call := range []func() error{
			func() error { _, err := c.Read(make([]byte, 1)); return err },
			func() error { _, err := c.Write(make([]byte, 1000)); return err },
		} {
			begun := time.Now()
			require.NoError(t, c.SetDeadline(begun.Add(time.Second)))
			time.AfterFunc(time.Second/2, func() { c.SetDeadline(begun.Add(time.Minute)) })
			time.AfterFunc(time.Minute/2, func() { c.SetDeadline(begun.Add(2 * time.Second)) })
			for {
				if err := call(); err != nil { // a write that was cut is not an error
					requireTimeout(t, err)
					break
				}
			}
			require.Equal(t, time.Minute/2, time.Since(begun))
		}
	})
}

// A write deadline that passes within a frame costs nothing: the rest of the frame
// goes out when the peer reads again.
func TestNetConnWriteDeadline(t *testing.T) {
	for _, size := range []int{1, 7, 1000, 100_000} {
		netConns(t, wstest.Options{Buffer: 50}, func(t *testing.T, server, client *websocket.Conn, s, c net.Conn) {
			sent := 0
			require.NoError(t, c.SetWriteDeadline(time.Now().Add(time.Second)))
			for tries := 0; ; tries++ {
				require.Less(t, tries, 100)
				p := make([]byte, size)
				for i := range p {
					p[i] = byte(sent + i)
				}
				n, err := c.Write(p)
				sent += n
				if err != nil {
					requireTimeout(t, err)
					break
				}
			}
			got := make([]byte, sent)
			_, err := io.ReadFull(s, got)
			require.NoError(t, err)
			for i := range got {
				require.Equal(t, byte(i), got[i])
			}
			require.NoError(t, c.SetWriteDeadline(time.Time{}))
			_, err = c.Write([]byte("on"))
			require.NoError(t, err)
			_, err = io.ReadFull(s, got[:2])
			require.NoError(t, err)
			require.Equal(t, "on", string(got[:2]))
		})
	}
}

// A peer that takes nothing for WriteTimeout is gone, whatever the deadlines.
func TestNetConnWriteTimeout(t *testing.T) {
	netConns(t, wstest.Options{Buffer: 50}, func(t *testing.T, server, client *websocket.Conn, s, c net.Conn) {
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(time.Second)))
		n, err := c.Write(make([]byte, 1000))
		require.NoError(t, err)
		require.Equal(t, 1000, n)
		require.NoError(t, c.SetWriteDeadline(time.Time{}))
		_, err = c.Write(make([]byte, 1000))
		var ce *websocket.CloseError
		require.ErrorAs(t, err, &ce)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		var ne net.Error
		require.ErrorAs(t, err, &ne)
		require.False(t, ne.Timeout(), "trying again is no use")
	})
}

func TestNetConnEnds(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(server *websocket.Conn)
		want error // nil: one that is not io.EOF and wraps a CloseError with code
		code websocket.StatusCode
	}{
		{"1000", func(c *websocket.Conn) { c.Close(websocket.StatusNormalClosure, "") }, io.EOF, 0},
		{"1001", func(c *websocket.Conn) { c.Close(websocket.StatusGoingAway, "") }, io.EOF, 0},
		{"1011", func(c *websocket.Conn) { c.Close(websocket.StatusInternalError, "") }, nil, websocket.StatusInternalError},
		{"cut off", func(c *websocket.Conn) { c.CloseNow() }, nil, websocket.StatusAbnormalClosure},
	} {
		t.Run(tc.name, func(t *testing.T) {
			netConns(t, wstest.Options{}, func(t *testing.T, server, client *websocket.Conn, s, c net.Conn) {
				_, err := s.Write([]byte("last"))
				require.NoError(t, err)
				go tc.do(server)
				got, err := io.ReadAll(c)
				require.Equal(t, "last", string(got))
				for range 3 { // the same for ever
					if tc.want == io.EOF {
						require.NoError(t, err)
					} else {
						var ce *websocket.CloseError
						require.ErrorAs(t, err, &ce)
						require.Equal(t, tc.code, ce.Code)
					}
					_, err = io.ReadAll(c)
				}
				_, err = c.Write([]byte("x"))
				require.Error(t, err)
				require.NotErrorIs(t, err, io.EOF)
			})
		})
	}
}

// After CloseWrite the peer reads to the end, and so do we.
func TestNetConnCloseWrite(t *testing.T) {
	netConns(t, wstest.Options{}, func(t *testing.T, server, client *websocket.Conn, s, c net.Conn) {
		_, err := s.Write([]byte("on the way"))
		require.NoError(t, err)
		_, err = c.Write([]byte("all of it"))
		require.NoError(t, err)
		closeWrite(t, c)
		closeWrite(t, c)
		_, err = c.Write([]byte("more"))
		require.ErrorIs(t, err, net.ErrClosed)
		got, err := io.ReadAll(s)
		require.NoError(t, err)
		require.Equal(t, "all of it", string(got))
		got, err = io.ReadAll(c)
		require.NoError(t, err)
		require.Equal(t, "on the way", string(got))
		require.NoError(t, c.Close())
		require.NoError(t, client.Close(websocket.StatusNormalClosure, ""))
	})
}

// A peer that never answers the close frame does not make an end in order.
func TestNetConnCloseWriteUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, wire := wstest.NetPipe(0)
		defer wire.Close()
		conn, err := websocket.NewConn(ours, websocket.Handshake{}, nil)
		require.NoError(t, err)
		c := conn.NetConn(websocket.Binary)
		closeWrite(t, c)
		begun := time.Now()
		_, err = c.Read(make([]byte, 1))
		require.Error(t, err)
		require.NotErrorIs(t, err, io.EOF)
		require.Equal(t, 5*time.Second, time.Since(begun))
	})
}

// Close ends calls that wait, at once, and is never long itself.
func TestNetConnClose(t *testing.T) {
	netConns(t, wstest.Options{Buffer: 100}, func(t *testing.T, server, client *websocket.Conn, s, c net.Conn) {
		results := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 1))
			results <- err
		}()
		go func() {
			var err error
			for err == nil {
				_, err = c.Write(make([]byte, 1000))
			}
			results <- err
		}()
		synctest.Wait()
		begun := time.Now()
		go c.Close()
		for range 2 {
			require.ErrorIs(t, <-results, net.ErrClosed)
		}
		require.Zero(t, time.Since(begun))
		require.ErrorIs(t, c.Close(), net.ErrClosed)
		for _, err := range []error{c.SetDeadline(time.Now()), c.SetReadDeadline(time.Now()), c.SetWriteDeadline(time.Now())} {
			require.ErrorIs(t, err, net.ErrClosed)
		}
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = c.Write(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
		require.ErrorIs(t, c.(interface{ CloseWrite() error }).CloseWrite(), net.ErrClosed)
		_, err = io.Copy(io.Discard, s) // what had begun to be sent comes whole, and then the end
		require.NoError(t, err)
		require.NoError(t, client.Close(websocket.StatusNormalClosure, ""))
		require.Less(t, time.Since(begun), 2*time.Second)
	})
}

// What comes behind a message that was refused is not read as if there were no gap.
func TestNetConnReadsNothingBehindWrongKind(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c, err := websocket.NewConn(ours, websocket.Handshake{Role: websocket.RoleClient}, nil)
	require.NoError(t, err)
	defer c.CloseNow()
	go theirs.Write([]byte("\x81\x05wrong\x82\x05right"))
	s := c.NetConn(websocket.Binary)
	for range 3 {
		n, err := s.Read(make([]byte, 10))
		var ce *websocket.CloseError
		require.ErrorAs(t, err, &ce)
		require.Zero(t, n)
	}
}

// A write that fails looks for what the peer said before, and takes nothing of it from
// a read that is between two messages.
func TestNetConnReadsAfterFailedWrite(t *testing.T) {
	ours, theirs := wstest.NetPipe(0)
	c, err := websocket.NewConn(ours, websocket.Handshake{Role: websocket.RoleClient}, nil)
	require.NoError(t, err)
	defer c.CloseNow()
	theirs.Write([]byte("\x82\x05first\x82\x06second"))
	n := c.NetConn(websocket.Binary)
	p := make([]byte, 5)
	_, err = io.ReadFull(n, p)
	require.NoError(t, err)
	require.Equal(t, "first", string(p))
	theirs.Close()
	_, err = n.Write([]byte("x"))
	require.Error(t, err)
	p = make([]byte, 6)
	_, err = io.ReadFull(n, p)
	require.NoError(t, err)
	require.Equal(t, "second", string(p))
}

func TestNetConnWrongKind(t *testing.T) {
	netConns(t, wstest.Options{}, func(t *testing.T, server, client *websocket.Conn, s, c net.Conn) {
		require.NoError(t, client.Write(context.Background(), websocket.Text, []byte("text")))
		_, err := s.Read(make([]byte, 10))
		var ce *websocket.CloseError
		require.ErrorAs(t, err, &ce)
		require.Equal(t, websocket.StatusUnsupportedData, ce.Code)
		_, err = c.Read(make([]byte, 10))
		require.ErrorAs(t, err, &ce)
		require.Equal(t, "expected binary messages, not text", ce.Reason)
		_, err = s.Read(make([]byte, 10))
		require.ErrorAs(t, err, &ce)
		_, err = client.NetConn(websocket.Ping).Write([]byte("x"))
		require.ErrorContains(t, err, "Text or Binary")
	})
}

// Several readers and writers share the stream as they would a socket's: each call
// is whole.
func TestNetConnConcurrent(t *testing.T) {
	netConns(t, wstest.Options{Buffer: 10_000}, func(t *testing.T, server, client *websocket.Conn, s, c net.Conn) {
		const writers, size = 4, 100_000
		for w := range writers {
			go c.Write(bytes.Repeat([]byte{'a' + byte(w)}, size))
		}
		got := make([]byte, writers*size)
		_, err := io.ReadFull(s, got)
		require.NoError(t, err)
		for w := range writers {
			part := got[w*size : (w+1)*size]
			require.Equal(t, size, bytes.Count(part, part[:1]))
		}
		read := make(chan int)
		for range 3 {
			go func() {
				n, _ := s.Read(make([]byte, 1))
				read <- n
			}()
		}
		c.Write([]byte("xyz"))
		for range 3 {
			require.Equal(t, 1, <-read)
		}
	})
}

type bare struct{ io.ReadWriteCloser }

func TestNetConnAddr(t *testing.T) {
	netConns(t, wstest.Options{}, func(t *testing.T, server, client *websocket.Conn, s, c net.Conn) {
		require.Equal(t, "server", s.LocalAddr().String())
		require.Equal(t, "client", s.RemoteAddr().String())
		other, _ := wstest.NetPipe(0)
		conn, err := websocket.NewConn(bare{other}, websocket.Handshake{}, nil)
		require.NoError(t, err)
		defer conn.CloseNow()
		require.Equal(t, "websocket", conn.NetConn(websocket.Text).LocalAddr().Network())
		require.Equal(t, "websocket", conn.NetConn(websocket.Text).RemoteAddr().String())
	})
}
