package websocket_test

// Who is it that connects? docs/authentication.md says which of the ways is good
// for what; package wsauth has those of tokens.

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
)

type userKey struct{}

// sessions stands for where a program keeps them.
var sessions = map[string]string{"c00kie": "Ada", "0ld": "Eve"}

// bySession is for AcceptOptions: the cookie that the login set says who it is.
func bySession(r *http.Request) (context.Context, error) {
	cookie, err := r.Cookie("session")
	if err != nil {
		return nil, errors.New("no session") // 401; the text stays here
	}
	user, ok := sessions[cookie.Value]
	if !ok {
		return nil, fmt.Errorf("unknown session %q", cookie.Value)
	}
	if user == "Eve" {
		return nil, &websocket.HandshakeError{Status: http.StatusForbidden, Body: []byte("you may not enter\n")}
	}
	return context.WithValue(r.Context(), userKey{}, user), nil
}

// A session cookie tells who connects, before the connection is made. Browsers
// send it by themselves, also for pages of others: that is what the check of the
// origin, which is on, is for.
func ExampleAcceptOptions_cookie() {
	server := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		return c.Write(ctx, websocket.Text, []byte("hello "+ctx.Value(userKey{}).(string)))
	}}
	server.Authenticate = bySession

	ctx := context.Background()
	for _, header := range []http.Header{
		{"Cookie": {"session=c00kie"}, "Origin": {"http://wstest"}},
		{"Cookie": {"session=c00kie"}, "Origin": {"https://evil.example"}},
		{"Cookie": {"session=0ld"}},
		{"Cookie": {"session=guessed"}},
		{},
	} {
		c, err := wstest.Dial(ctx, server, &websocket.DialOptions{Header: header})
		var refused *websocket.HandshakeError
		if errors.As(err, &refused) {
			fmt.Println(refused.Status, http.StatusText(refused.Status))
			continue
		}
		_, msg, err := c.Read(ctx)
		fmt.Println(string(msg), err)
		c.Close(websocket.StatusNormalClosure, "")
	}
	// Output:
	// hello Ada <nil>
	// 403 Forbidden
	// 403 Forbidden
	// 401 Unauthorized
	// 401 Unauthorized
}
