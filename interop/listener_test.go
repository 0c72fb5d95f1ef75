package interop

// What RequestListener hands out has to be a net.Conn in everything: there is a suite
// for that.

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/seed9f1f0156/websocket"
	"golang.org/x/net/nettest"
)

func TestRequestListenerConn(t *testing.T) {
	nettest.TestConn(t, func() (ours, theirs net.Conn, stop func(), err error) {
		inner, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, nil, err
		}
		l := websocket.RequestListener(inner, time.Minute)
		if theirs, err = net.Dial("tcp", l.Addr().String()); err != nil {
			l.Close()
			return nil, nil, nil, err
		}
		stop = func() {
			theirs.Close()
			if ours != nil {
				ours.Close()
			}
			l.Close()
		}
		// A byte that begins no request has the connection handed over at once.
		if _, err = theirs.Write([]byte{0}); err == nil {
			ours, err = l.Accept()
		}
		if err == nil {
			_, err = io.ReadFull(ours, make([]byte, 1))
		}
		return ours, theirs, stop, err
	})
}
