// Package websocket is the WebSocket protocol, RFC 6455, for servers and clients,
// with permessage-deflate, RFC 7692.
//
// # Connections
//
// A server is a [Server], which is an [net/http.Handler], or a handler of your own
// that calls [Accept]. A client calls [Dial]. Both give a [Conn]:
//
//	c.Serve(ctx, func(op websocket.Opcode, msg []byte) error {
//		return c.Write(ctx, op, msg)
//	})
//
// Write from any goroutine. Read from one: [Conn.Read] gives a message away,
// [Conn.Next] lends it, [Conn.Reader] streams it, [Conn.Serve] loops over them,
// [Conn.Handle] does so without keeping the caller, [Conn.CloseRead] drops them for a
// connection that only writes. Somebody has to read, since it is the reader that
// answers pings and sees the peer close.
//
// A context ends a call, not the connection: the next read goes on where the last
// one stopped. [Conn.Close] ends the connection with a closing handshake that takes
// bounded time, [Conn.CloseNow] without one; defer the latter.
//
// # Defaults
//
// Nothing has to be set: pages of other origins are refused, text is checked,
// messages are limited to 1 MiB, a write that the peer does not take ends the
// connection after 10 seconds, and servers ping a silent peer after 30 seconds and
// give it up after 10 more. [Options] has them all. Compression is off.
//
// # Errors
//
// A read or write that failed for good returns the same error for ever, one of
//
//   - [CloseError]: there was a close frame, from either side, or the connection
//     was lost without one (status 1006, and the cause wrapped, such as
//     [ErrPeerTimeout] or io.ErrUnexpectedEOF)
//   - [ProtocolError]: the peer broke a rule, which it names
//   - [MessageTooBigError]: the peer's message passed a limit
//
// errors.Is(err, net.ErrClosed) tells that this side closed. A context's error, and
// os.ErrDeadlineExceeded after the ReadIdleTimeout of [Options], leave the connection
// as it was. Before there is a connection the error is a [HandshakeError].
//
// # The core
//
// [Receiver], [Assembler] and [Sender] are the protocol without any input or
// output: bytes to events, events to messages, messages to bytes. Conn is built on
// them; an event loop, a proxy or a test tool can be as well.
package websocket
