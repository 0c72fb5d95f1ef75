package websocket_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/seed9f1f0156/websocket"
)

// A server that answers every message, and a client that asks it.
func Example() {
	server := httptest.NewServer(&websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		return c.Serve(ctx, func(op websocket.Opcode, msg []byte) error {
			return c.Write(ctx, op, append([]byte("you said "), msg...))
		})
	}})
	defer server.Close()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(server.URL, "http"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.Text, []byte("hello")); err != nil {
		fmt.Println(err)
		return
	}
	_, msg, err := c.Read(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(msg))
	fmt.Println(c.Close(websocket.StatusNormalClosure, ""))
	// Output:
	// you said hello
	// <nil>
}

// The core without a connection: bytes in, events out, and what is owed for them.
func ExampleReceiver() {
	var in websocket.Receiver // a server's
	var out websocket.Sender
	bytes := []byte{
		0x89, 0x82, 0, 0, 0, 0, 'h', 'i', // a ping
		0x81, 0x83, 0, 0, 0, 0, 'y', 'e', 's', // a text message
	}
	var owed []byte
	for len(bytes) > 0 {
		ev, n := in.Next(bytes)
		bytes = bytes[n:]
		owed = out.AppendReply(owed, ev)
		if ev.Kind == websocket.KindChunk {
			fmt.Printf("%v %q, the end: %v\n", ev.Op, ev.Data, ev.Fin)
		}
	}
	fmt.Printf("% x\n", owed)
	// Output:
	// text "yes", the end: true
	// 8a 02 68 69
}

// A message for many connections is framed once.
func ExamplePrepare() {
	price, err := websocket.Prepare(websocket.Text, []byte(`{"price":17}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	broadcast := func(ctx context.Context, conns []*websocket.Conn) {
		for _, c := range conns {
			if err := c.WritePrepared(ctx, price); err != nil {
				c.CloseNow()
			}
		}
	}
	broadcast(context.Background(), nil)
	fmt.Println("sent")
	// Output: sent
}
