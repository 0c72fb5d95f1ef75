//go:build nbio

// github.com/lesismal/nbio with the handler on its poller.
//
// It is in a binary of its own (apart.go): the package makes queues of 1 MiB when a
// program starts, whether it is used or not, and in a server of any other library each
// garbage collection would look through them.

package main

import (
	"net"
	"net/http"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	nbws "github.com/lesismal/nbio/nbhttp/websocket"
)

func init() { apart["nbio"] = serveNbio }

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
