// This module's own library, in the forms that users write: Serve, Handle, a loop of
// Next and Write with and without batching of replies, and Read with a slice of
// one's own. All behind net/http with RequestListener and Accept, as docs/production.md
// has it, and with the default options (limits, keepalive and origin check included).
//
// The handler leaves net/http's goroutine, whose stack has grown while it
// parsed the request, and goes on in one of its own, as websocket.Server does;
// behind Handle there is none.

package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/seed9f1f0156/websocket"
)

const ourModule = "github.com/seed9f1f0156/websocket"

func ourPeers() []peer {
	over := func(name, about string, batch bool, serve func(*websocket.Conn)) peer {
		return peer{name: name, module: ourModule, about: about, ours: true, http: true, deflate: true, takeover: true,
			broadcast: name == "serve",
			serve: func(ln net.Listener, o serveOptions) error {
				opts := ourOptions(o)
				opts.Batch = batch
				if o.Broadcast {
					serve = onItsOwn(ourBroadcast())
				}
				return serveHTTP(ourListener(ln, o), func(w http.ResponseWriter, r *http.Request) {
					c, err := websocket.Accept(w, r, opts)
					if err == nil {
						serve(c)
					}
				})
			}}
	}
	form := func(name, about string, batch bool, loop func(*websocket.Conn) error) peer {
		return over(name, about, batch, onItsOwn(loop))
	}
	return []peer{
		form("serve", "Serve", false, ourServe),
		over("handle", "Handle", false, ourHandle),
		{name: "server", module: ourModule, about: "websocket.Server, Serve with the connection's context", ours: true, http: true,
			deflate: true, takeover: true, serve: serveOurServer},
		form("next-batch", "Next and Write, Options.Batch", true, ourNext),
		form("next", "Next and Write", false, ourNext),
		form("read", "Read and Write", false, ourRead),
	}
}

// serveOurServer is a whole deployment: the Server type with its bookkeeping,
// and a context that ends with the connection. It obeys the command `shutdown`.
func serveOurServer(ln net.Listener, o serveOptions) error {
	s := &websocket.Server{
		AcceptOptions: *ourOptions(o),
		Handler: func(ctx context.Context, c *websocket.Conn) error {
			return c.Serve(ctx, func(op websocket.Opcode, p []byte) error { return c.Write(ctx, op, p) })
		},
	}
	serverCommands["shutdown"] = func() any {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
		defer cancel()
		start := time.Now()
		forced, err := s.Shutdown(ctx)
		a := shutdownAnswer{Forced: forced, Seconds: time.Since(start).Seconds()}
		if err != nil {
			a.Err = err.Error()
		}
		return a
	}
	return serveHTTP(ourListener(ln, o), s.ServeHTTP)
}

func ourListener(ln net.Listener, o serveOptions) net.Listener {
	if o.Bare {
		return ln
	}
	return websocket.RequestListener(ln, readHeaderTimeout)
}

// ourOptions is what a measurement needs beyond the defaults.
func ourOptions(o serveOptions) *websocket.AcceptOptions {
	opts := new(websocket.AcceptOptions)
	if o.Deflate || o.Takeover {
		opts.Compression = &websocket.Compression{SendTakeover: o.Takeover, ReceiveTakeover: o.Takeover}
	}
	if o.NoLimit {
		opts.ReadLimit = -1
	}
	return opts
}

// onItsOwn runs loop on a goroutine of its own.
func onItsOwn(loop func(*websocket.Conn) error) func(*websocket.Conn) {
	return func(c *websocket.Conn) {
		go func() {
			defer c.CloseNow()
			loop(c)
		}()
	}
}

func ourHandle(c *websocket.Conn) {
	ctx := context.Background()
	c.Handle(ctx, func(op websocket.Opcode, p []byte) error { return c.Write(ctx, op, p) }, nil)
}

func ourServe(c *websocket.Conn) error {
	ctx := context.Background()
	return c.Serve(ctx, func(op websocket.Opcode, p []byte) error { return c.Write(ctx, op, p) })
}

func ourNext(c *websocket.Conn) error {
	ctx := context.Background()
	for {
		op, p, err := c.Next(ctx)
		if err != nil {
			return err
		}
		if err := c.Write(ctx, op, p); err != nil {
			return err
		}
	}
}

func ourRead(c *websocket.Conn) error {
	ctx := context.Background()
	for {
		op, p, err := c.Read(ctx)
		if err != nil {
			return err
		}
		if err := c.Write(ctx, op, p); err != nil {
			return err
		}
	}
}

// ourBroadcast returns the loop of a server that sends each message to all of
// its connections, framed once.
func ourBroadcast() func(*websocket.Conn) error {
	h := new(hub[*websocket.Conn])
	return func(c *websocket.Conn) error {
		h.add(c)
		defer h.remove(c)
		ctx := context.Background()
		return c.Serve(ctx, func(op websocket.Opcode, p []byte) error {
			m, err := websocket.Prepare(op, p)
			if err != nil {
				return err
			}
			h.each(func(to *websocket.Conn) error { return to.WritePrepared(ctx, m) })
			return nil
		})
	}
}
