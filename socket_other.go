//go:build !linux

package websocket

import (
	"errors"
	"net"
	"time"
)

// socket is for platforms with a poller of this package's; here net's own sockets do,
// and none is ever made.
type socket struct {
	net.TCPConn
	turns, looked, drained bool
}

func takeSocket(net.Conn) (*socket, []byte) { return nil, nil }

func newSocketListener(net.Listener, time.Duration) net.Listener { return nil }

func (*socket) read([]byte, int) ([]byte, *buffer, error) { return nil, nil, errors.ErrUnsupported }
func (*socket) tryWrite([]byte) (int, error)              { return 0, errors.ErrUnsupported }
func (*socket) tryBoth(_, _ []byte) (int, error)          { return 0, errors.ErrUnsupported }
func (*socket) arrived() time.Duration                    { return moment() }
func (*socket) park(*service) bool                        { return false }
func (*socket) kick()                                     {}
func (*socket) alarm(_ *Conn, _, _ time.Duration)         {}
