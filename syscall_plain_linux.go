//go:build purego || race || msan || asan || 386 || s390x

package websocket

// The twin of syscall_linux.go, together with syscall_unix.go.

import "syscall"

// sysWrite2 writes a and then b, neither of which is empty. The kernel is told that more
// follows a, and sends both together.
func sysWrite2(fd int, a, b []byte) (n int, err error) {
	n, err = syscall.SendmsgN(fd, a, nil, nil, syscall.MSG_MORE|syscall.MSG_NOSIGNAL)
	if err != nil || n < len(a) {
		return n, err
	}
	m, err := syscall.Write(fd, b)
	if err == syscall.EAGAIN || err == syscall.EINTR {
		return n, nil
	}
	return n + max(m, 0), err
}

func sysPoll(epfd int, events []syscall.EpollEvent) (n int, err error) {
	return syscall.EpollWait(epfd, events, 0)
}
