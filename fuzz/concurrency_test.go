package fuzz

// Many goroutines on one connection, and errors in the middle of what they do. The
// frames are taken apart here, by the reference.

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// numbered is a message that tells who wrote it and which it is.
func numbered(who, which, size int) []byte {
	p := make([]byte, 8+size)
	binary.BigEndian.PutUint32(p, uint32(who))
	binary.BigEndian.PutUint32(p[4:], uint32(which))
	for i := range size {
		p[8+i] = byte(who*31 + which*7 + i)
	}
	return p
}

// writeMany writes n numbered messages in all the ways there are.
func writeMany(c *websocket.Conn, who, n int) error {
	ctx := context.Background()
	for which := range n {
		p := numbered(who, which, which*which*13%6000)
		switch (who + which) % 4 {
		case 0:
			w, err := c.Writer(ctx, websocket.Binary)
			if err != nil {
				return err
			}
			for _, half := range [][]byte{p[:len(p)/2], p[len(p)/2:]} {
				if _, err := w.Write(half); err != nil {
					return err
				}
			}
			if err := w.Close(); err != nil {
				return err
			}
		case 1:
			m, err := websocket.Prepare(websocket.Binary, p)
			if err != nil {
				return err
			}
			if err := c.WritePrepared(ctx, m); err != nil {
				return err
			}
		default:
			if err := c.Write(ctx, websocket.Binary, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// messages joins the frames of a stream and holds them against section 5.4: only
// control frames come between the fragments of a message.
func messages(t *testing.T, sent []refFrame) (all [][]byte, control int) {
	t.Helper()
	inside := false
	for _, f := range sent {
		switch {
		case f.op >= 8:
			require.True(t, f.fin)
			control++
		case f.op == 0:
			require.True(t, inside, "a continuation of nothing")
			all[len(all)-1] = append(all[len(all)-1], f.payload...)
			inside = !f.fin
		default:
			require.False(t, inside, "a message within another")
			all = append(all, append([]byte(nil), f.payload...))
			inside = !f.fin
		}
	}
	require.False(t, inside)
	return all, control
}

// Sixteen goroutines write, ping, flush and ask at once: frames come whole, fragments
// of a message one behind the other, the messages of each goroutine in its order, and
// none is missing.
func TestCON01EverybodyWrites(t *testing.T) {
	const writers, each = 8, 40
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			c, peer := open(t, role, "", nil, 700)
			raw := collect(peer)
			var all sync.WaitGroup
			errs := make(chan error, writers)
			for who := range writers {
				all.Go(func() { errs <- writeMany(c, who, each) })
			}
			for range 8 {
				all.Go(func() {
					for range 20 {
						ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
						c.Ping(ctx)
						cancel()
						c.Flush(context.Background())
						c.Stats()
					}
				})
			}
			for range writers {
				require.NoError(t, <-errs)
			}
			all.Wait()
			c.CloseNow()
			got, pings := messages(t, refFrames(t, role, <-raw))
			require.Positive(t, pings)
			requireInOrder(t, got, writers, each)
		})
	}
}

// requireInOrder wants the messages of writers, each of them in order, unchanged.
func requireInOrder(t *testing.T, got [][]byte, writers, each int) {
	t.Helper()
	require.Len(t, got, writers*each)
	next := make([]int, writers)
	for _, p := range got {
		require.GreaterOrEqual(t, len(p), 8)
		who, which := int(binary.BigEndian.Uint32(p)), int(binary.BigEndian.Uint32(p[4:]))
		require.Less(t, who, writers)
		require.Equal(t, next[who], which, "of writer %d", who)
		require.Equal(t, numbered(who, which, len(p)-8), p)
		next[who]++
	}
}

// Reading on after any error gives the same error, ten thousand times.
func TestCON02ReadAfterError(t *testing.T) {
	for name, in := range map[string]string{"protocol": "8b00", "text": "8101ff", "closed": "880203e8", "too big": "827f4000000000000000", "lost": ""} {
		for _, role := range bothRoles {
			synctest.Test(t, func(t *testing.T) {
				c, peer := open(t, role, "", nil, 0)
				peer.Write(frames(role, in))
				peer.Close()
				_, first := readAll(c)
				for range 10_000 {
					_, _, err := c.Next(t.Context())
					require.True(t, first == err, name)
				}
				_, _, err := c.Reader(t.Context())
				require.Equal(t, first, err)
			})
		}
	}
}

// Messages of many writers, through another connection's read and back: none is
// lost, doubled, changed or out of order.
func TestCON04NothingIsLost(t *testing.T) {
	writers, each := 8, 2000/thin(10)
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(&wstest.Options{Buffer: 4096})
		go func() {
			server.Serve(context.Background(), func(op websocket.Opcode, p []byte) error {
				return server.Write(context.Background(), op, p)
			})
		}()
		for who := range writers {
			go func() {
				for which := range each {
					if client.Write(context.Background(), websocket.Binary, numbered(who, which, which%100)) != nil {
						return
					}
				}
			}()
		}
		var got [][]byte
		for range writers * each {
			_, p, err := client.Read(t.Context())
			require.NoError(t, err)
			got = append(got, p)
		}
		require.NoError(t, client.Close(websocket.StatusNormalClosure, ""))
		requireInOrder(t, got, writers, each)
	})
}

// Connections that end in every way leave no goroutine: the bubble ends.
func TestCON05NoGoroutineStays(t *testing.T) {
	ways := map[string]func(server, client *websocket.Conn){
		"closed":    func(s, c *websocket.Conn) { c.Close(websocket.StatusNormalClosure, "") },
		"both":      func(s, c *websocket.Conn) { go s.Close(websocket.StatusGoingAway, ""); c.Close(3000, "") },
		"CloseNow":  func(s, c *websocket.Conn) { c.CloseNow() },
		"never met": func(s, c *websocket.Conn) { s.CloseNow(); c.CloseNow() },
		"pinged":    func(s, c *websocket.Conn) { go c.Ping(context.Background()); c.CloseNow() },
		"writing": func(s, c *websocket.Conn) {
			go c.Write(context.Background(), websocket.Binary, make([]byte, 1<<20))
			c.CloseNow()
		},
		"streaming": func(s, c *websocket.Conn) {
			w, err := c.Writer(context.Background(), websocket.Text)
			if err == nil {
				io.WriteString(w, "never closed")
			}
			c.Close(websocket.StatusNormalClosure, "")
		},
	}
	for name, end := range ways {
		synctest.Test(t, func(t *testing.T) {
			for range 100 / thin(5) {
				server, client := wstest.Pipe(nil)
				server.CloseRead(context.Background())
				client.CloseRead(context.Background())
				end(server, client)
				<-server.Context().Done()
				<-client.Context().Done()
				require.Error(t, context.Cause(server.Context()), name)
			}
		})
	}
}

// Deadlines in the past, none, and as far away as there are, set by everybody while
// others read and write: nothing panics, and without one everything works again.
func TestCON07Deadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(nil)
		s, c := server.NetConn(websocket.Binary), client.NetConn(websocket.Binary)
		times := []time.Time{{}, time.Unix(0, 0), time.Unix(-1<<40, 0), time.Now(), time.Now().Add(time.Nanosecond), time.Unix(1<<40, 0), time.Now().Add(1<<63 - 1)}
		stop := make(chan struct{})
		var others sync.WaitGroup
		for _, use := range []func() error{
			func() error { _, err := s.Write([]byte("hi")); return err },
			func() error { _, err := c.Read(make([]byte, 10)); return err },
		} {
			others.Go(func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Microsecond):
					}
					if err := use(); err != nil {
						var ne net.Error
						if !errors.As(err, &ne) || !ne.Timeout() {
							panic(err)
						}
					}
				}
			})
		}
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for k := range 500 {
					at := times[(i+k)%len(times)]
					require.NoError(t, []func(time.Time) error{c.SetReadDeadline, c.SetDeadline, s.SetReadDeadline}[k%3](at))
					if k%10 == 0 {
						<-time.After(time.Microsecond)
					}
				}
			})
		}
		all.Wait()
		require.NoError(t, c.SetDeadline(time.Time{}))
		close(stop)
		s.Write([]byte("one more, for who waits"))
		others.Wait()
		require.NoError(t, server.CloseNow())
		require.NoError(t, client.CloseNow())
	})
}

// A write that fails, whichever it is, keeps nobody: the next call of any kind has
// its error at once.
func TestCON08ErrorAtEveryWrite(t *testing.T) {
	failure := errors.New("the stream is out of order")
	for _, role := range bothRoles {
		for at := 1; at <= 12; at++ {
			synctest.Test(t, func(t *testing.T) {
				ours, peer := wstest.NetPipe(0)
				faults := wstest.Faults{Write: wstest.Fault{Do: wstest.Broken, Call: at, Err: failure}}
				c, err := websocket.NewConn(wstest.WithFaults(ours, faults), websocket.Handshake{Role: role}, nil)
				require.NoError(t, err)
				raw := collect(peer)
				for which := 0; err == nil; which++ {
					require.Less(t, which, 20)
					err = writeMany(c, which, 2)
				}
				require.ErrorIs(t, err, failure, "write %d", at)
				begun := time.Now()
				require.ErrorIs(t, c.Write(t.Context(), websocket.Text, nil), failure)
				require.ErrorIs(t, c.Ping(t.Context()), failure)
				require.ErrorIs(t, c.Flush(t.Context()), failure)
				_, err = c.Writer(t.Context(), websocket.Text)
				require.ErrorIs(t, err, failure)
				require.Zero(t, time.Since(begun), fmt.Sprint("write ", at))
				c.CloseNow()
				<-raw
				peer.Close()
			})
		}
	}
}
