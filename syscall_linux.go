//go:build !purego && !race && !msan && !asan && !386 && !s390x

package websocket

// The system calls of sockets that do not block, made without a word to Go's scheduler,
// which wants to know of those that may, and starts a watchman of its own when the
// program has been asleep. That is a fiftieth of a message's time at 16 bytes on a busy
// server, and half of it where messages come singly. Calls that only sockets have are the
// shorter ones: recvfrom and not read.
//
// What always holds: a call copies no more than quickBytes; the garbage collector may
// have to wait for it. No other file uses unsafe. Who wants none sets the tag purego and
// gets syscall_plain_linux.go and syscall_unix.go instead, as does the race detector, which
// looks at every read and write; and two architectures that package syscall has other
// numbers for.
//
// Who calls: transport_unix.go, socket_linux.go and poller_linux.go.

import (
	"syscall"
	"unsafe"
)

const quickBytes = 64 << 10

// sysRead is syscall.Read.
func sysRead(fd int, b []byte) (n int, err error) {
	if len(b) == 0 || len(b) > quickBytes {
		return syscall.Read(fd, b)
	}
	return sysResult(syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0, 0))
}

// sysWrite is syscall.Write.
func sysWrite(fd int, b []byte) (n int, err error) {
	if len(b) == 0 || len(b) > quickBytes {
		return syscall.Write(fd, b)
	}
	return sysResult(syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0))
}

// sysWrite2 writes a and then b, neither of which is empty.
func sysWrite2(fd int, a, b []byte) (n int, err error) {
	v := [2]syscall.Iovec{{Base: &a[0]}, {Base: &b[0]}}
	v[0].SetLen(len(a))
	v[1].SetLen(len(b))
	m := syscall.Msghdr{Iov: &v[0]}
	m.Iovlen = 2
	if len(a)+len(b) > quickBytes {
		return sysResult(syscall.Syscall(syscall.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&m)), syscall.MSG_NOSIGNAL))
	}
	return sysResult(syscall.RawSyscall(syscall.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&m)), syscall.MSG_NOSIGNAL))
}

// sysPoll is syscall.EpollWait that does not wait.
func sysPoll(epfd int, events []syscall.EpollEvent) (n int, err error) {
	return sysResult(syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0))
}

func sysResult(n, _ uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
