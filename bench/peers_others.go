// github.com/fasthttp/websocket on its own HTTP server, and golang.org/x/net's
// package.

package main

import (
	"net"

	fastws "github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"
	xws "golang.org/x/net/websocket"
)

func fasthttpPeers() []peer {
	return []peer{{name: "fasthttp", module: "github.com/fasthttp/websocket", about: "fasthttp server, ReadMessage and WriteMessage",
		deflate: true, broadcast: true, serve: serveFasthttp}}
}

func serveFasthttp(ln net.Listener, o serveOptions) error {
	u := fastws.FastHTTPUpgrader{EnableCompression: o.Deflate}
	var h hub[*fastws.Conn]
	return (&fasthttp.Server{
		Concurrency: 1 << 20,
		Handler: func(ctx *fasthttp.RequestCtx) {
			u.Upgrade(ctx, func(c *fastws.Conn) {
				defer c.Close()
				if o.Broadcast {
					h.add(c)
					defer h.remove(c)
				}
				for fasthttpEcho(c, &h, o.Broadcast) == nil {
				}
			})
		},
	}).Serve(ln)
}

func fasthttpEcho(c *fastws.Conn, h *hub[*fastws.Conn], broadcast bool) error {
	op, p, err := c.ReadMessage()
	if err != nil {
		return err
	}
	if !broadcast {
		return c.WriteMessage(op, p)
	}
	m, err := fastws.NewPreparedMessage(op, p)
	if err != nil {
		return err
	}
	h.each(func(to *fastws.Conn) error { return to.WritePreparedMessage(m) })
	return nil
}

func xnetPeers() []peer {
	return []peer{{name: "xnet", module: "golang.org/x/net", about: "websocket.Message.Receive and Send", http: true, broadcast: true, serve: serveXnet}}
}

func serveXnet(ln net.Listener, o serveOptions) error {
	var h hub[*xws.Conn]
	s := xws.Server{Handler: func(c *xws.Conn) {
		if o.Broadcast {
			h.add(c)
			defer h.remove(c)
		}
		var p []byte
		for xws.Message.Receive(c, &p) == nil {
			if o.Broadcast {
				h.each(func(to *xws.Conn) error { return xws.Message.Send(to, p) })
				continue
			}
			if xws.Message.Send(c, p) != nil {
				return
			}
		}
	}}
	return serveHTTP(ln, s.ServeHTTP)
}
