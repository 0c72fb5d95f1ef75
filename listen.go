package websocket

// Before there is a request: RequestListener, which keeps net/http from clients that
// have sent half of one. Over TCP on Linux listen_linux.go does that; this is the rest.
//
// What always holds: a connection is either held here, by one goroutine, or has been
// handed over, and nothing was read from it. Who calls: the program, around the
// listener it gives to an http.Server, and net/http, Accept and Close.

import (
	"bytes"
	"net"
	"sync"
	"time"
)

// RequestListener returns a listener for an [http.Server] that takes connections from
// l and hands each over when the header of its first request has come whole. A client
// that stops half-way, or drips, costs a tenth of what it costs net/http until then,
// and is disconnected after timeout; 0 means 10 seconds. What is larger than 4 KiB, or
// is no text, as TLS is none, is handed over as it comes: put tls.NewListener around this
// listener, and not the other way about.
//
//	srv.Serve(websocket.RequestListener(l, 0))
//
// On Linux, if l is a *net.TCPListener, connections are accepted without net, which
// spares a handshake ten of its sixteen system calls. They have net's options (no delay, and
// TCP's keepalive after 15 seconds, whatever l's [net.ListenConfig] says of that) and are
// no *net.TCPConn, but have its CloseWrite, and its SyscallConn for Control. [Accept]
// goes on with them as with net's own.
//
// Elsewhere they are l's, and a goroutine looks at each until its request is there; nothing
// is read from them. Those of a kind that cannot be looked at, others than TCP's and
// Unix's own or on a platform without that, are handed over at once.
//
// Accept returns errors as they come, and net.ErrClosed once the listener is closed, which
// closes l and the connections that are held. Its methods can be called from any
// goroutine.
func RequestListener(l net.Listener, timeout time.Duration) net.Listener {
	if timeout <= 0 {
		timeout = defaultHandshakeTimeout
	}
	if s := newSocketListener(l, timeout); s != nil {
		return s
	}
	return &requestListener{
		Listener: l,
		timeout:  timeout,
		ready:    make(chan accepted),
		closed:   make(chan struct{}),
		held:     make(map[net.Conn]struct{}),
	}
}

type requestListener struct {
	net.Listener
	timeout time.Duration
	start   sync.Once
	ready   chan accepted
	closed  chan struct{}

	mu   sync.Mutex
	held map[net.Conn]struct{} // nil when closed
}

// accepted is what an Accept returns.
type accepted struct {
	conn net.Conn
	err  error
}

func (l *requestListener) Accept() (net.Conn, error) {
	l.start.Do(func() { go l.accept() })
	select {
	case a := <-l.ready:
		return a.conn, a.err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// accept takes connections in. An error is left to who calls Accept, and knows whether
// to come again.
func (l *requestListener) accept() {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			if !l.hand(accepted{err: err}) {
				return
			}
			continue
		}
		go l.hold(conn)
	}
}

// hand gives a to the next Accept, and tells whether there will be one.
func (l *requestListener) hand(a accepted) bool {
	select {
	case l.ready <- a:
		return true
	case <-l.closed:
		return false
	}
}

// hold sees conn to its first request, or to its end.
func (l *requestListener) hold(conn net.Conn) {
	if !l.add(conn) {
		conn.Close()
		return
	}
	conn.SetReadDeadline(time.Now().Add(l.timeout)) // if it cannot, it cannot be looked at either
	err := awaitRequest(conn)
	l.remove(conn)
	conn.SetReadDeadline(time.Time{})
	if err != nil || !l.hand(accepted{conn: conn}) {
		conn.Close()
	}
}

func (l *requestListener) add(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		return false
	}
	l.held[conn] = struct{}{}
	return true
}

func (l *requestListener) remove(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, conn)
}

func (l *requestListener) Close() error {
	l.mu.Lock()
	held := l.held
	l.held = nil
	l.mu.Unlock()
	if held != nil {
		close(l.closed)
	}
	for conn := range held {
		conn.Close()
	}
	return l.Listener.Close()
}

// mayGrow tells whether p, all that has come, is the beginning of a request's header:
// lines that are not yet followed by an empty one. "Although the line terminator for
// the start-line and fields is the sequence CRLF, a recipient MAY recognize a single LF
// as a line terminator" (RFC 9112, section 2.2), which net/http does.
func mayGrow(p []byte) bool {
	return len(p) == 0 || p[0] >= ' ' && p[0] < 0x7F && !bytes.Contains(p, []byte("\n\r\n")) && !bytes.Contains(p, []byte("\n\n"))
}
