package fuzz

// Buffers that connections share. That no byte crosses between a thousand of them is
// TestIsolation in the root; here are the ways in which it could come about. With the
// tag wspoison whatever goes back too early is overwritten, and shows.

import (
	"bytes"
	"context"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// Parts of a message that goes out compressed, or in fragments, are never given back
// for whole buffers: two connections that send at the same time do not mix.
func TestPOOL02FragmentsAndCompression(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		for i := range 20 {
			want := bytes.Repeat([]byte{byte('a' + i)}, 10_000+i)
			opts := deflating()
			server, client := wstest.Pipe(&wstest.Options{Server: opts, Client: opts, Buffer: 1000})
			all.Go(func() {
				for range 20 {
					w, err := client.Writer(context.Background(), websocket.Binary)
					if err != nil {
						return
					}
					w.Write(want[:len(want)/3])
					w.Write(want[len(want)/3:])
					w.Close()
					client.Write(context.Background(), websocket.Binary, want)
				}
				client.Close(websocket.StatusNormalClosure, "")
			})
			all.Go(func() {
				n := 0
				err := server.Serve(context.Background(), func(_ websocket.Opcode, p []byte) error {
					n++
					if !bytes.Equal(want, p) {
						t.Errorf("connection %d: message %d came changed", i, n)
					}
					return nil
				})
				if err != nil || n != 40 {
					t.Errorf("connection %d: %d messages, %v", i, n, err)
				}
			})
		}
		all.Wait()
	})
}

// Whole buffers come back: many connections one after the other allocate no new ones.
func TestPOOL03BuffersComeBack(t *testing.T) {
	message := make([]byte, 200_000)
	once := func() {
		synctest.Test(t, func(t *testing.T) {
			server, client := wstest.Pipe(&wstest.Options{Buffer: 4096})
			go client.Write(context.Background(), websocket.Binary, message)
			_, p, err := server.Next(context.Background())
			require.NoError(t, err)
			require.Len(t, p, len(message))
			server.CloseNow()
			client.CloseNow()
			_, _, err = server.Next(context.Background())
			require.Error(t, err)
		})
	}
	if thin(2) > 1 {
		t.Skip("with the race detector a sync.Pool forgets at random")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection would empty the pools
	for range 3 {
		once()
	}
	before := heapTotal()
	for range 10 {
		once()
	}
	// The stream in memory allocates as much as crosses.
	require.Less(t, (heapTotal()-before)/10, uint64(len(message)*3/2), "or each has a buffer of its own for the message")
}

// A message that was lent stays what it was until the next read, although somebody
// closes, at whatever moment.
func TestPOOL04CloseWhileReading(t *testing.T) {
	for _, n := range []int{5, 4000, 5000, 70_000} {
		want := bytes.Repeat([]byte("lent"), n)
		for after := range 40 {
			synctest.Test(t, func(t *testing.T) {
				server, client := wstest.Pipe(&wstest.Options{Buffer: 4096})
				defer client.CloseNow()
				wait := time.Duration(after) * 10 * time.Microsecond
				var all sync.WaitGroup
				defer all.Wait()
				all.Go(func() {
					<-time.After(wait)
					server.Close(websocket.StatusNormalClosure, "")
				})
				all.Go(func() {
					for client.Write(context.Background(), websocket.Text, want) == nil {
						<-time.After(20 * time.Microsecond)
					}
				})
				go client.Serve(context.Background(), func(websocket.Opcode, []byte) error { return nil })
				for {
					_, p, err := server.Next(context.Background())
					if err != nil {
						break
					}
					<-time.After(35 * time.Microsecond)
					require.True(t, bytes.Equal(want, p), "%d bytes, closed after %v", n, wait)
				}
			})
		}
	}
}

// The caller may overwrite its bytes as soon as a write has returned, also if they
// are held back.
func TestPOOL05CallersBytes(t *testing.T) {
	for _, batch := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			opts := websocket.Options{Batch: batch}
			server, client := wstest.Pipe(&wstest.Options{Server: opts, Client: opts, Buffer: 3000})
			go func() {
				p := make([]byte, 20_000)
				for i := range 50 {
					q := p[:i*i*7%len(p)]
					for k := range q {
						q[k] = byte(i)
					}
					if client.Write(context.Background(), websocket.Binary, q) != nil {
						return
					}
					clear(q)
				}
				client.Close(websocket.StatusNormalClosure, "")
			}()
			i := 0
			err := server.Serve(context.Background(), func(_ websocket.Opcode, p []byte) error {
				if want := bytes.Repeat([]byte{byte(i)}, i*i*7%20_000); !bytes.Equal(want, p) {
					t.Errorf("message %d came changed", i)
				}
				i++
				return server.Write(context.Background(), websocket.Binary, []byte("so that some is held back"))
			})
			require.NoError(t, err)
			require.Equal(t, 50, i)
		})
	}
}

// Closing a second time gives nothing back a second time: two who write afterwards
// have a buffer each.
func TestPOOL07CloseTwice(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			for range 10 {
				c, peer := open(t, role, "", nil, 0)
				raw := collect(peer)
				w, err := c.Writer(t.Context(), websocket.Text)
				require.NoError(t, err)
				_, err = w.Write([]byte("once"))
				require.NoError(t, err)
				require.NoError(t, w.Close())
				require.Error(t, w.Close())
				_, err = w.Write([]byte("late"))
				require.Error(t, err)

				one, err := c.Writer(t.Context(), websocket.Text)
				require.NoError(t, err)
				other, peer2 := open(t, role, "", nil, 0)
				raw2 := collect(peer2)
				two, err := other.Writer(t.Context(), websocket.Text)
				require.NoError(t, err)
				one.Write([]byte("first"))
				two.Write([]byte("second"))
				require.NoError(t, one.Close())
				require.NoError(t, two.Close())
				for range 3 {
					c.CloseNow()
					other.CloseNow()
				}
				sent := refFrames(t, role, <-raw)
				require.Equal(t, "once", string(sent[0].payload))
				require.Equal(t, "first", string(sent[1].payload))
				require.Equal(t, "second", string(refFrames(t, role, <-raw2)[0].payload))
			}
		})
	}
}
