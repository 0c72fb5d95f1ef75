// github.com/lxzan/gws: event handler on its own HTTP server, and behind
// net/http through its Upgrader.

package main

import (
	"net"
	"net/http"

	"github.com/lxzan/gws"
)

func gwsPeers() []peer {
	const mod = "github.com/lxzan/gws"
	return []peer{
		{name: "gws", module: mod, about: "own HTTP server, OnMessage", deflate: true, takeover: true, broadcast: true,
			serve: func(ln net.Listener, o serveOptions) error {
				return gws.NewServer(newGwsHandler(o), gwsOption(o)).RunListener(ln)
			}},
		{name: "gws-http", module: mod, about: "Upgrader behind net/http", http: true, deflate: true, takeover: true,
			serve: func(ln net.Listener, o serveOptions) error {
				u := gws.NewUpgrader(newGwsHandler(o), gwsOption(o))
				return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
					c, err := u.Upgrade(w, r)
					if err != nil {
						return
					}
					go c.ReadLoop()
				})
			}},
	}
}

func gwsOption(o serveOptions) *gws.ServerOption {
	return &gws.ServerOption{
		CheckUtf8Enabled: true,
		PermessageDeflate: gws.PermessageDeflate{
			Enabled:               o.Deflate || o.Takeover,
			ServerContextTakeover: o.Takeover,
			ClientContextTakeover: o.Takeover,
			// Window bits are given only with takeover: 15, as the others have.
			ServerMaxWindowBits: 15,
			ClientMaxWindowBits: 15,
		},
	}
}

type gwsHandler struct {
	gws.BuiltinEventHandler
	hub *hub[*gws.Conn]
}

func newGwsHandler(o serveOptions) *gwsHandler {
	h := new(gwsHandler)
	if o.Broadcast {
		h.hub = new(hub[*gws.Conn])
	}
	return h
}

func (h *gwsHandler) OnOpen(c *gws.Conn) {
	if h.hub != nil {
		h.hub.add(c)
	}
}

func (h *gwsHandler) OnClose(c *gws.Conn, _ error) {
	if h.hub != nil {
		h.hub.remove(c)
	}
}

func (h *gwsHandler) OnPing(c *gws.Conn, payload []byte) { c.WritePong(payload) }

func (h *gwsHandler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if h.hub == nil {
		c.WriteMessage(m.Opcode, m.Bytes())
		return
	}
	// The broadcaster's queue outlives this call; the message does not.
	b := gws.NewBroadcaster(m.Opcode, append([]byte(nil), m.Bytes()...))
	defer b.Close()
	h.hub.each(b.Broadcast)
}
