package websocket

// RequestListener where it accepts the sockets itself: they are what net's are, to
// net/http and to others, until Accept takes them.

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// acceptedBy returns what l accepts when a client has sent a request to it.
func acceptedBy(t *testing.T, l net.Listener) (server, client net.Conn) {
	t.Helper()
	client = say(t, l, wholeRequest)
	server, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	return server, client
}

const wholeRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

// acceptedOptions returns what is set on an accepted connection.
func acceptedOptions(t *testing.T, c net.Conn) string {
	t.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, rc.Control(func(fd uintptr) {
		for _, o := range [][2]int{
			{syscall.IPPROTO_TCP, syscall.TCP_NODELAY}, {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE},
			{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE}, {syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL},
			{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT},
		} {
			v, err := syscall.GetsockoptInt(int(fd), o[0], o[1])
			fmt.Fprint(&b, v, err, " ")
		}
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFD, 0)
		fmt.Fprint(&b, flags, errno)
	}))
	return b.String()
}

// A connection has the options that net sets, and its addresses.
func TestRequestListenerIsLikeNet(t *testing.T) {
	leakCheck(t)
	at := []string{"127.0.0.1:0", "0.0.0.0:0", ":0"}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil { // there is IPv6
		l.Close()
		at = append(at, "[::1]:0")
	}
	for _, at := range at {
		t.Run(at, func(t *testing.T) {
			of := map[bool]string{}
			for _, held := range []bool{false, true} {
				l, err := net.Listen("tcp", at)
				require.NoError(t, err)
				if held {
					l = RequestListener(l, 0)
				}
				defer l.Close()
				server, client := acceptedBy(t, l)
				require.IsType(t, &net.TCPAddr{}, server.RemoteAddr())
				require.Equal(t, client.LocalAddr().String(), server.RemoteAddr().String())
				require.IsType(t, &net.TCPAddr{}, server.LocalAddr())
				require.Equal(t, client.RemoteAddr().String(), server.LocalAddr().String())
				of[held] = acceptedOptions(t, server)
			}
			require.Equal(t, of[false], of[true])
		})
	}
}

// Those that have not asked for anything take no goroutine each, nor those that have and
// are not asked for.
func TestRequestListenerTakesNoGoroutines(t *testing.T) {
	leakCheck(t)
	l := listener(t, time.Minute).(*socketListener)
	acceptedBy(t, l)
	before := runtime.NumGoroutine()
	for range 100 {
		say(t, l, "GET / HTTP/1.1\r\n")
		say(t, l, wholeRequest)
	}
	until(t, "all of them", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		held, ready := 0, 0
		for c := l.held.first; c != nil; c = c.after {
			held++
		}
		for c := l.ready.first; c != nil; c = c.after {
			ready++
		}
		return held == 100 && ready == 100
	})
	require.Less(t, runtime.NumGoroutine(), before+20)
	require.NoError(t, l.Close())
}

// The oldest go first, and each at its own time.
func TestRequestListenerExpires(t *testing.T) {
	leakCheck(t)
	l := listener(t, time.Minute).(*socketListener)
	acceptedBy(t, l)
	first, second := say(t, l, ""), say(t, l, "")
	until(t, "both", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.held.first != l.held.last
	})
	l.mu.Lock()
	l.held.first.due = moment()
	l.mu.Unlock()
	l.expire()
	_, err := first.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	l.mu.Lock()
	require.NotNil(t, l.timer)
	require.Equal(t, l.held.first, l.held.last)
	l.held.first.due = moment()
	l.mu.Unlock()
	l.expire()
	_, err = second.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.Nil(t, l.timer)
}

// One that was ready and whose time was up before anybody asked is not handed on.
func TestRequestListenerForgetsWhoWaited(t *testing.T) {
	leakCheck(t)
	l := listener(t, time.Minute).(*socketListener)
	acceptedBy(t, l)
	late := say(t, l, wholeRequest)
	until(t, "a connection that is ready", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.ready.first != nil {
			l.ready.first.due = moment()
		}
		return l.ready.first != nil
	})
	l.expire()
	_, err := io.Copy(io.Discard, late)
	require.NoError(t, err)
	server, client := acceptedBy(t, l)
	require.Equal(t, client.LocalAddr().String(), server.RemoteAddr().String())
}

// Somebody else closes what is listened at: the next who comes finds out.
func TestRequestListenerClosedBelow(t *testing.T) {
	leakCheck(t)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := RequestListener(inner, 0)
	acceptedBy(t, l)
	require.NoError(t, inner.Close())
	say(t, l, "")
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, l.Close(), net.ErrClosed)
	_, err = net.Dial("tcp", inner.Addr().String())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

// Accept takes the socket and leaves a connection that is closed, whoever has it yet.
func TestRequestListenerSocketIsTaken(t *testing.T) {
	leakCheck(t)
	l := listener(t, time.Minute)
	held := make(chan net.Conn, 1)
	conns := make(chan *Conn, 1)
	srv := &http.Server{
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { held <- c; return ctx },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := Accept(w, r, nil)
			if err == nil {
				conns <- c
			}
		}),
	}
	go srv.Serve(l)
	defer srv.Close()
	client := say(t, l, rawRequest()+helloFrame)
	c := soon(t, conns)
	defer c.CloseNow()
	h := soon(t, held).(*requestConn)
	require.NotNil(t, c.tr.sock)
	_, err := h.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = h.Write([]byte("a"))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = h.SyscallConn()
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, h.SetDeadline(time.Time{}), net.ErrClosed)
	require.ErrorIs(t, h.CloseWrite(), net.ErrClosed)
	require.ErrorIs(t, h.Close(), net.ErrClosed)
	require.Equal(t, l.Addr(), h.LocalAddr())
	require.NotNil(t, h.RemoteAddr())
	s, _ := h.take()
	require.Nil(t, s)
	sv := startServe(t.Context(), c, nil)
	require.Equal(t, "hi", soon(t, sv.got), "what lay behind the request")
	r := bufio.NewReader(client)
	_, err = http.ReadResponse(r, nil)
	require.NoError(t, err)
	c.CloseNow()
	require.ErrorIs(t, soon(t, sv.err), net.ErrClosed)
}

// What nobody has read yet is part of what is taken; and nothing is while somebody reads.
func TestRequestListenerTakesTheRest(t *testing.T) {
	leakCheck(t)
	server, client := acceptedBy(t, listener(t, time.Minute))
	h := server.(*requestConn)
	b := make([]byte, len(wholeRequest)-1)
	_, err := io.ReadFull(h, b)
	require.NoError(t, err)
	h.rmu.Lock()
	s, _ := h.take()
	require.Nil(t, s)
	h.rmu.Unlock()
	require.NoError(t, h.SetDeadline(time.Unix(1, 0)))
	s, rest := h.take()
	require.NotNil(t, s)
	defer s.Close()
	require.Equal(t, "\n", string(rest))
	io.WriteString(client, "more")
	n, err := s.Read(b)
	require.NoError(t, err)
	require.Equal(t, "more", string(b[:n]))
}

// A deadline counts also for what has been read already, and ends a Read that waits.
func TestRequestListenerDeadlines(t *testing.T) {
	leakCheck(t)
	server, client := acceptedBy(t, listener(t, time.Minute))
	b := make([]byte, 64)
	require.NoError(t, server.SetReadDeadline(time.Unix(1, 0)))
	_, err := server.Read(b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, server.SetReadDeadline(time.Now().Add(time.Hour)))
	n, err := server.Read(b)
	require.NoError(t, err)
	require.Equal(t, wholeRequest, string(b[:n]))
	ended := make(chan error, 1)
	go func() {
		_, err := server.Read(b)
		ended <- err
	}()
	until(t, "a Read that waits", func() bool { return server.(*requestConn).sock.Load().in.flags.Load() == gateWaiting })
	require.NoError(t, server.SetReadDeadline(time.Unix(1, 0)))
	require.ErrorIs(t, soon(t, ended), os.ErrDeadlineExceeded)
	require.NoError(t, server.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err = server.Read(b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, server.SetReadDeadline(time.Time{}))
	io.WriteString(client, "a")
	_, err = server.Read(b)
	require.NoError(t, err)
	require.NoError(t, server.(interface{ CloseWrite() error }).CloseWrite())
	_, err = client.Read(b)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, server.Close())
	require.ErrorIs(t, server.SetReadDeadline(time.Time{}), net.ErrClosed)
	_, err = server.Read(b)
	require.ErrorIs(t, err, net.ErrClosed)
}

// Requests that ask for nothing of ours are served as ever, several on a connection,
// with bodies in both directions and a timeout between them.
func TestRequestListenerServesHTTP(t *testing.T) {
	leakCheck(t)
	serve := func(idle time.Duration) (net.Listener, <-chan string) {
		l, from := listener(t, time.Minute), make(chan string, 10)
		srv := &http.Server{
			ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: idle,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				from <- r.RemoteAddr
				body, _ := io.ReadAll(r.Body)
				w.Write(body)
			}),
		}
		go srv.Serve(l)
		t.Cleanup(func() { srv.Close() })
		return l, from
	}
	l, conns := serve(time.Minute)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var from string
	for range 3 {
		body := strings.Repeat("0123456789", 1<<17)
		res, err := client.Post("http://"+l.Addr().String(), "text/plain", strings.NewReader(body))
		require.NoError(t, err)
		got, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, len(body), len(got))
		require.Equal(t, body, string(got))
		if from == "" {
			from = soon(t, conns)
		} else {
			require.Equal(t, from, soon(t, conns))
		}
	}
	l, _ = serve(time.Millisecond)
	c := say(t, l, wholeRequest)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, 200, res.StatusCode)
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "idle for too long")
}
