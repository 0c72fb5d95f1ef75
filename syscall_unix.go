//go:build unix && (!linux || purego || race || msan || asan || 386 || s390x)

package websocket

// The system calls of sockets where package syscall makes them.

import "syscall"

func sysRead(fd int, b []byte) (n int, err error)  { return syscall.Read(fd, b) }
func sysWrite(fd int, b []byte) (n int, err error) { return syscall.Write(fd, b) }
