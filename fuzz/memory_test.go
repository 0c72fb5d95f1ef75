package fuzz

// What a peer can make us hold: in proportion to what it has really sent, never to
// what it says it will, and never above the limits. Figures of whole processes are
// measured in bench; here the heap is.

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// heapTotal is how many bytes were ever allocated.
func heapTotal() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// perConn returns how many bytes a connection holds whose peer has sent in and
// waits, the stream's own buffers included.
func perConn(t *testing.T, n int, role websocket.Role, opts websocket.Options, in []byte) (held uint64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		before := heapInUse()
		for range n {
			c, peer := open(t, role, "", &opts, 256)
			go readAll(c)
			_, err := peer.Write(in)
			require.NoError(t, err)
		}
		synctest.Wait()
		if after := heapInUse(); after > before {
			held = (after - before) / uint64(n)
		}
	})
	return held
}

func TestMEM01DeclaredLength(t *testing.T) {
	for _, role := range bothRoles {
		for _, n := range []string{"0000000100000000", "4000000000000000", "7fffffffffffffff"} {
			held := perConn(t, 200, role, unlimited, frames(role, "827f"+n+"41"))
			require.LessOrEqual(t, held, uint64(16<<10), n)
		}
	}
	check(t, row{name: "limit", in: "827f4000000000000000", code: 1009})
}

func TestMEM02DefaultLimit(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			p := bytes.Repeat([]byte("m"), 1<<20+1)
			r := row{want: []string{"text:" + string(p[1:])}}
			r.judge(t, play(t, role, "", r.opts, [][]byte{frames(role, frame(0x81, p[1:]))}), 0)
			r = row{code: 1009}
			r.judge(t, play(t, role, "", r.opts, [][]byte{frames(role, frame(0x81, p))}), 0)
		})
	}
}

// The limit is the message's: sixty-four fragments of 1 KiB pass, the next does not.
func TestMEM03LimitOfTheMessage(t *testing.T) {
	kib := bytes.Repeat([]byte("k"), 1024)
	in := frame(0x01, kib) + strings.Repeat(" "+frame(0x00, kib), 63)
	limit := websocket.Options{ReadLimit: 64 << 10}
	check(t,
		row{name: "64", in: in + " 8000", opts: limit, want: []string{"text:" + strings.Repeat("k", 64<<10)}},
		row{name: "65", in: in + " 800161", opts: limit, code: 1009})
}

// The header of the fragment that is too much is enough: no payload of it need come.
func TestMEM04LimitBeforePayload(t *testing.T) {
	limit := websocket.Options{ReadLimit: 10}
	check(t,
		row{name: "fragment", in: "01086161616161616161 8003", opts: limit, code: 1009},
		row{name: "frame", in: "820b", opts: limit, code: 1009},
		row{name: "frame of 64 bits", in: "827f0000000000100001", code: 1009})
}

// tinyFragments plays n fragments of one byte of a message that does not end, and
// returns how much more heap is in use then.
func tinyFragments(t *testing.T, conns, n int, opts websocket.Options) (grown int64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		batch := frames(websocket.RoleServer, strings.Repeat("000161 ", 1000))
		before := heapInUse()
		for range conns {
			c, peer := open(t, websocket.RoleServer, "", &opts, 256)
			go readAll(c)
			peer.Write(frames(websocket.RoleServer, "020161"))
			for range n / 1000 {
				_, err := peer.Write(batch)
				require.NoError(t, err)
			}
			require.NoError(t, c.Context().Err())
		}
		synctest.Wait()
		grown = int64(heapInUse()) - int64(before)
	})
	return grown
}

func TestMEM05OneByteFragments(t *testing.T) {
	n := 1_000_000 / thin(10)
	require.Less(t, tinyFragments(t, 1, n, unlimited), int64(2*n+256<<10))
}

// 131,000 fragments stay under the limit of frames; on the wire they are 917,000
// bytes.
func TestMEM06ManyFragmentsManyConns(t *testing.T) {
	require.Less(t, tinyFragments(t, 5, 131_000, websocket.Options{}), int64(5*2*917_000))
}

func TestMEM07EmptyFragments(t *testing.T) {
	check(t,
		row{name: "three", in: "0100 0000 0000 8000", want: []string{"text:"}},
		row{name: "three and text", in: "0100 0000 0000 80026869", want: []string{"text:hi"}})
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			r := row{code: 1008}
			r.judge(t, play(t, role, "", r.opts, [][]byte{frames(role, "0100 "+strings.Repeat("0000 ", 200_000))}), 0)
			r = row{code: 1008, opts: websocket.Options{MaxFrames: 10}}
			r.judge(t, play(t, role, "", r.opts, [][]byte{frames(role, "010161 "+strings.Repeat("000161 ", 10))}), 0)
		})
	}
}

// Nobody reads: nothing is taken from the stream, and the peer has to wait.
func TestMEM08NothingIsReadAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := open(t, websocket.RoleServer, "", nil, 4096)
		wrote := make(chan int, 1)
		go func() {
			n, _ := peer.Write(frames(websocket.RoleServer, frame(0x82, make([]byte, 1<<20))))
			wrote <- n
		}()
		synctest.Wait()
		require.Empty(t, wrote)
		c.CloseNow()
		peer.Close()
		require.LessOrEqual(t, <-wrote, 2*4096)
	})
}

// What a header breaks is known at the byte that breaks it.
func TestMEM09HeaderFirst(t *testing.T) {
	for in, code := range map[string]int{
		"8300": 1002, "c200": 1002, "897e": 1002, "827e007d": 1002, "827e0100": 1009,
		"827f8000000000000000": 1002, "827f0000000000010000": 1009,
	} {
		for _, role := range bothRoles {
			b := unhex(in)
			if role == websocket.RoleServer {
				b[1] |= 0x80 // and no key: it has not come yet
			}
			playRow(t, row{code: code, opts: websocket.Options{ReadLimit: 255}}, role, b)
		}
	}
}

// Once Write has returned nothing refers to the caller's bytes, also where the
// message was compressed with a window.
func TestMEM10CallersBytesAreFree(t *testing.T) {
	for _, ext := range []string{"", takeover} {
		opts := deflating()
		if ext == "" {
			opts = websocket.Options{}
		}
		c, peer := open(t, websocket.RoleServer, ext, &opts, 0)
		go io.Copy(io.Discard, peer)
		ref := writeLarge(t, c)
		runtime.GC()
		runtime.GC()
		require.Nil(t, ref.Value(), "extensions %q", ext)
		require.NoError(t, c.Write(t.Context(), websocket.Text, []byte("it is still in use")))
	}
}

//go:noinline
func writeLarge(t *testing.T, c *websocket.Conn) weak.Pointer[[1 << 20]byte] {
	p := new([1 << 20]byte)
	require.NoError(t, c.Write(t.Context(), websocket.Binary, p[:]))
	return weak.Make(p)
}

// An echo to a peer that writes and never reads: little is held, and the
// connection ends with the write timeout.
func TestMEM11EchoUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := open(t, websocket.RoleServer, "", nil, 4096)
		begun := time.Now()
		echo := make(chan error, 1)
		go func() {
			echo <- c.Serve(t.Context(), func(op websocket.Opcode, p []byte) error { return c.Write(t.Context(), op, p) })
		}()
		taken := 0
		message := frames(websocket.RoleServer, frame(0x82, make([]byte, 1000)))
		for {
			n, err := peer.Write(message)
			taken += n
			if err != nil {
				break
			}
		}
		require.Error(t, <-echo)
		require.LessOrEqual(t, taken, 256<<10)
		require.LessOrEqual(t, time.Since(begun), 11*time.Second)
	})
}

// The same where many goroutines write: they wait, their bytes are not piled up.
func TestMEM12WritersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := open(t, websocket.RoleServer, "", nil, 4096)
		message := make([]byte, 100<<10)
		before := heapInUse()
		done := make(chan error, 100)
		for range 100 {
			go func() { done <- c.Write(t.Context(), websocket.Binary, message) }()
		}
		synctest.Wait()
		require.Empty(t, done)
		require.Less(t, heapInUse(), before+5<<20, "ten megabytes wait")
		for range 100 {
			require.Error(t, <-done)
		}
	})
}

// A Server forgets its connections.
func TestMEM13ConnectionsAreForgotten(t *testing.T) {
	s := &websocket.Server{Handler: echoOnce}
	opened := func(n int) {
		synctest.Test(t, func(t *testing.T) {
			for range n {
				c, err := wstest.Dial(t.Context(), s, nil)
				require.NoError(t, err)
				require.NoError(t, c.Write(t.Context(), websocket.Text, []byte("hi")))
				_, _, err = c.Read(t.Context())
				require.NoError(t, err)
				c.CloseNow()
				synctest.Wait()
			}
		})
	}
	opened(50)
	before := heapInUse()
	opened(1000)
	require.Less(t, heapInUse(), before+2<<20)
	forced, err := s.Shutdown(t.Context())
	require.NoError(t, err)
	require.Zero(t, forced)
}
