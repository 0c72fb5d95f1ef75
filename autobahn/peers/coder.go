package main

// coder/websocket, as its own echo example does it: a Reader copied into a Writer,
// and Close when a read fails. Its defaults offer no compression, so it is turned on.

import (
	"context"
	"io"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

func coderServe(l net.Listener) error {
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			return // Accept has answered the request
		}
		_ = coderLoop(r.Context(), c)
	}))
}

// coderLoop echoes until an error and closes.
func coderLoop(ctx context.Context, c *websocket.Conn) error {
	defer c.Close(websocket.StatusInternalError, "")
	c.SetReadLimit(-1)
	for {
		kind, r, err := c.Reader(ctx)
		if err != nil {
			return err
		}
		w, err := c.Writer(ctx, kind)
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
}

func coderDial(ctx context.Context, url string) (*websocket.Conn, error) {
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
	return c, err
}

func coderAsk(ctx context.Context, url string) (string, error) {
	c, err := coderDial(ctx, url)
	if err != nil {
		return "", err
	}
	defer c.Close(websocket.StatusNormalClosure, "")
	_, p, err := c.Read(ctx)
	return string(p), err
}

func coderEcho(ctx context.Context, url string) error {
	c, err := coderDial(ctx, url)
	if err != nil {
		return err
	}
	return coderLoop(ctx, c)
}
