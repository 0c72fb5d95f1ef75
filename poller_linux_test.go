package websocket

// Connections that wait at a poller of ours, over real sockets: this is what a bubble of
// testing/synctest never sees. Who blocks whom, what comes together with the end, what
// a parked service is woken for, and what is left when the last connection is gone.

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// pollBound is how long anything here may take.
const pollBound = 10 * time.Second

// soon returns what comes from ch.
func soon[T any](t testing.TB, ch <-chan T) (v T) {
	t.Helper()
	late := time.NewTimer(pollBound)
	defer late.Stop()
	select {
	case v = <-ch:
	case <-late.C:
		t.Fatal("it does not come")
	}
	return v
}

// until waits for what nobody tells of.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	late := time.NewTimer(pollBound)
	defer late.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("not to be seen: %s", what)
		}
	}
}

func noPollers() bool {
	pollers.Lock()
	defer pollers.Unlock()
	return len(pollers.all) == 0
}

// withProcs runs the rest of the test on n processors. The pollers before it have to
// be gone: one that is made on several processors waits in another way than on one.
func withProcs(t testing.TB, n int) {
	t.Helper()
	until(t, "the end of all pollers", noPollers)
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// bothWays runs a test on one processor and on two, as the poller waits in one way or
// the other.
func bothWays(t *testing.T, test func(t *testing.T)) {
	for procs, loop := range map[int]string{1: "waitInGo", 2: "wait"} {
		t.Run(loop, func(t *testing.T) {
			leakCheck(t)
			withProcs(t, procs)
			test(t)
		})
	}
}

// serveHTTP serves h until the test is over.
func serveHTTP(t testing.TB, h http.Handler) (addr string) {
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// serveWith is a Server that is shut down when the test is over, and its clients gone.
func serveWith(t testing.TB, s *Server) (addr string) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), pollBound)
		defer cancel()
		forced, err := s.Shutdown(ctx)
		require.NoError(t, err)
		require.Zero(t, forced)
	})
	return serveHTTP(t, s)
}

// upgraded opens a connection by hand and reads the answer.
func upgraded(t testing.TB, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, r := rawDial(t, addr, rawRequest())
	resp, _ := readResponse(t, r)
	require.Equal(t, 101, resp.StatusCode)
	return conn, r
}

// socketPairs is a server that gives the connections it accepts to the test, and a way
// to open them.
func socketPairs(t testing.TB, opts *AcceptOptions) (open func() (*Conn, net.Conn, *bufio.Reader)) {
	accepted := make(chan *Conn, 1)
	addr := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := Accept(w, r, opts); err == nil {
			accepted <- c
		}
	}))
	return func() (*Conn, net.Conn, *bufio.Reader) {
		client, r := upgraded(t, addr)
		server := soon(t, accepted)
		t.Cleanup(func() { server.CloseNow() })
		require.NotNil(t, server.tr.sock, "it does not wait at a poller of ours")
		return server, client, r
	}
}

// socketPair opens one connection: the server's end, and the client's, by hand.
func socketPair(t testing.TB, opts *Options) (*Conn, net.Conn, *bufio.Reader) {
	t.Helper()
	accept := &AcceptOptions{}
	if opts != nil {
		accept.Options = *opts
	}
	return socketPairs(t, accept)()
}

// serving is a Serve on a goroutine of its own.
type serving struct {
	got      chan string // the messages
	err      chan error  // what Serve returned
	panicked chan any    // what it panicked with, nil if it ended the goroutine
}

// startServe runs Serve with fn, which may be nil, behind taking note of the message.
func startServe(ctx context.Context, c *Conn, fn func(op Opcode, p []byte) error) *serving {
	s := &serving{make(chan string, 100), make(chan error, 1), make(chan any, 1)}
	go func() {
		returned := false
		defer func() {
			if !returned {
				s.panicked <- recover()
			}
		}()
		err := c.Serve(ctx, func(op Opcode, p []byte) error {
			s.got <- string(p)
			if fn == nil {
				return nil
			}
			return fn(op, p)
		})
		returned = true
		s.err <- err
	}()
	return s
}

func isParked(c *Conn) bool {
	return c.tr.sock.in.flags.Load()&gateWaiting != 0
}

func untilParked(t testing.TB, c *Conn) {
	t.Helper()
	until(t, "a parked service", func() bool { return isParked(c) })
}

// send writes raw bytes as a client.
func send(t testing.TB, client io.Writer, wire string) {
	t.Helper()
	_, err := io.WriteString(client, wire)
	require.NoError(t, err)
}

// textFrame is a client's frame with a text of two bytes.
func textFrame(text string) string { return "\x81\x82\x00\x00\x00\x00" + text }

// A function given to Serve may block, be it for all the others: as many run at the
// same time as there are connections.
func TestPollerBlockingHandlers(t *testing.T) {
	const conns = 64
	bothWays(t, func(t *testing.T) {
		var here atomic.Int32
		all := make(chan struct{})
		server := &Server{Handler: func(ctx context.Context, c *Conn) error {
			return c.Serve(ctx, func(op Opcode, p []byte) error {
				if here.Add(1) == conns {
					close(all)
				}
				select {
				case <-all:
				case <-ctx.Done():
				}
				return c.Write(ctx, op, p)
			})
		}}
		addr := serveWith(t, server)
		var readers []io.Reader
		for range conns {
			client, r := upgraded(t, addr)
			send(t, client, helloFrame)
			readers = append(readers, r)
		}
		// That the two ways to wait are what is tested here, as far as that can be seen.
		loop := "websocket.(*poller)." + t.Name()[strings.LastIndexByte(t.Name(), '/')+1:] + "("
		require.Contains(t, fmt.Sprint(goroutines()), loop)
		soon(t, all)
		for _, r := range readers {
			requireBytes(t, r, helloEchoed)
		}
	})
}

// More connections may have something to say at the same moment than the poller takes
// at once, and none of them is forgotten: on one processor, where the poller goes back
// to wait behind each batch, it has to wake itself for the rest.
func TestPollerMoreThanABatch(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		server := &Server{Handler: func(ctx context.Context, c *Conn) error {
			return c.Serve(ctx, func(op Opcode, p []byte) error { return c.Write(ctx, op, p) })
		}}
		addr := serveWith(t, server)
		var clients []net.Conn
		var readers []io.Reader
		for range 3 * pollBatch {
			client, r := upgraded(t, addr)
			clients, readers = append(clients, client), append(readers, r)
		}
		for range 5 {
			for _, client := range clients {
				send(t, client, helloFrame)
			}
			for _, r := range readers {
				requireBytes(t, r, helloEchoed)
			}
		}
	})
}

// A read that was not filled is taken for all there was. If the client's end came
// together with the last bytes, nothing will tell of it later, and it is seen anyway.
func TestSocketEndBehindData(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		open := socketPairs(t, nil)
		for i := range 102 {
			c, client, _ := open()
			s := startServe(t.Context(), c, nil)
			if i%2 == 0 {
				untilParked(t, c)
			}
			want := 1
			switch i % 3 {
			case 0: // all together
				send(t, client, helloFrame)
			case 1: // in two writes
				send(t, client, helloFrame[:i%len(helloFrame)])
				send(t, client, helloFrame[i%len(helloFrame):])
			case 2:
				want = 0
			}
			require.NoError(t, client.(*net.TCPConn).CloseWrite())
			err := soon(t, s.err)
			var closed *CloseError
			require.ErrorAs(t, err, &closed)
			require.Equal(t, StatusAbnormalClosure, closed.Code)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Len(t, s.got, want)
			if want == 1 {
				require.Equal(t, "hi", <-s.got)
			}
			client.Close()
		}
	})
}

// A connection that is reset, right behind a message or without one, ends Serve. The
// message may be lost with it, but does not come twice.
func TestSocketReset(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		open := socketPairs(t, nil)
		for i := range 50 {
			c, client, _ := open()
			s := startServe(t.Context(), c, nil)
			if i%2 == 0 {
				untilParked(t, c)
			}
			if i%5 > 0 {
				send(t, client, helloFrame)
			}
			require.NoError(t, client.(*net.TCPConn).SetLinger(0))
			require.NoError(t, client.Close())
			err := soon(t, s.err)
			var closed *CloseError
			require.ErrorAs(t, err, &closed)
			require.Equal(t, StatusAbnormalClosure, closed.Code)
			require.ErrorIs(t, err, syscall.ECONNRESET)
			require.LessOrEqual(t, len(s.got), min(i%5, 1))
		}
	})
}

// A message of many times what the kernel takes goes over, also if the client reads
// late, so that the write has to wait for it to begin.
func TestSocketLargeMessages(t *testing.T) {
	const size = 8 << 20
	bothWays(t, func(t *testing.T) {
		c, conn, _ := socketPair(t, &Options{ReadLimit: size})
		shrink(t, c, conn)
		client, err := NewConn(conn, Handshake{Role: RoleClient}, &Options{ReadLimit: size})
		require.NoError(t, err)
		defer client.CloseNow()
		s := startServe(t.Context(), c, func(op Opcode, p []byte) error { return c.Write(t.Context(), op, p) })
		want := randomBytes(rand.New(rand.NewPCG(6455, 8)), size)
		ctx, cancel := context.WithTimeout(t.Context(), 2*pollBound)
		defer cancel()
		for range 2 {
			require.NoError(t, client.Write(ctx, Binary, want))
			until(t, "a write that waits", func() bool { return c.tr.sock.out.flags.Load()&gateWaiting != 0 })
			_, got, err := client.Read(ctx)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got))
		}
		c.CloseNow()
		require.ErrorIs(t, soon(t, s.err), net.ErrClosed)
	})
}

// A client that takes nothing costs the write WriteTimeout, and the server the
// connection.
func TestSocketWriteTimeout(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		c, client, _ := socketPair(t, &Options{WriteTimeout: 50 * time.Millisecond})
		shrink(t, c, client)
		s := startServe(t.Context(), c, func(op Opcode, p []byte) error {
			return c.Write(t.Context(), Binary, make([]byte, 8<<20))
		})
		send(t, client, helloFrame)
		err := soon(t, s.err)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		var closed *CloseError
		require.ErrorAs(t, err, &closed)
		require.Equal(t, StatusAbnormalClosure, closed.Code)
	})
}

// A context that ends while a write waits for the client ends the write.
func TestSocketWriteContext(t *testing.T) {
	leakCheck(t)
	c, client, _ := socketPair(t, nil)
	shrink(t, c, client)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	wrote := make(chan error, 1)
	go func() { wrote <- c.Write(ctx, Binary, make([]byte, 8<<20)) }()
	until(t, "a write that waits", func() bool { return c.tr.sock.out.flags.Load()&gateWaiting != 0 })
	cancel()
	require.ErrorIs(t, soon(t, wrote), context.Canceled)
}

// A service reads once in a turn, also if there is more: others are waiting for theirs.
// What there is more of, it gets in the next turn, though nothing new has come.
func TestSocketOneReadInATurn(t *testing.T) {
	leakCheck(t)
	c, client, _ := socketPair(t, nil)
	send(t, client, "abcdef")
	require.NoError(t, c.lockReading())
	defer c.unlockReading()
	s := c.tr.sock
	got, room := "", make([]byte, 3)
	b, _, err := s.read(room, 0) // no service yet: it waits
	require.NoError(t, err)
	got += string(b)
	s.turns = true
	defer func() { s.turns = false }()
	for range 10 { // the bytes may have come one by one
		if len(got) == len("abcdef") {
			break
		}
		until(t, "more bytes", func() bool {
			s.looked = false
			b, _, err = s.read(room[:1], 0)
			return err != errWouldBlock
		})
		require.NoError(t, err)
		got += string(b)
		_, _, err = s.read(room, 0)
		require.Equal(t, errWouldBlock, err, "a second read in the same turn")
	}
	require.Equal(t, "abcdef", got)
}

// A descriptor is not closed as long as somebody uses it, and only once: whoever comes
// late does nothing to the file that has the number by then.
func TestSocketDescriptorIsOnesOwn(t *testing.T) {
	leakCheck(t)
	open := socketPairs(t, nil)
	isOpen := func(fd int) bool {
		_, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		return errno == 0
	}
	tested := false
	for range 10 { // somebody else may have been given the number
		c, _, _ := open()
		s := c.tr.sock
		require.True(t, s.use())
		c.CloseNow()
		require.False(t, s.use())
		require.True(t, isOpen(s.fd), "it was closed under a system call")
		s.unuse()
		require.Equal(t, int32(socketClosed), s.users.Load())
		var ours []int
		for n := -1; n < s.fd && len(ours) < 1000; {
			var err error
			n, err = syscall.Dup(s.poller.bell) // always the lowest number that is free
			require.NoError(t, err)
			ours = append(ours, n)
		}
		last := ours[len(ours)-1]
		if last == s.fd {
			tested = true
			require.Equal(t, net.ErrClosed, s.Close())
			require.Equal(t, net.ErrClosed, s.CloseWrite())
			require.Equal(t, &net.TCPAddr{}, s.LocalAddr())
			require.Equal(t, net.ErrClosed, s.SetReadDeadline(time.Now().Add(time.Hour)))
			_, err := s.Read(make([]byte, 1))
			require.Equal(t, net.ErrClosed, err)
			_, err = s.Write([]byte{0})
			require.Equal(t, net.ErrClosed, err)
			_, err = s.tryBoth([]byte{0}, []byte{1})
			require.Equal(t, net.ErrClosed, err)
			require.True(t, isOpen(last), "another's descriptor was closed")
		}
		for _, fd := range ours {
			syscall.Close(fd)
		}
		if tested {
			return
		}
	}
	t.Fatal("the number was always taken")
}

// descriptors returns how many the process has, one for counting them included.
func descriptors(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(all)
}

// Whoever closes, and whenever: each descriptor is closed once, those of the poller as
// well. One that is closed twice would be another's by then, whose echo fails.
func TestSocketDescriptors(t *testing.T) {
	const goroutines, each = 8, 25
	bothWays(t, func(t *testing.T) {
		ours, theirs := tcpPair(t) // what Go opens with the first socket, it keeps
		ours.Close()
		theirs.Close()
		before := descriptors(t)

		var seeds atomic.Uint64
		server := &Server{Handler: func(ctx context.Context, c *Conn) error {
			r := rand.New(rand.NewPCG(6455, seeds.Add(1)))
			if r.IntN(4) == 0 {
				go c.CloseNow()
			}
			if r.IntN(4) == 0 {
				c.CloseNow()
			}
			return c.Serve(ctx, func(op Opcode, p []byte) error {
				defer func() {
					if r.IntN(4) == 0 {
						go c.CloseNow()
					}
				}()
				return c.Write(ctx, op, p)
			})
		}}
		srv := httptest.NewServer(server)
		var echoes atomic.Int32
		var wg sync.WaitGroup
		for g := range uint64(goroutines) {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(6455, 1000+g))
				for i := range each {
					c, err := Dial(t.Context(), srv.URL, nil)
					if err != nil {
						continue // the server was faster
					}
					for j := range r.IntN(4) {
						msg := fmt.Sprintf("%d %d %d", g, i, j)
						if c.Write(t.Context(), Text, []byte(msg)) != nil {
							break
						}
						_, p, err := c.Next(t.Context())
						if err != nil {
							break
						}
						if string(p) != msg {
							t.Errorf("%q came back as %q", msg, p)
						}
						echoes.Add(1)
					}
					if r.IntN(2) == 0 {
						go c.CloseNow()
					}
					c.CloseNow()
				}
			})
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		soon(t, done)
		require.Greater(t, echoes.Load(), int32(goroutines*each/8))
		ctx, cancel := context.WithTimeout(t.Context(), pollBound)
		defer cancel()
		_, err := server.Shutdown(ctx)
		require.NoError(t, err)
		srv.Close()
		until(t, "the end of all pollers", noPollers)
		until(t, "as few descriptors as before", func() bool { return descriptors(t) <= before })
	})
}

// What runs in a bubble of testing/synctest is told by its clock, and gets none of our
// sockets there.
func TestFakeClock(t *testing.T) {
	leakCheck(t)
	require.False(t, fakeClock())
	synctest.Test(t, func(t *testing.T) {
		require.True(t, fakeClock())
		<-time.After(48 * time.Hour) // of that clock
		require.True(t, fakeClock())
	})
	require.False(t, fakeClock())
}

// A poller ends a moment after its last connection, and one that comes then gets
// another; one that comes in that moment gets the same.
func TestPollerEnds(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		open := socketPairs(t, nil)
		seen := map[*poller]bool{}
		for i := range 6 {
			c, client, _ := open()
			s := startServe(t.Context(), c, nil)
			send(t, client, helloFrame)
			require.Equal(t, "hi", soon(t, s.got))
			seen[c.tr.sock.poller] = true
			c.CloseNow()
			require.ErrorIs(t, soon(t, s.err), net.ErrClosed)
			until(t, "a poller that has forgotten the socket", func() bool {
				p := c.tr.sock.poller
				p.mu.Lock()
				defer p.mu.Unlock()
				return p.socks[c.tr.sock.fd] != c.tr.sock
			})
			if i%2 == 1 {
				until(t, "the end of the poller", noPollers)
			}
		}
		require.GreaterOrEqual(t, len(seen), 3)
	})
}

// idlePoller returns a poller without a goroutine, whose bell is the only descriptor.
func idlePoller(t testing.TB) *poller {
	epfd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	require.NoError(t, err)
	bell, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 1, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	require.Zero(t, errno)
	t.Cleanup(func() {
		syscall.Close(epfd)
		syscall.Close(int(bell))
	})
	return &poller{epfd: epfd, bell: int(bell)}
}

// A poller that looks in vain before it waits leaves that out the next 1, 3, 7 times and
// so on, up to 1023; each look that finds something halves it.
func TestPollerSpin(t *testing.T) {
	p := idlePoller(t)
	for _, waits := range []int{1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1023} {
		require.Zero(t, p.spin(p.epfd))
		require.Equal(t, waits, p.skip)
		p.ring()
		for range waits {
			require.Zero(t, p.spin(p.epfd), "it looked")
		}
		before := p.misses
		require.Equal(t, 1, p.spin(p.epfd))
		require.Equal(t, before/2, p.misses)
		p.misses = before
	}
}

// It looks again only behind an event that came alone: where there are several, a sleep
// makes the next batch larger.
func TestPollerSpinsBehindOne(t *testing.T) {
	p := idlePoller(t)
	require.False(t, p.follow(p.epfd, 2))
	require.Zero(t, p.misses)
	require.False(t, p.follow(p.epfd, 0))
	require.Zero(t, p.misses)
	require.False(t, p.follow(p.epfd, 1))
	require.Equal(t, 1, p.misses)
	require.True(t, p.follow(p.epfd, pollBatch))
}

// A peer that answers whenever the poller looks does not keep it from Go's for ever.
func TestPollerFollowEnds(t *testing.T) {
	withProcs(t, 1)
	p := idlePoller(t)
	ringing := make(chan struct{})
	stop, rings := make(chan struct{}), 0
	go func() {
		defer close(ringing)
		for {
			select {
			case <-stop:
				return
			default:
				p.ring()
				rings++
				runtime.Gosched()
			}
		}
	}()
	require.False(t, p.follow(p.epfd, 1))
	close(stop)
	<-ringing
	require.Greater(t, rings, 1)
	require.LessOrEqual(t, p.misses, 1, "it did not end for want of events")
}

// A client that sends without a pause takes nothing away from another at the same
// poller: its service goes back to the end of the queue behind each read.
func TestPollerFlood(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		open := socketPairs(t, nil)
		flooded, flood, _ := open()
		c, client, r := open()
		floodEnds := startFlood(t, flooded, flood)
		s := startServe(t.Context(), c, func(op Opcode, p []byte) error { return c.Write(t.Context(), op, p) })
		for range 50 {
			send(t, client, helloFrame)
			requireBytes(t, r, helloEchoed)
			require.Equal(t, "hi", soon(t, s.got))
		}
		floodEnds()
		c.CloseNow()
		require.ErrorIs(t, soon(t, s.err), net.ErrClosed)
	})
}

// startFlood sends messages of 4 KiB without a pause, 2000 of them at least, and serves
// them. end stops that and looks whether all have come.
func startFlood(t *testing.T, c *Conn, client net.Conn) (end func()) {
	message := append(unhex("82 fe 1000 00000000"), make([]byte, 4<<10)...)
	enough, sent := make(chan struct{}), make(chan int, 1)
	go func() {
		n := 0
		defer func() { sent <- n }()
		for n < 1<<20 {
			if _, err := client.Write(message); err != nil {
				return
			}
			n++
			select {
			case <-enough:
				if n >= 2000 {
					client.(*net.TCPConn).CloseWrite()
					return
				}
			default:
			}
		}
	}()
	served, ended := 0, make(chan error, 1)
	go func() {
		ended <- c.Serve(t.Context(), func(Opcode, []byte) error { served++; return nil })
	}()
	return func() {
		close(enough)
		n := soon(t, sent)
		require.ErrorIs(t, soon(t, ended), io.ErrUnexpectedEOF)
		require.Equal(t, n, served)
	}
}
