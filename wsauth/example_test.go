package wsauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wsauth"
	"github.com/seed9f1f0156/websocket/wstest"
)

type userKey struct{}

// The page connects with
//
//	new WebSocket("wss://example.com/chat", ["bearer.v1", token, "chat.v1"])
func ExampleSubprotocol() {
	server := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		return c.Write(ctx, websocket.Text, []byte("hello "+ctx.Value(userKey{}).(string)))
	}}
	auth := wsauth.Subprotocol{
		Marker:    "bearer.v1",
		Protocols: []string{"chat.v1"},
		Verify: func(r *http.Request, token string) (context.Context, error) {
			if token != "s3cr3t" { // here: check a signature, look up a session
				return nil, errors.New("unknown token")
			}
			return context.WithValue(r.Context(), userKey{}, "Ada"), nil
		},
	}
	auth.Install(&server.AcceptOptions)
	// http.Handle("/chat", server)

	ctx := context.Background()
	for _, token := range []string{"s3cr3t", "guessed"} {
		c, err := wstest.Dial(ctx, server, &websocket.DialOptions{
			Subprotocols: []string{"bearer.v1", token, "chat.v1"},
		})
		var refused *websocket.HandshakeError
		if errors.As(err, &refused) {
			fmt.Println(refused.Status)
			continue
		}
		_, p, _ := c.Read(ctx)
		fmt.Println(c.Subprotocol(), string(p))
		c.Close(websocket.StatusNormalClosure, "")
	}
	// Output:
	// chat.v1 hello Ada
	// 401
}
