package main

// gorilla/websocket. It leaves the validity of text to the application, so the
// application checks it here while it reads, and closes with 1007. After any other
// error of a read TCP is closed: by then the library has sent a close frame itself.

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

func gorillaServe(l net.Listener) error {
	upgrader := websocket.Upgrader{EnableCompression: true}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // Upgrade has answered the request
		}
		_ = gorillaLoop(c)
	}))
}

// gorillaLoop echoes until an error and closes TCP.
func gorillaLoop(c *websocket.Conn) error {
	defer c.Close()
	for {
		kind, r, err := c.NextReader()
		if err != nil {
			return err
		}
		if kind == websocket.TextMessage {
			r = &utf8Reader{r: r}
		}
		w, err := c.NextWriter(kind)
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil {
			if errors.Is(err, errNotUTF8) {
				invalid := websocket.FormatCloseMessage(websocket.CloseInvalidFramePayloadData, "")
				_ = c.WriteControl(websocket.CloseMessage, invalid, time.Now().Add(time.Second))
			}
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
}

func gorillaDial(ctx context.Context, url string) (*websocket.Conn, error) {
	d := websocket.Dialer{EnableCompression: true}
	c, _, err := d.DialContext(ctx, url, nil)
	return c, err
}

func gorillaAsk(ctx context.Context, url string) (string, error) {
	c, err := gorillaDial(ctx, url)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_, p, err := c.ReadMessage()
	return string(p), err
}

func gorillaEcho(ctx context.Context, url string) error {
	c, err := gorillaDial(ctx, url)
	if err != nil {
		return err
	}
	return gorillaLoop(c)
}
