//go:build unix

package websocket

import (
	"io"
	"net"
	"os"
	"syscall"
)

// awaitRequest waits until conn has a request's header, or what is none, in front of
// it, and leaves all of it there. If nothing comes any more it returns an error.
func awaitRequest(conn net.Conn) error {
	var s syscall.Conn
	switch c := conn.(type) {
	case *net.TCPConn:
		s = c
	case *net.UnixConn:
		s = c
	default:
		return nil
	}
	rc, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := rc.Read(func(fd uintptr) (enough bool) {
		enough, failed = lookAt(int(fd))
		return enough
	}); err != nil {
		return err
	}
	return failed
}

// lookAt looks at what has come. The kernel wakes who waits again with every byte.
func lookAt(fd int) (enough bool, err error) {
	buf := newBuffer(1 << minBufferBits)
	defer buf.put()
	b := buf.b[:cap(buf.b)]
	for {
		n, _, err := syscall.Recvfrom(fd, b, syscall.MSG_PEEK)
		switch err {
		case nil:
			if n == 0 {
				return true, io.EOF
			}
			return n == len(b) || !mayGrow(b[:n]), nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false, nil
		default:
			return true, os.NewSyscallError("recvfrom", err)
		}
	}
}
