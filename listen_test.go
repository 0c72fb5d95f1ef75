//go:build unix

package websocket

// Clients that have sent half a request, or none, or no request at all.

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// listener is a RequestListener on loopback.
func listener(t *testing.T, timeout time.Duration) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	held := RequestListener(l, timeout)
	t.Cleanup(func() { held.Close() })
	return held
}

// say connects to l and says what it is given.
func say(t *testing.T, l net.Listener, what string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	_, err = io.WriteString(c, what)
	require.NoError(t, err)
	return c
}

// requireNext accepts the next connection, which has to be c, with all it said.
func requireNext(t *testing.T, l net.Listener, c net.Conn, said string) {
	t.Helper()
	s, err := l.Accept()
	require.NoError(t, err)
	defer s.Close()
	require.Equal(t, c.LocalAddr().String(), s.RemoteAddr().String())
	p := make([]byte, len(said))
	_, err = io.ReadFull(s, p)
	require.NoError(t, err)
	require.Equal(t, said, string(p))
}

// A connection comes when its header is whole, however it was cut, and before those
// that came earlier and said less.
func TestRequestListenerWaits(t *testing.T) {
	leakCheck(t)
	l := listener(t, time.Minute)
	say(t, l, "")
	say(t, l, "GET / HTTP/1.1\r\nHost: example.com\r\n")
	for _, whole := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\n\n",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nand what follows",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		requireNext(t, l, say(t, l, whole), whole)
	}
	dripping := say(t, l, "")
	const whole = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	go func() {
		for i := range len(whole) {
			dripping.Write([]byte{whole[i]})
			<-time.After(time.Millisecond)
		}
	}()
	requireNext(t, l, dripping, whole)
}

// What is no request, or a large one, is for others to judge.
func TestRequestListenerLetsThrough(t *testing.T) {
	leakCheck(t)
	l := listener(t, time.Minute)
	for _, said := range []string{"\x16\x03\x01", "\x00", "\r\n", "\xFFGET", strings.Repeat("GET /", 1000)} {
		requireNext(t, l, say(t, l, said), said)
	}
}

// Who goes without having asked for anything is nobody's business.
func TestRequestListenerForgetsWhoGoes(t *testing.T) {
	leakCheck(t)
	l := listener(t, time.Minute)
	for _, half := range []string{"", "GET / HTTP/1.1\r\n"} {
		say(t, l, half).Close()
		const whole = "GET / HTTP/1.1\r\n\r\n"
		requireNext(t, l, say(t, l, whole), whole)
	}
}

// Half a request, or none, is a connection until the timeout and no longer.
func TestRES01RequestListener(t *testing.T) {
	leakCheck(t)
	l := listener(t, 50*time.Millisecond)
	none := make(chan error)
	go func() {
		_, err := l.Accept()
		none <- err
	}()
	for _, half := range []string{"", "GET / HTTP/1.1\r\n"} {
		_, err := io.Copy(io.Discard, say(t, l, half)) // a reset, if bytes were left unread
		if err != nil {
			require.ErrorContains(t, err, "reset")
		}
	}
	l.Close()
	require.ErrorIs(t, <-none, net.ErrClosed)
}

// Closing ends those that are held, and those that were ready and nobody took.
func TestRequestListenerCloses(t *testing.T) {
	leakCheck(t)
	l := listener(t, time.Minute)
	ready := say(t, l, "GET / HTTP/1.1\r\n\r\n")
	requireNext(t, l, ready, "GET / HTTP/1.1\r\n\r\n")
	held := []net.Conn{say(t, l, ""), say(t, l, "GET"), say(t, l, "GET / HTTP/1.1\r\n\r\n")}
	require.NoError(t, l.Close())
	for _, c := range held {
		io.Copy(io.Discard, c)
	}
	_, err := l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, l.Close(), net.ErrClosed)
}

// toldListener is a listener that says what it is told to, and then that it is closed.
type toldListener struct {
	net.Listener
	next chan any
}

func (s toldListener) Accept() (net.Conn, error) {
	switch v := (<-s.next).(type) {
	case net.Conn:
		return v, nil
	case error:
		return nil, v
	}
	return nil, net.ErrClosed
}

func (s toldListener) Close() error { close(s.next); return nil }

// timeless is a stream without deadlines.
type timeless struct{ net.Conn }

func (timeless) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }

// An error is the caller's to judge, who may come again; and a connection that cannot
// be looked at comes at once.
func TestRequestListenerPassesOn(t *testing.T) {
	leakCheck(t)
	s := toldListener{next: make(chan any, 3)}
	l := RequestListener(s, 0)
	busy := errors.New("too many open files")
	ours, theirs := net.Pipe()
	defer theirs.Close()
	s.next <- busy
	_, err := l.Accept()
	require.Equal(t, busy, err)
	for _, conn := range []net.Conn{ours, timeless{ours}} {
		s.next <- conn
		c, err := l.Accept()
		require.NoError(t, err)
		require.Equal(t, conn, c)
	}
	ours.Close()
	require.NoError(t, l.Close())
}

// Descriptors that run out make net/http wait, and l is asked no more often than it
// asks; then all goes on.
func TestRES02RequestListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := toldListener{next: make(chan any)}
		srv := &http.Server{
			Handler:  &Server{Handler: func(_ context.Context, c *Conn) error { return c.Write(ctxBackground, Text, []byte("hi")) }},
			ErrorLog: log.New(io.Discard, "", 0),
		}
		go srv.Serve(RequestListener(s, 0))
		begun := time.Now()
		for range 10 {
			s.next <- &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
		}
		require.Greater(t, time.Since(begun), time.Second, "net/http doubles its pauses from 5 ms on")
		ours, theirs := net.Pipe()
		s.next <- ours
		go io.WriteString(theirs, rawRequest())
		b := make([]byte, 12)
		_, err := io.ReadFull(theirs, b)
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 101", string(b))
		theirs.Close()
		require.NoError(t, srv.Close())
	})
}

// net/http finds everything in its place, behind TLS too, and bytes behind the request.
func TestRequestListenerServes(t *testing.T) {
	p := newPKI(t)
	config := &tls.Config{Certificates: []tls.Certificate{p.certificate(t, 48*time.Hour, false, "localhost")}}
	server := &Server{Handler: func(_ context.Context, c *Conn) error {
		echoUntilEnd(c)
		return nil
	}}
	for name, wrap := range map[string]func(net.Listener) net.Listener{
		"plain": func(l net.Listener) net.Listener { return l },
		"TLS":   func(l net.Listener) net.Listener { return tls.NewListener(l, config) },
	} {
		t.Run(name, func(t *testing.T) {
			leakCheck(t)
			l := listener(t, time.Minute)
			srv := &http.Server{Handler: server}
			go srv.Serve(wrap(l))
			defer srv.Close()
			scheme, opts := "ws://", &DialOptions{}
			if name == "TLS" {
				scheme, opts.TLSConfig = "wss://", p.client()
				opts.TLSConfig.ServerName = "localhost"
			}
			c, err := Dial(context.Background(), scheme+l.Addr().String(), opts)
			require.NoError(t, err)
			requireEcho(t, c)
			require.NoError(t, c.Close(StatusNormalClosure, ""))
		})
	}
	l := listener(t, time.Minute)
	srv := &http.Server{Handler: server}
	go srv.Serve(l)
	defer srv.Close()
	c := say(t, l, rawRequest()+"\x81\x82\x00\x00\x00\x00hi")
	var got []byte
	for p := make([]byte, 512); !strings.HasSuffix(string(got), "\x81\x02hi"); {
		n, err := c.Read(p)
		require.NoError(t, err)
		got = append(got, p[:n]...)
	}
}
