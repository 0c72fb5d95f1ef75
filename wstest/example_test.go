package wstest_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
)

// greet is a handler, as a user of the library would have it.
func greet(ctx context.Context, c *websocket.Conn) error {
	_, name, err := c.Read(ctx)
	if err != nil {
		return err
	}
	return c.Write(ctx, websocket.Text, []byte("hello "+string(name)))
}

// A handler is run at one end of a pipe and talked to at the other.
func ExamplePipe() {
	ctx := context.Background()
	server, client := wstest.Pipe(nil)
	go func() {
		greet(ctx, server)
		server.Close(websocket.StatusNormalClosure, "")
	}()
	client.Write(ctx, websocket.Text, []byte("Ada"))
	_, p, err := client.Read(ctx)
	fmt.Println(string(p), err)
	_, _, err = client.Read(ctx)
	fmt.Println(err)
	// Output:
	// hello Ada <nil>
	// websocket: closed by the peer, status 1000
}

// Dial goes through the opening handshake, so it tests what is set up around a
// handler too: routes, origins, authentication.
func ExampleDial() {
	ctx := context.Background()
	server := &websocket.Server{Handler: greet}
	server.Subprotocols = []string{"greeting.v1"}
	client, err := wstest.Dial(ctx, server, &websocket.DialOptions{Subprotocols: []string{"greeting.v1"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseNow()
	client.Write(ctx, websocket.Text, []byte("Ada"))
	_, p, _ := client.Read(ctx)
	fmt.Println(client.Subprotocol(), string(p))

	_, err = wstest.Dial(ctx, server, &websocket.DialOptions{Header: http.Header{"Origin": {"https://elsewhere.example"}}})
	fmt.Println(err.(*websocket.HandshakeError).Status)
	// Output:
	// greeting.v1 hello Ada
	// 403
}

// In a bubble of testing/synctest an hour takes no time.
func Example_synctest() {
	// In a test file this is: func TestIdle(t *testing.T) { synctest.Test(t, ...) }
	testIdle := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server, client := wstest.Pipe(nil)
			defer server.CloseNow()
			client.CloseRead(context.Background()) // answers the server's pings
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			if _, _, err := server.Read(ctx); err != context.DeadlineExceeded {
				t.Error("the connection did not last an hour:", err)
			}
			client.Close(websocket.StatusNormalClosure, "")
		})
	}
	_ = testIdle
}

// A Recorder shows what was sent, down to the frame.
func ExampleRecorder() {
	ctx := context.Background()
	var rec wstest.Recorder
	server, client := wstest.Pipe(&wstest.Options{Recorder: &rec})
	go greet(ctx, server)
	client.Write(ctx, websocket.Text, []byte("Ada"))
	client.Read(ctx)
	client.CloseNow()
	server.CloseNow()
	for _, f := range rec.Frames() {
		fmt.Println(f)
	}
	// Output:
	// client: text fin masked "Ada"
	// server: text fin "hello Ada"
}

// A client whose network breaks off behind the sixth byte it receives.
func ExampleWithFaults() {
	ctx := context.Background()
	server, client := wstest.Pipe(&wstest.Options{WrapClient: func(c net.Conn) net.Conn {
		return wstest.WithFaults(c, wstest.Faults{Read: wstest.Fault{Do: wstest.Reset, After: 6}})
	}})
	defer server.CloseNow()
	server.Write(ctx, websocket.Text, []byte("four"))
	server.Write(ctx, websocket.Text, []byte("more"))
	for range 2 {
		_, p, err := client.Read(ctx)
		fmt.Printf("%q %v\n", p, err)
	}
	// Output:
	// "four" <nil>
	// "" websocket: connection ended without a close frame: read wstest client->server: connection reset by peer
}
