//go:build !unix

package websocket

import "net"

// awaitRequest is for platforms where what has come cannot be looked at.
func awaitRequest(net.Conn) error { return nil }
