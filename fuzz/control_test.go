package fuzz

// Control frames: pings that come in floods, at bad moments or in bad forms, and
// pongs that nobody asked for.

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/stretchr/testify/require"
)

// flood sends n pings of size bytes, numbered, to a Conn of role whose stream
// holds 256 bytes towards a peer that does not read. It returns what the peer finds
// when it reads at last, and how many bytes of heap were in use before that.
func flood(t *testing.T, role websocket.Role, n, size int) (sent []refFrame, heap uint64) {
	t.Helper()
	c, peer := open(t, role, "", &websocket.Options{KeepaliveInterval: -1}, 256)
	done := make(chan error, 1)
	go func() { _, err := readAll(c); done <- err }()
	payload := make([]byte, size)
	for i := range n {
		copy(payload, fmt.Sprintf("%07d", i))
		_, err := peer.Write(masked(role, unhex(frame(0x89, payload))))
		require.NoError(t, err)
	}
	synctest.Wait()
	heap = heapInUse()
	raw := collect(peer)
	synctest.Wait()
	c.CloseNow()
	<-done
	return refFrames(t, role, <-raw), heap
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// At most one pong waits, the newest: ten times the pings cost nothing more.
func TestCTL01PingFloodUnread(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			sent2, heap2 := flood(t, role, 2*8192, 7)
			sent10, heap10 := flood(t, role, 10*8192, 7)
			require.Less(t, float64(heap10), 1.2*float64(heap2)+64<<10)
			require.LessOrEqual(t, len(sent10), 64, "what the stream holds, what one write was taking, and one")
			require.LessOrEqual(t, len(sent2), 64)
			require.Equal(t, "0081919", string(sent10[len(sent10)-1].payload), "the newest")
		})
	}
}

func TestCTL02LargePingFloodUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent, heap := flood(t, websocket.RoleServer, 20_000, 125)
		require.LessOrEqual(t, len(sent), 8)
		require.Equal(t, "0019999", string(sent[len(sent)-1].payload[:7]), "the newest")
		require.Less(t, heap, uint64(64<<20))
	})
}

// A ping while the writer is stuck does not make anyone spin: the bubble rests, and
// the connection ends when the write timeout has passed.
func TestCTL03PingWhileBlocked(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			c, peer := open(t, role, "", nil, 64)
			begun := time.Now()
			wrote := make(chan error, 1)
			go func() { wrote <- c.Write(t.Context(), websocket.Binary, make([]byte, 4096)) }()
			go readAll(c)
			synctest.Wait()
			for range 100 {
				_, err := peer.Write(frames(role, "8900"))
				require.NoError(t, err)
			}
			synctest.Wait() // returns when all goroutines are blocked
			require.Zero(t, time.Since(begun))
			require.Error(t, <-wrote)
			require.Equal(t, 10*time.Second, time.Since(begun))
		})
	}
}

// Pings that arrive while a large message is half written: every frame the peer
// reads is whole, and the message too.
func TestCTL04PongNeverInsideAFrame(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			c, peer := open(t, role, "", nil, 512)
			go readAll(c)
			message := bytes.Repeat([]byte("0123456789abcdef"), 1<<15)
			wrote := make(chan error, 1)
			go func() {
				w, err := c.Writer(t.Context(), websocket.Binary)
				for i := 0; err == nil && i < len(message)/2; i += 8192 {
					_, err = w.Write(message[i : i+8192])
				}
				if err == nil {
					err = w.Close()
				}
				if err == nil {
					err = c.Write(t.Context(), websocket.Binary, message)
				}
				wrote <- err
			}()
			go func() {
				for range 10_000 {
					if _, err := peer.Write(frames(role, "89026869")); err != nil {
						return
					}
				}
			}()
			raw := collect(peer)
			require.NoError(t, <-wrote)
			synctest.Wait()
			c.CloseNow()
			var data []byte
			pongs := 0
			for _, f := range refFrames(t, role, <-raw) {
				if f.op == 0xA {
					pongs++
					require.Equal(t, "hi", string(f.payload))
				} else {
					data = append(data, f.payload...)
				}
			}
			require.Equal(t, append(bytes.Clone(message[:len(message)/2]), message...), data)
			require.Positive(t, pongs)
		})
	}
}

// A Ping waits for its own pong alone, and is woken once.
func TestCTL05PongsTwice(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			c, peer := open(t, role, "", nil, 0)
			go readAll(c)
			pinged := make(chan error, 1)
			go func() { pinged <- c.Ping(t.Context()) }()
			header := make([]byte, 256)
			n, err := peer.Read(header)
			require.NoError(t, err)
			ping := refFrames(t, role, header[:n])[0]
			require.EqualValues(t, 9, ping.op)
			peer.Write(frames(role, "8a00 8a026869 "+frame(0x8A, append(ping.payload, 'x'))))
			synctest.Wait()
			require.Empty(t, pinged, "none of these is its pong")
			peer.Write(frames(role, strings.Repeat(frame(0x8A, ping.payload)+" ", 1000)))
			require.NoError(t, <-pinged)
			peer.Write(frames(role, "810568656c6c6f"))
			synctest.Wait()
			require.NoError(t, c.Context().Err())
			require.EqualValues(t, 1, c.Stats().MessagesIn)
		})
	}
}

func TestCTL06UnaskedPongs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := open(t, websocket.RoleServer, "", nil, 0)
		go readAll(c)
		pongs := frames(websocket.RoleServer, strings.Repeat(frame(0x8A, make([]byte, 125))+" ", 1000))
		peer.Write(pongs)
		synctest.Wait()
		before := heapInUse()
		for range 200 {
			_, err := peer.Write(pongs)
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Less(t, heapInUse(), before+1<<20)
		require.NoError(t, c.Context().Err())
	})
}

// A ping is answered while somebody closes: no panic, one close frame, nothing
// behind it, and the reader is told.
func TestCTL07PingAndClose(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			for range 1000 {
				pingAndClose(t, role)
			}
		})
	}
}

func pingAndClose(t *testing.T, role websocket.Role) {
	c, peer := open(t, role, "", nil, 0)
	raw := collect(peer)
	var all sync.WaitGroup
	all.Go(func() { peer.Write(frames(role, "8900 8900 8900 880203e8")) })
	all.Go(func() { c.Close(websocket.StatusGoingAway, "") })
	_, err := readAll(c)
	all.Wait()
	var ce *websocket.CloseError
	require.ErrorAs(t, err, &ce)
	sent := refFrames(t, role, <-raw)
	for i, f := range sent {
		require.Equal(t, i == len(sent)-1, f.op == 8, "%v", sent)
	}
	peer.Close()
}

// What a pong carries is the ping's own payload, for sizes around every limit, also
// when other input has overwritten the buffers meanwhile.
func TestCTL08PongEchoes(t *testing.T) {
	var in []string
	var pongs, want []string
	for _, n := range []int{0, 1, 2, 3, 4, 7, 8, 31, 32, 63, 64, 124, 125} {
		p := bytes.Repeat([]byte{byte(n) | 1}, n)
		pongs = append(pongs, string(p))
		in = append(in, frame(0x89, p), "8203dbdbdb")
		want = append(want, "binary:\xdb\xdb\xdb")
	}
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			var chunks [][]byte
			for i := 0; i < len(in); i += 2 {
				chunks = append(chunks, frames(role, in[i]+" "+in[i+1]))
			}
			out := play(t, role, "", websocket.Options{}, chunks)
			row{want: want, pongs: pongs}.judge(t, out, 0)
		})
	}
}

// A large frame that trickles in, slower than the keepalive, is a sign of life.
func TestCTL09InputIsLife(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			c, peer := open(t, role, "", &websocket.Options{KeepaliveInterval: 10 * time.Second, KeepaliveTimeout: 2 * time.Second}, 0)
			raw := collect(peer)
			read := make(chan error, 1)
			go func() {
				_, p, err := c.Read(context.Background())
				if err == nil && len(p) != 100 {
					err = fmt.Errorf("%d bytes", len(p))
				}
				read <- err
			}()
			for _, b := range frames(role, frame(0x82, make([]byte, 100))) {
				<-time.After(1500 * time.Millisecond)
				_, err := peer.Write([]byte{b})
				require.NoError(t, err)
			}
			require.NoError(t, <-read)
			c.CloseNow()
			<-raw
		})
	}
}

func TestCTL10BadControlFrames(t *testing.T) {
	rows := []row{
		{name: "ping of 126", in: "897e007e"}, {name: "ping of 2^16", in: "897f0000000000010000"},
		{name: "pong of 126", in: "8a7e007e"}, {name: "close of 126", in: "887e007e"},
		{name: "ping in fragments", in: "0900"}, {name: "pong in fragments", in: "0a00"}, {name: "close in fragments", in: "0800"},
		{name: "lone continuation", in: "8000"}, {name: "lone continuation, not the last", in: "00026869"},
		{name: "continuation of what is over", in: "010161 800162 800163", want: []string{"text:ab"}},
		{name: "text within a text", in: "010161 810162"}, {name: "binary within a text", in: "010161 020162"},
	}
	for _, op := range []int{3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF} {
		rows = append(rows, row{name: fmt.Sprintf("opcode %x", op), in: fmt.Sprintf("%02x00", 0x80|op)})
	}
	for _, rsv := range []int{0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70} {
		for _, op := range []int{1, 2, 8, 9, 10} {
			rows = append(rows, row{name: fmt.Sprintf("reserved bits %x, opcode %x", rsv>>4, op), in: fmt.Sprintf("%02x00", 0x80|rsv|op)})
		}
	}
	for i := range rows {
		rows[i].code = 1002
	}
	check(t, rows...)
}

// The first error comes back for ever, as a value; nobody has to have set a handler.
func TestCTL11ErrorsAreValues(t *testing.T) {
	check(t, row{name: "RSV2", in: "a200", code: 1002})
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			c, peer := open(t, role, "", nil, 0)
			peer.Write(frames(role, "a200"))
			_, first := readAll(c)
			for range 1000 {
				_, _, err := c.Read(t.Context())
				require.Same(t, first, err)
			}
			require.Error(t, c.Write(t.Context(), websocket.Text, nil))
			require.Error(t, c.Ping(t.Context()))
			require.NoError(t, c.CloseNow())
		})
	}
}

// Curl's harness sends, in one segment, what a Conn must take apart itself.
func TestCTL10PingsInOneSegment(t *testing.T) {
	check(t, row{name: "three", in: "8900 89026869 8900", pongs: []string{"", "hi", ""}})
}
