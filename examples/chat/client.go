// One connection of the chat: what travels over it, its reading loop, its writing loop and the queue between
// that and the hub. The hub calls send; the WebSocket server calls serve.

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/seed9f1f0156/websocket"
)

const (
	readLimit = 8 << 10               // bytes of a message: maxText in any script, and its JSON
	queue     = 64                    // messages that may wait for one client
	pace      = 50 * time.Millisecond // from one message of a client to its next; a flooder waits in its own socket
)

// Pages come back by themselves, but not after a code of 4000 or more.
var (
	errTooSlow  = &websocket.CloseError{Code: websocket.StatusTryAgainLater, Reason: "Reads too slowly"}
	errReplaced = &websocket.CloseError{Code: 4000, Reason: "Continued in another window"}
	errNotJSON  = &websocket.CloseError{Code: 4001, Reason: "Not a message of this chat"}
)

// message is JSON text, both ways: join, say and ping to the server; welcome, join, leave, say and pong to a page.
type message struct {
	Type    string         `json:"type"`
	Name    string         `json:"name,omitempty"`
	Room    string         `json:"room,omitempty"`
	Key     string         `json:"key,omitempty"` // join: the page's secret, by which it is known when it comes back
	Text    string         `json:"text,omitempty"`
	Ref     string         `json:"ref,omitempty"` // say: the page's own mark, given back
	At      int64          `json:"at,omitempty"`  // say: ms since 1970, always rising
	People  []string       `json:"people,omitempty"`
	History []message      `json:"history,omitempty"`
	Rooms   map[string]int `json:"rooms,omitempty"` // pong: how many people are where
}

type client struct {
	room      *room // nil: not in yet, or another connection took its place; guarded by the hub
	name, key string
	out       chan []byte
	stop      context.CancelCauseFunc
}

// serve is the life of one connection, from its handshake to its end.
func (h *hub) serve(ctx context.Context, conn *websocket.Conn) error {
	ctx, stop := context.WithCancelCause(ctx)
	c := &client{out: make(chan []byte, queue), stop: stop}
	defer h.handle(c, message{Type: "leave"})
	defer stop(nil)
	go c.write(ctx, conn)
	for {
		var m message
		if _, p, err := conn.Read(ctx); err != nil {
			return cmp.Or(context.Cause(ctx), err)
		} else if json.Unmarshal(p, &m) != nil {
			return errNotJSON
		}
		h.handle(c, m)
		time.Sleep(pace)
	}
}

func (c *client) write(ctx context.Context, conn *websocket.Conn) {
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-c.out:
			if err := conn.Write(conn.Context(), websocket.Text, p); err != nil { // not ctx: stop would cut the frame, and the code that says why with it
				c.stop(err)
			}
		}
	}
}

// send queues m and never waits. A client whose queue is full reads too slowly and is let go, which is better than
// to hold up the others or to fill the memory; its page comes back and gets the history.
func (m message) send(to ...*client) {
	p, _ := json.Marshal(m) // strings and numbers: it cannot fail
	for _, c := range to {
		select {
		case c.out <- p:
		default:
			c.stop(errTooSlow)
		}
	}
}
