package wsjson

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// dial runs fn with a client of h, and has h shut down.
func dial(t *testing.T, h *Endpoint, fn func(c *websocket.Conn)) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		c, err := wstest.Dial(ctx, h, nil)
		require.NoError(t, err)
		fn(c)
		c.Close(websocket.StatusNormalClosure, "")
		forced, err := h.Shutdown(ctx)
		require.NoError(t, err)
		require.Zero(t, forced)
	})
}

func send(t *testing.T, c *websocket.Conn, messages ...string) {
	t.Helper()
	for _, m := range messages {
		require.NoError(t, c.Write(ctx, websocket.Text, []byte(m)))
	}
}

func receive(t *testing.T, c *websocket.Conn, want ...string) {
	t.Helper()
	for _, m := range want {
		_, p, err := c.Read(ctx)
		require.NoError(t, err)
		require.Equal(t, m, string(p))
	}
}

func closedWith(t *testing.T, c *websocket.Conn, code websocket.StatusCode, reason string) {
	t.Helper()
	_, _, err := c.Read(ctx)
	var ce *websocket.CloseError
	require.ErrorAs(t, err, &ce)
	require.Equal(t, code, ce.Code)
	require.Equal(t, reason, ce.Reason)
}

func TestHandler(t *testing.T) {
	h := Handler(func(_ context.Context, in point) (int, error) { return in.X + in.Y, nil })
	dial(t, h, func(c *websocket.Conn) {
		send(t, c, `{"X":1,"Y":2}`, `{"X":-1,"Y":1}`)
		receive(t, c, "3", "0")
	})
}

// A nil pointer and a nil interface are no reply, nor is a nil pointer in one; a nil
// slice and the zero value are values.
func TestHandlerOptionalReply(t *testing.T) {
	dial(t, Handler(func(_ context.Context, in int) (*point, error) {
		if in%2 == 0 {
			return nil, nil
		}
		return &point{X: in}, nil
	}), func(c *websocket.Conn) {
		send(t, c, "1", "2", "3")
		receive(t, c, `{"X":1,"Y":0}`, `{"X":3,"Y":0}`)
	})
	dial(t, Handler(func(_ context.Context, in int) (any, error) {
		if in%2 == 0 {
			return nil, nil
		}
		return in, nil
	}), func(c *websocket.Conn) {
		send(t, c, "1", "2", "3")
		receive(t, c, "1", "3")
	})
	dial(t, Handler(func(_ context.Context, in int) (any, error) {
		var p *point
		if in%2 != 0 {
			p = &point{X: in}
		}
		return p, nil
	}), func(c *websocket.Conn) {
		send(t, c, "1", "2", "3")
		receive(t, c, `{"X":1,"Y":0}`, `{"X":3,"Y":0}`)
	})
	dial(t, Handler(func(context.Context, int) ([]int, error) { return nil, nil }), func(c *websocket.Conn) {
		send(t, c, "1")
		receive(t, c, "null")
	})
}

func TestHandlerErrors(t *testing.T) {
	h := func() *Endpoint {
		return Handler(func(_ context.Context, in int) (any, error) {
			switch in {
			case 1:
				return nil, errors.New("a secret")
			case 2:
				return nil, &websocket.CloseError{Code: 4001, Reason: "log in again"}
			}
			return nil, nil
		})
	}
	for message, want := range map[string]websocket.CloseError{
		"1":    {Code: websocket.StatusInternalError},
		"2":    {Code: 4001, Reason: "log in again"},
		"oops": {Code: websocket.StatusInvalidPayload, Reason: "the message is not the JSON expected"},
	} {
		dial(t, h(), func(c *websocket.Conn) {
			send(t, c, message)
			closedWith(t, c, want.Code, want.Reason)
		})
	}
}

func TestHandlerOnError(t *testing.T) {
	h := Handler(func(_ context.Context, in int) (int, error) {
		if in < 0 {
			return 0, errors.New("negative")
		}
		return in, nil
	})
	h.OnError = func(ctx context.Context, err error) (any, error) {
		if Conn(ctx) == nil {
			return nil, errors.New("no connection")
		}
		var bad *DecodeError
		if errors.As(err, &bad) {
			return map[string]string{"bad": string(bad.Message)}, nil
		}
		if err.Error() == "negative" {
			return "last words", &websocket.CloseError{Code: 4002}
		}
		return nil, err
	}
	dial(t, h, func(c *websocket.Conn) {
		send(t, c, "oops", "1", "-1")
		receive(t, c, `{"bad":"oops"}`, "1", `"last words"`)
		closedWith(t, c, 4002, "")
	})
}

// The options of the server within are the endpoint's, and its function sees the
// connection and what Authenticate found out.
func TestHandlerOptions(t *testing.T) {
	type user struct{}
	h := Handler(func(ctx context.Context, in string) (any, error) {
		c := Conn(ctx)
		for range 2 {
			if err := Write(ctx, c, in+" from "+ctx.Value(user{}).(string)); err != nil {
				return nil, err
			}
		}
		return c.Subprotocol(), nil
	})
	h.Subprotocols = []string{"json"}
	h.MaxConns = 1
	h.Authenticate = func(r *http.Request) (context.Context, error) {
		return context.WithValue(r.Context(), user{}, "ada"), nil
	}
	synctest.Test(t, func(*testing.T) {
		c, err := wstest.Dial(ctx, h, &websocket.DialOptions{Subprotocols: []string{"json"}})
		require.NoError(t, err)
		_, err = wstest.Dial(ctx, h, nil)
		var refused *websocket.HandshakeError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, http.StatusServiceUnavailable, refused.Status)
		send(t, c, `"hi"`)
		receive(t, c, `"hi from ada"`, `"hi from ada"`, `"json"`)
		done := make(chan struct{})
		go func() {
			defer close(done)
			forced, err := h.Shutdown(ctx)
			require.NoError(t, err)
			require.Zero(t, forced)
		}()
		closedWith(t, c, websocket.StatusGoingAway, "")
		<-done
	})
	require.Nil(t, Conn(ctx))
}

func TestHandlerCodec(t *testing.T) {
	h := Handler(func(_ context.Context, in string) (string, error) { return in + "!", nil })
	h.Codec = shout{}
	dial(t, h, func(c *websocket.Conn) {
		send(t, c, "HEY")
		receive(t, c, "HEY!")
	})
}
