package fuzz

// Peers that misuse back-pressure: they send without reading, drip, stall, or promise
// what never comes. What one such connection costs is bounded, it is let go at the
// time that Options say, and an honest connection beside many of them feels nothing:
// in the bubble's time its round trips take none.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// misusers is how many connections misuse at once.
const misusers = 50

// A misuse is what a client does to an echo server with the default options.
type misuse struct {
	name string
	does func(peer net.Conn) // until a write fails
	// held is how many bytes the server may hold for each such connection, its stream
	// of two times 4 KiB and its goroutine included.
	held int
	gone time.Duration // when it is let go
	code int           // and why: 1006 if it is given up without a word; 0: it may go on
}

// repeat writes in every 100 ms, which is as good as for ever.
func repeat(in string) func(net.Conn) {
	b := frames(websocket.RoleServer, in)
	return func(peer net.Conn) {
		for range 1000 {
			if _, err := peer.Write(b); err != nil {
				return
			}
			<-time.After(100 * time.Millisecond)
		}
	}
}

// once writes in, and then nothing any more.
func once(in string) func(net.Conn) {
	b := frames(websocket.RoleServer, in)
	return func(peer net.Conn) { peer.Write(b) }
}

// begin writes in and then goes on with next.
func begin(in string, next func(net.Conn)) func(net.Conn) {
	first := once(in)
	return func(peer net.Conn) { first(peer); next(peer) }
}

var misuses = []misuse{
	{"asks and does not read", repeat(frame(0x82, make([]byte, 3000))), 64 << 10, 10 * time.Second, 1006},
	{"pings and does not read", repeat(strings.Repeat("8900 ", 1000)), 64 << 10, 10 * time.Second, 1006},
	{"large pings, not reading", repeat(strings.Repeat(frame(0x89, make([]byte, 125))+" ", 100)), 64 << 10, 10 * time.Second, 1006},
	{"is silent", once(""), 32 << 10, 40 * time.Second, 1006},
	{"stalls in a header", once("827f0000"), 32 << 10, 40 * time.Second, 1006},
	{"declares 2^62 bytes", once("827f4000000000000000"), 32 << 10, 0, 1009},
	{"declares 1 MiB and sends 5", once("827f0000000000100000 "), 32 << 10, 40 * time.Second, 1006},
	{"one-byte fragments", begin("020161", repeat(strings.Repeat("000161 ", 100))), 64 << 10, 0, 0},
	{"one-byte fragments, many", begin("020161", repeat(strings.Repeat("000161 ", 2000))), 300 << 10, 6500 * time.Millisecond, 1008},
	{"empty continuations", begin("0200", repeat(strings.Repeat("0000 ", 10))), 32 << 10, 10200 * time.Millisecond, 1008},
	{"unasked pongs", repeat(strings.Repeat("8a00 ", 1000)), 32 << 10, 0, 0},
}

// TestBP05HonestBesideMisuse plays each misuse many times at once, with an honest
// connection beside.
func TestBP05HonestBesideMisuse(t *testing.T) {
	for _, m := range misuses {
		t.Run(m.name, func(t *testing.T) { synctest.Test(t, m.play) })
	}
}

// echo echoes on a server until the connection ends, and tells how long it lasted.
func echo(c *websocket.Conn) (lasted time.Duration, err error) {
	begun := time.Now()
	ctx := context.Background()
	err = c.Serve(ctx, func(op websocket.Opcode, p []byte) error { return c.Write(ctx, op, p) })
	return time.Since(begun), err
}

func (m misuse) play(t *testing.T) {
	type end struct {
		err    error
		lasted time.Duration
	}
	misusers := misusers / thin(5)
	before := heapInUse()
	ends := make(chan end, misusers)
	peers := make([]net.Conn, misusers)
	var all sync.WaitGroup
	defer all.Wait()
	for i := range misusers {
		c, peer := open(t, websocket.RoleServer, "", nil, 4096)
		peers[i] = peer
		go func() {
			lasted, err := echo(c)
			ends <- end{err, lasted}
		}()
		all.Go(func() { m.does(peer) })
	}
	honest := beside(t)
	for range 9 {
		honest()
		<-time.After(700 * time.Millisecond)
	}
	held := max(int(heapInUse())-int(before), 0) / misusers
	t.Logf("%d bytes held for each", held)
	require.LessOrEqual(t, held, m.held*thin(2))
	if m.code == 0 {
		require.Empty(t, ends, "there is nothing against it")
	}
	for range misusers {
		if m.code == 0 {
			break
		}
		e := <-ends
		require.Equal(t, m.code, endCode(e.err), "%v", e.err)
		require.InDelta(t, m.gone, e.lasted, float64(250*time.Millisecond))
	}
	honest()
	for _, peer := range peers {
		peer.Close()
	}
	honest()
}

// endCode is the status a connection ended with.
func endCode(err error) int {
	var ce *websocket.CloseError
	var pe *websocket.ProtocolError
	var be *websocket.MessageTooBigError
	switch {
	case errors.As(err, &ce):
		return int(ce.Code)
	case errors.As(err, &pe):
		return int(pe.Code)
	case errors.As(err, &be):
		return 1009
	}
	return 0
}

// beside opens an honest connection to an echo server and returns what makes a round
// trip on it, which has to take no time.
func beside(t *testing.T) (honest func()) {
	c, peer := open(t, websocket.RoleServer, "", nil, 4096)
	go echo(c)
	client, err := websocket.NewConn(peer, websocket.Handshake{Role: websocket.RoleClient}, nil)
	require.NoError(t, err)
	n := 0
	return func() {
		begun := time.Now()
		n++
		want := fmt.Sprintf("message %d", n)
		require.NoError(t, client.Write(t.Context(), websocket.Text, []byte(want)))
		_, p, err := client.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, string(p))
		require.Zero(t, time.Since(begun), "an honest connection waits for nobody")
	}
}

// A peer that asks and never reads costs a write timeout and a buffer, on either side.
func TestBP01NeverReads(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			c, peer := open(t, role, "", &websocket.Options{WriteTimeout: 3 * time.Second, KeepaliveInterval: -1}, 1024)
			ask := frames(role, frame(0x82, make([]byte, 200)))
			go func() {
				for {
					if _, err := peer.Write(ask); err != nil {
						return
					}
				}
			}()
			lasted, err := echo(c)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Contains(t, err.Error(), "WriteTimeout", "it says what to turn")
			require.Equal(t, 3*time.Second, lasted)
			peer.Close()
		})
	}
}

// Pairs that both write a lot before either reads: all of them get their error when
// the write timeout has passed.
func TestBP02MutualWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		done := make(chan error, 200)
		message := make([]byte, 1<<20)
		for range 100 {
			server, client := wstest.Pipe(nil)
			for _, c := range []*websocket.Conn{server, client} {
				go func() {
					defer c.CloseNow()
					var err error
					for range 64 {
						if err = c.Write(context.Background(), websocket.Binary, message); err != nil {
							break
						}
					}
					done <- err
				}()
			}
		}
		for range 200 {
			require.Error(t, <-done)
		}
		require.LessOrEqual(t, time.Since(begun), 11*time.Second)
	})
}

// An application that never reads: the peer has to wait, Ping ends with its context,
// Close with its timeout, and the keepalive, which hears nothing, ends it all. With
// CloseRead everything is as it should be.
func TestBP03NobodyReads(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			opts := websocket.Options{KeepaliveInterval: 30 * time.Second}
			c, peer := open(t, role, "", &opts, 4096)
			go collect(peer)
			wrote := make(chan int, 1)
			go func() {
				n, _ := peer.Write(frames(role, strings.Repeat("8900 ", 5000)))
				wrote <- n
			}()
			synctest.Wait()
			require.Empty(t, wrote, "the peer waits")
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begun := time.Now()
			require.Equal(t, context.DeadlineExceeded, c.Ping(ctx))
			require.Equal(t, time.Second, time.Since(begun))
			require.NoError(t, c.Write(t.Context(), websocket.Text, []byte("writing goes on")))
			<-c.Context().Done()
			require.ErrorIs(t, context.Cause(c.Context()), websocket.ErrPeerTimeout)
			require.Equal(t, 40*time.Second, time.Since(begun))
			require.Less(t, <-wrote, 5000)

			server, client := wstest.Pipe(nil)
			server.CloseRead(context.Background())
			client.CloseRead(context.Background())
			require.NoError(t, server.Ping(t.Context()))
			require.NoError(t, client.Close(websocket.StatusNormalClosure, ""))
		})
	}
}

// One of many receivers of a broadcast does not read: it is let go, and nobody waits
// for it.
func TestBP04OneSlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const receivers, rounds = 200, 20
		m, err := websocket.Prepare(websocket.Text, bytes.Repeat([]byte("news"), 250))
		require.NoError(t, err)
		begun := time.Now()
		got := make(chan int, receivers)
		slow := make(chan error, 1)
		for i := range receivers {
			server, client := wstest.Pipe(&wstest.Options{Buffer: 4096})
			go func() {
				defer server.CloseNow()
				server.CloseRead(context.Background())
				for range rounds {
					if err := server.WritePrepared(context.Background(), m); err != nil {
						slow <- err
						return
					}
				}
				server.Close(websocket.StatusNormalClosure, "")
			}()
			if i == 0 {
				defer client.CloseNow()
				continue
			}
			go func() {
				n := 0
				client.Serve(context.Background(), func(websocket.Opcode, []byte) error { n++; return nil })
				got <- n
			}()
		}
		for range receivers - 1 {
			require.Equal(t, rounds, <-got)
		}
		require.Zero(t, time.Since(begun))
		require.ErrorIs(t, <-slow, os.ErrDeadlineExceeded)
		require.Equal(t, 10*time.Second, time.Since(begun))
	})
}

// A stream that takes so many bytes at a time, and says so without an error: every
// frame is whole.
func TestBP06PartialWrites(t *testing.T) {
	for _, role := range bothRoles {
		for _, chunk := range []int{1, 2, 3, 7, 13, 100, 4096} {
			synctest.Test(t, func(t *testing.T) {
				ours, peer := wstest.NetPipe(0)
				short := wstest.WithFaults(ours, wstest.Faults{Write: wstest.Fault{Chunk: chunk, Short: true}})
				c, err := websocket.NewConn(short, websocket.Handshake{Role: role}, nil)
				require.NoError(t, err)
				raw := collect(peer)
				message := bytes.Repeat([]byte("0123456789"), 2000)
				for _, n := range []int{0, 1, 125, 126, 20_000} {
					require.NoError(t, c.Write(t.Context(), websocket.Binary, message[:n]))
				}
				c.CloseNow()
				sent := refFrames(t, role, <-raw)
				require.Len(t, sent, 5)
				require.Equal(t, string(message), string(sent[4].payload))
				peer.Close()
			})
		}
	}
}
