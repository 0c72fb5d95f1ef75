package wsjson

// Handler: from a function of a message to an http.Handler. What is here is the
// loop of one connection; everything around it is websocket.Server's.

import (
	"context"
	"errors"
	"reflect"

	"github.com/seed9f1f0156/websocket"
)

// An Endpoint is a [websocket.Server] whose connections speak JSON. Its fields
// are the server's, options and Shutdown among them, and these; they must not be
// changed once it is in use. Make one with [Handler].
type Endpoint struct {
	websocket.Server

	// Codec encodes and decodes; nil is encoding/json.
	Codec Codec

	// OnError is told the errors of the function, and a [*DecodeError] for a message
	// that never got to it. What it returns as reply is sent, unless it is nil; if
	// end is nil the connection goes on with the next message, else it ends with end
	// as the error of [websocket.Server.Handler].
	//
	// Without OnError an error of the function ends the connection in that way, and
	// a message that cannot be decoded with status 1007.
	OnError func(ctx context.Context, err error) (reply any, end error)
}

// Handler returns an [http.Handler] that calls fn for each message of each
// connection and sends back what fn returns; nothing if that is a nil pointer or
// a nil interface. So Out is a pointer, or any, where a reply is optional.
//
//	chat := wsjson.Handler(func(ctx context.Context, in Message) (*Reply, error) { ... })
//	chat.Origins = []string{"https://app.example.com"}
//	http.Handle("/chat", chat)
//
// The messages of a connection are handled one after the other, on its own
// goroutine, so fn may not take long: nothing is read meanwhile, and no ping
// answered. ctx ends with the connection and has the values of the request;
// [Conn] returns the connection itself, to write more than one reply, or later.
//
// An error of fn ends the connection, a [*websocket.CloseError] with the code and
// reason in it, another with 1011 and without its text: see Endpoint.OnError.
func Handler[In, Out any](fn func(ctx context.Context, in In) (Out, error)) *Endpoint {
	e := &Endpoint{}
	kind := reflect.TypeFor[Out]().Kind()
	optional := kind == reflect.Pointer || kind == reflect.Interface
	answer := func(ctx context.Context, p []byte) (reply any, err error) {
		in, err := decode[In](e.Codec, p)
		if err != nil {
			return nil, err
		}
		out, err := fn(ctx, in)
		if err != nil || optional && isNil(out) {
			return nil, err
		}
		return out, nil
	}
	e.Handler = func(ctx context.Context, c *websocket.Conn) error {
		within := context.WithValue(ctx, connKey{}, c)
		return c.Serve(ctx, func(_ websocket.Opcode, p []byte) error {
			reply, err := answer(within, p)
			if err != nil {
				if reply, err = e.failed(within, err); err != nil {
					return err
				}
			}
			if reply == nil {
				return nil
			}
			return WriteWith(ctx, c, e.Codec, reply)
		})
	}
	return e
}

// failed is for a message that has no reply because of err.
func (e *Endpoint) failed(ctx context.Context, err error) (reply any, end error) {
	if e.OnError != nil {
		reply, end = e.OnError(ctx, err)
		if end != nil && reply != nil {
			// The last word; if it cannot be said, the connection ends anyway.
			_ = WriteWith(ctx, Conn(ctx), e.Codec, reply)
		}
		return reply, end
	}
	var bad *DecodeError
	if errors.As(err, &bad) {
		return nil, &websocket.CloseError{
			Code: websocket.StatusInvalidPayload, Reason: "the message is not the JSON expected", Err: bad,
		}
	}
	return nil, err
}

type connKey struct{}

// Conn returns the connection that a function given to [Handler] is called for,
// from its context, or nil if ctx is another.
func Conn(ctx context.Context) *websocket.Conn {
	c, _ := ctx.Value(connKey{}).(*websocket.Conn)
	return c
}

// isNil tells whether v is a nil interface, or a nil pointer, also in an interface.
func isNil(v any) bool {
	p := reflect.ValueOf(v)
	return !p.IsValid() || p.Kind() == reflect.Pointer && p.IsNil()
}
