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
	for {
		n, err := syscall.Read(int(fd), b)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			r.buf.put()
			r.buf = nil
			return false
		case err != nil:
			r.rn, r.rerr = 0, &net.OpError{Op: "read", Net: "socket", Err: os.NewSyscallError("read", err)}
		case n == 0:
			r.rn, r.rerr = 0, io.EOF
		default:
			r.rn, r.rerr = n, nil
		}
		return true
	}
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
	r.wn, r.werr = 0, nil
	for r.wn < len(r.src) {
		n, err := syscall.Write(int(fd), r.src[r.wn:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return true
		case err != nil:
			r.werr = &net.OpError{Op: "write", Net: "socket", Err: os.NewSyscallError("write", err)}
			return true
		}
		r.wn += n
		if r.wn < len(r.src) {
			return true // a short write: the next one would not be taken
		}
	}
	return true
}
