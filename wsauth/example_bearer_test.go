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

// Clients that are programs send their token where tokens belong.
func ExampleBearer() {
	server := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		return c.Write(ctx, websocket.Text, []byte("hello "+ctx.Value(userKey{}).(string)))
	}}
	server.Authenticate = func(r *http.Request) (context.Context, error) {
		token, ok := wsauth.Bearer(r)
		if !ok || token != "s3cr3t" { // here: check a signature, look it up
			return nil, &websocket.HandshakeError{
				Status: http.StatusUnauthorized,
				Header: http.Header{"Www-Authenticate": {`Bearer realm="chat"`}},
			}
		}
		return context.WithValue(r.Context(), userKey{}, "Ada"), nil
	}

	ctx := context.Background()
	for _, token := range []string{"s3cr3t", "guessed"} {
		c, err := wstest.Dial(ctx, server, &websocket.DialOptions{
			Header: http.Header{"Authorization": {"Bearer " + token}},
		})
		var refused *websocket.HandshakeError
		if errors.As(err, &refused) {
			fmt.Println(refused.Status, refused.Header.Get("Www-Authenticate"))
			continue
		}
		_, msg, _ := c.Read(ctx)
		fmt.Println(string(msg))
		c.Close(websocket.StatusNormalClosure, "")
	}
	// Output:
	// hello Ada
	// 401 Bearer realm="chat"
}
