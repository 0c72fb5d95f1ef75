package websocket_test

// One thing that can be done with a connection in each example.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// A read that is given up loses nothing: the next one has the message.
func ExampleConn_Read() {
	ctx := context.Background()
	server, client := wstest.Pipe(nil)
	defer server.CloseNow()
	defer client.CloseNow()

	brief, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	_, _, err := server.Read(brief)
	fmt.Println(err)

	client.Write(ctx, websocket.Text, []byte("late, but here"))
	_, msg, err := server.Read(ctx)
	fmt.Println(string(msg), err)
	// Output:
	// context deadline exceeded
	// late, but here <nil>
}

// A connection that only writes: somebody has to read all the same, for pings and
// for the peer's close, which ends the context.
func ExampleConn_CloseRead() {
	clock := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		ctx = c.CloseRead(ctx)
		for tick := 1; ; tick++ {
			if err := c.Write(ctx, websocket.Text, fmt.Appendf(nil, "tick %d", tick)); err != nil {
				return err
			}
			select {
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
				return context.Cause(ctx) // how the peer closed
			}
		}
	}}

	ctx := context.Background()
	c, err := wstest.Dial(ctx, clock, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		_, msg, _ := c.Read(ctx)
		fmt.Println(string(msg))
	}
	fmt.Println(c.Close(websocket.StatusNormalClosure, "enough"))
	// Output:
	// tick 1
	// tick 2
	// tick 3
	// <nil>
}

// A protocol with its own framing, here lines, over a connection.
func ExampleConn_NetConn() {
	server := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		stream := c.NetConn(websocket.Binary)
		lines := bufio.NewScanner(stream)
		for lines.Scan() {
			fmt.Fprintf(stream, "%s, you said\n", lines.Text())
		}
		return lines.Err() // nil: io.EOF, because the client closed in order
	}}

	c, err := wstest.Dial(context.Background(), server, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	stream := c.NetConn(websocket.Binary)
	fmt.Fprint(stream, "one\ntw")
	fmt.Fprint(stream, "o\n")
	lines := bufio.NewScanner(stream)
	for range 2 {
		lines.Scan()
		fmt.Println(lines.Text())
	}
	fmt.Println(stream.Close())
	// Output:
	// one, you said
	// two, you said
	// <nil>
}

// Handle is Serve for those who do not want to wait: the Handler returns, and what it
// would have done behind Serve is done by the function that is called at the end.
func ExampleConn_Handle() {
	left := make(chan error)
	server := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		fmt.Println("somebody came")
		c.Handle(ctx, func(op websocket.Opcode, msg []byte) error {
			return c.Write(ctx, op, msg)
		}, func(err error) {
			left <- err
		})
		return nil
	}}

	ctx := context.Background()
	c, err := wstest.Dial(ctx, server, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Write(ctx, websocket.Text, []byte("hello"))
	_, msg, _ := c.Read(ctx)
	fmt.Println(string(msg))
	go c.Close(websocket.StatusNormalClosure, "")
	fmt.Println("left:", <-left)
	// Output:
	// somebody came
	// hello
	// left: <nil>
}

// Ping returns when the peer has got everything that was written before it.
func ExampleConn_Ping() {
	ctx := context.Background()
	server, client := wstest.Pipe(nil)
	defer server.CloseNow()
	defer client.CloseNow()
	go server.Serve(ctx, func(_ websocket.Opcode, msg []byte) error {
		fmt.Println("received:", string(msg))
		return nil
	})
	client.CloseRead(ctx) // who sees the pong
	client.Write(ctx, websocket.Text, []byte("is it there?"))
	fmt.Println(client.Ping(ctx), client.Stats().RTT > 0)
	// Output:
	// received: is it there?
	// <nil> true
}

// A message for everybody is framed once. WritePrepared waits for each in turn; who
// must not wait for the slowest gives each a queue, as docs/getting-started.md does.
func ExampleConn_WritePrepared() {
	ctx := context.Background()
	var mu sync.Mutex
	members := map[*websocket.Conn]bool{}
	server := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		mu.Lock()
		members[c] = true
		mu.Unlock()
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			delete(members, c)
		}()
		return c.Serve(ctx, func(op websocket.Opcode, msg []byte) error {
			all, err := websocket.Prepare(op, msg)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for member := range members {
				member.WritePrepared(ctx, all) // who cannot be written to is leaving
			}
			return nil
		})
	}}

	var clients []*websocket.Conn
	for range 3 {
		c, err := wstest.Dial(ctx, server, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		c.Write(ctx, websocket.Text, []byte("hello"))
		c.Read(ctx) // it is in
		clients = append(clients, c)
	}
	clients[2].Write(ctx, websocket.Text, []byte("the meeting begins"))
	for _, c := range clients {
		for heard := ""; heard != "the meeting begins"; {
			_, msg, err := c.Read(ctx)
			if err != nil {
				fmt.Println(err)
				return
			}
			heard = string(msg)
		}
		fmt.Println("heard")
		c.CloseNow()
	}
	server.Shutdown(ctx)
	// Output:
	// heard
	// heard
	// heard
}

// How a connection ended: by whom, with which code, and why.
func ExampleCloseError() {
	ctx := context.Background()
	for _, end := range []func(peer *websocket.Conn){
		func(peer *websocket.Conn) { peer.Close(4001, "the session has ended") },
		func(peer *websocket.Conn) { peer.CloseNow() },
	} {
		c, peer := wstest.Pipe(nil)
		go end(peer)
		_, _, err := c.Read(ctx)
		var closed *websocket.CloseError
		if errors.As(err, &closed) {
			fmt.Printf("%d %q, by the peer: %v, because of: %v\n", closed.Code, closed.Reason, closed.Remote, closed.Err)
		}
		<-peer.Context().Done()
	}
	// Output:
	// 4001 "the session has ended", by the peer: true, because of: <nil>
	// 1006 "", by the peer: true, because of: unexpected EOF
}

// Why there is no connection: the answer of the server is in the error.
func ExampleHandshakeError() {
	notFound := http.NotFoundHandler()
	_, err := wstest.Dial(context.Background(), notFound, nil)
	var refused *websocket.HandshakeError
	if errors.As(err, &refused) {
		fmt.Println(refused.Status, refused.Header.Get("Content-Type"))
		fmt.Printf("%s", refused.Body)
	}
	// Output:
	// 404 text/plain; charset=utf-8
	// 404 page not found
}

// BenchmarkBroadcast sends a text of 1 KiB to 1,000 connections, framed and compressed
// once or for each. Package bench measures the same over sockets, beside other
// libraries.
func BenchmarkBroadcast(b *testing.B) {
	const n = 1000
	msg := bytes.Repeat([]byte(`{"symbol":"ABC","price":17.25,"at":1234}`), 26)
	for _, bc := range []struct {
		name        string
		extensions  string
		compression *websocket.Compression
	}{
		{"plain", "", nil},
		{"compressed", "permessage-deflate; server_no_context_takeover; client_no_context_takeover", &websocket.Compression{}},
	} {
		for _, once := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/once=%v", bc.name, once), func(b *testing.B) {
				opts := &websocket.Options{KeepaliveInterval: -1, Compression: bc.compression}
				conns := make([]*websocket.Conn, n)
				for i := range conns {
					var err error
					conns[i], err = websocket.NewConn(&endless{}, websocket.Handshake{Extensions: bc.extensions}, opts)
					require.NoError(b, err)
					defer conns[i].CloseNow()
				}
				b.ReportAllocs()
				for b.Loop() {
					m, err := websocket.Prepare(websocket.Text, msg)
					require.NoError(b, err)
					for _, c := range conns {
						if once {
							err = c.WritePrepared(b.Context(), m)
						} else {
							err = c.Write(b.Context(), websocket.Text, msg)
						}
						if err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}
