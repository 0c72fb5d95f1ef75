// github.com/coder/websocket behind net/http: with its Reader into a buffer of
// ours, which is its fastest form, and with the plain Read.

package main

import (
	"context"
	"io"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

func coderPeers() []peer {
	const mod = "github.com/coder/websocket"
	form := func(echo func(*websocket.Conn, *[]byte) error) func(net.Listener, serveOptions) error {
		return func(ln net.Listener, o serveOptions) error { return serveCoder(ln, o, echo) }
	}
	return []peer{
		{name: "coder", module: mod, about: "Reader into an own buffer, context.Background", http: true, deflate: true, takeover: true, broadcast: true, serve: form(coderBuffer)},
		{name: "coder-read", module: mod, about: "Read and Write", http: true, deflate: true, takeover: true, serve: form(coderRead)},
	}
}

func serveCoder(ln net.Listener, o serveOptions, echo func(*websocket.Conn, *[]byte) error) error {
	opts := &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled}
	switch {
	case o.Takeover:
		opts.CompressionMode = websocket.CompressionContextTakeover
	case o.Deflate:
		opts.CompressionMode = websocket.CompressionNoContextTakeover
	}
	var h hub[*websocket.Conn]
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, opts)
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(64 << 20)
		if o.Broadcast {
			h.add(c)
			defer h.remove(c)
		}
		var buf []byte
		for {
			if o.Broadcast {
				op, p, err := c.Read(context.Background())
				if err != nil {
					return
				}
				h.each(func(to *websocket.Conn) error { return to.Write(context.Background(), op, p) })
				continue
			}
			if echo(c, &buf) != nil {
				return
			}
		}
	})
}

func coderRead(c *websocket.Conn, _ *[]byte) error {
	op, p, err := c.Read(context.Background())
	if err != nil {
		return err
	}
	return c.Write(context.Background(), op, p)
}

func coderBuffer(c *websocket.Conn, buf *[]byte) error {
	op, r, err := c.Reader(context.Background())
	if err != nil {
		return err
	}
	if *buf, err = readInto((*buf)[:0], r); err != nil {
		return err
	}
	return c.Write(context.Background(), op, *buf)
}

// readInto appends all of r to b, growing it by doubling; io.ReadAll with a
// buffer that is kept.
func readInto(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = extend(b, max(512, len(b)))[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}
