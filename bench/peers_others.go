// github.com/fasthttp/websocket on its own HTTP server, golang.org/x/net's
// package, and github.com/lesismal/nbio with the handler on its poller.

package main

import (
	"net"
	"net/http"

	fastws "github.com/fasthttp/websocket"
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	nbws "github.com/lesismal/nbio/nbhttp/websocket"
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

func nbioPeers() []peer {
	return []peer{{name: "nbio", module: "github.com/lesismal/nbio", about: "event loop, handler on the poller", deflate: true, broadcast: true, serve: serveNbio}}
}

// serveNbio runs handlers on the poller's goroutine: its documentation's
// advice for handlers that never block, and its cheapest form.
func serveNbio(ln net.Listener, o serveOptions) error {
	logging.SetLevel(logging.LevelNone)
	var h hub[*nbws.Conn]
	u := nbws.NewUpgrader()
	u.EnableCompression(o.Deflate)
	u.OnOpen(func(c *nbws.Conn) {
		c.EnableWriteCompression(o.Deflate)
		if o.Broadcast {
			h.add(c)
		}
	})
	u.OnClose(func(c *nbws.Conn, _ error) {
		if o.Broadcast {
			h.remove(c)
		}
	})
	u.OnMessage(func(c *nbws.Conn, op nbws.MessageType, p []byte) {
		if !o.Broadcast {
			c.WriteMessage(op, p)
			return
		}
		h.each(func(to *nbws.Conn) error { return to.WriteMessage(op, p) })
	})
	e := nbhttp.NewEngine(nbhttp.Config{
		Network:                 "tcp",
		Addrs:                   []string{ln.Addr().String()},
		Listen:                  func(string, string) (net.Listener, error) { return ln, nil },
		NPoller:                 1,
		ServerExecutor:          func(f func()) { f() },
		ReleaseWebsocketPayload: true,
		Handler:                 http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { u.Upgrade(w, r, nil) }),
	})
	u.Engine = e
	if err := e.Start(); err != nil {
		return err
	}
	select {}
}
