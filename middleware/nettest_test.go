package middleware

// A connection as a net.Conn, and the streams of wstest, against the tests that
// golang.org/x/net has for every net.Conn.

import (
	"net"
	"testing"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"golang.org/x/net/nettest"
)

// overTCP returns the ends of a TCP connection over loopback.
func overTCP() (server, client net.Conn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	if server, err = l.Accept(); err != nil {
		client.Close()
		return nil, nil, err
	}
	return server, client, nil
}

func inMemory() (server, client net.Conn, err error) {
	server, client = wstest.NetPipe(0)
	return server, client, nil
}

// unbuffered is net.Pipe, where every write waits for its reader.
func unbuffered() (server, client net.Conn, err error) {
	server, client = net.Pipe()
	return server, client, nil
}

// asNetConn makes websocket connections of a stream's ends, and net.Conns of these.
func asNetConn(opts *websocket.Options, extensions string, stream func() (s, c net.Conn, err error)) nettest.MakePipe {
	return func() (c1, c2 net.Conn, stop func(), err error) {
		s, c, err := stream()
		if err != nil {
			return nil, nil, nil, err
		}
		server, err := websocket.NewConn(s, websocket.Handshake{Role: websocket.RoleServer, Extensions: extensions}, opts)
		if err != nil {
			return nil, nil, nil, err
		}
		client, err := websocket.NewConn(c, websocket.Handshake{Role: websocket.RoleClient, Extensions: extensions}, opts)
		if err != nil {
			return nil, nil, nil, err
		}
		stop = func() {
			server.CloseNow()
			client.CloseNow()
		}
		return server.NetConn(websocket.Binary), client.NetConn(websocket.Binary), stop, nil
	}
}

func TestNetConn(t *testing.T) {
	compression := &websocket.Options{Compression: &websocket.Compression{}}
	for name, pipe := range map[string]nettest.MakePipe{
		"TCP":            asNetConn(nil, "", overTCP),
		"TCP compressed": asNetConn(compression, "permessage-deflate", overTCP),
		"memory":         asNetConn(nil, "", inMemory),
		"unbuffered":     asNetConn(nil, "", unbuffered),
	} {
		t.Run(name, func(t *testing.T) { nettest.TestConn(t, pipe) })
		t.Run(name+", from the client", func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				c2, c1, stop, err = pipe()
				return c1, c2, stop, err
			})
		})
	}
}

func TestNetPipe(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		c1, c2 = wstest.NetPipe(0)
		return c1, c2, func() {
			c1.Close()
			c2.Close()
		}, nil
	})
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		a, b := wstest.NetPipe(100)
		c1, c2 = wstest.WithFaults(a, wstest.Faults{Read: wstest.Fault{Chunk: 7}, Write: wstest.Fault{Chunk: 999}}), b
		return c1, c2, func() {
			c1.Close()
			c2.Close()
		}, nil
	})
}
