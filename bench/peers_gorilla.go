// github.com/gorilla/websocket behind net/http: as its examples show it, and
// with NextReader into a buffer of ours, which spares its allocations.

package main

import (
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

func gorillaPeers() []peer {
	const mod = "github.com/gorilla/websocket"
	form := func(echo func(*websocket.Conn, *[]byte) error) func(net.Listener, serveOptions) error {
		return func(ln net.Listener, o serveOptions) error { return serveGorilla(ln, o, echo) }
	}
	return []peer{
		{name: "gorilla", module: mod, about: "ReadMessage and WriteMessage", http: true, deflate: true, broadcast: true, serve: form(gorillaMessage)},
		{name: "gorilla-buf", module: mod, about: "NextReader into an own buffer", http: true, deflate: true, serve: form(gorillaBuffer)},
	}
}

// serveHTTP serves handle behind net/http with the timeout that every deployed
// server sets. Shared by all peers that go through net/http.
func serveHTTP(ln net.Listener, handle http.HandlerFunc) error {
	return (&http.Server{Handler: handle, ReadHeaderTimeout: readHeaderTimeout}).Serve(ln)
}

func serveGorilla(ln net.Listener, o serveOptions, echo func(*websocket.Conn, *[]byte) error) error {
	u := websocket.Upgrader{EnableCompression: o.Deflate, HandshakeTimeout: 10 * time.Second}
	var h hub[*websocket.Conn]
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		if o.Broadcast {
			h.add(c)
			defer h.remove(c)
			gorillaBroadcast(c, &h)
			return
		}
		var buf []byte
		for echo(c, &buf) == nil {
		}
	})
}

func gorillaMessage(c *websocket.Conn, _ *[]byte) error {
	op, p, err := c.ReadMessage()
	if err != nil {
		return err
	}
	return c.WriteMessage(op, p)
}

func gorillaBuffer(c *websocket.Conn, buf *[]byte) error {
	op, r, err := c.NextReader()
	if err != nil {
		return err
	}
	if *buf, err = readInto((*buf)[:0], r); err != nil {
		return err
	}
	return c.WriteMessage(op, *buf)
}

func gorillaBroadcast(c *websocket.Conn, h *hub[*websocket.Conn]) {
	for {
		op, p, err := c.ReadMessage()
		if err != nil {
			return
		}
		m, err := websocket.NewPreparedMessage(op, p)
		if err != nil {
			return
		}
		h.each(func(to *websocket.Conn) error { return to.WritePreparedMessage(m) })
	}
}
