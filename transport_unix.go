//go:build unix

package websocket

import (
	"io"
	"net"
	"os"
	"syscall"
)

// rawSocket reads and writes a plain socket through its descriptor, with net's
// poller doing the waiting: a read borrows its buffer only once there is
// something to read, and a write can be tried without waiting.
//
// The callbacks are made once; what they need and what they find is in the
// fields, so that no call allocates.
type rawSocket struct {
	rc syscall.RawConn

	onRead func(fd uintptr) bool
	room   []byte // where to read, or nil
	size   int    // of the buffer to borrow if there is no room
	buf    *buffer
	rn     int
	rerr   error

	onWrite func(fd uintptr) bool
	src     []byte
	wn      int
	werr    error
}

func newRawSocket(c syscall.Conn) *rawSocket {
	rc, err := c.SyscallConn()
	if err != nil {
		return nil // closed already: the first read will say so
	}
	r := &rawSocket{rc: rc}
	r.onRead, r.onWrite = r.readReady, r.writeReady
	return r
}

func (r *rawSocket) read(room []byte, size int) ([]byte, *buffer, error) {
	r.room, r.size = room, size
	err := r.rc.Read(r.onRead)
	room, buf := r.room, r.buf
	r.room, r.buf = nil, nil
	if err == nil {
		err = r.rerr
	}
	if err != nil {
		buf.put()
		return nil, nil, err
	}
	if buf != nil {
		room = buf.b[:cap(buf.b)]
	}
	return room[:r.rn], buf, nil
}

// readReady tries to read. That it returns false makes the poller wait.
func (r *rawSocket) readReady(fd uintptr) bool {
	b := r.room
	if b == nil {
		r.buf = newBuffer(r.size)
		b = r.buf.b[:cap(r.buf.b)]
	}
	r.rn, r.rerr = readSocket(int(fd), b)
	if r.rerr == errWouldBlock {
		r.buf.put()
		r.buf = nil
		return false
	}
	return true
}

func (r *rawSocket) tryWrite(b []byte) (int, error) {
	r.src = b
	err := r.rc.Write(r.onWrite)
	r.src = nil
	if err != nil {
		return 0, err
	}
	return r.wn, r.werr
}

// writeReady writes what the kernel takes and never makes the poller wait.
func (r *rawSocket) writeReady(fd uintptr) bool {
	r.wn, r.werr = writeSocket(int(fd), r.src)
	return true
}

// readSocket reads from a socket that does not block. n is only 0 with an error, which
// is errWouldBlock if there is nothing to read yet.
func readSocket(fd int, b []byte) (n int, err error) {
	for {
		n, err := sysRead(fd, b)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return 0, errWouldBlock
		case err != nil:
			return 0, socketError("read", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// writeSocket writes what a socket that does not block takes.
func writeSocket(fd int, b []byte) (n int, err error) {
	for n < len(b) {
		m, err := sysWrite(fd, b[n:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return n, nil
		case err != nil:
			return n, socketError("write", err)
		}
		if n += m; n < len(b) {
			return n, nil // a short write: the next one would not be taken
		}
	}
	return n, nil
}

func socketError(call string, err error) error {
	return &net.OpError{Op: call, Net: "socket", Err: os.NewSyscallError(call, err)}
}
