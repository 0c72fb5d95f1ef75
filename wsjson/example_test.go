package wsjson_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wsjson"
	"github.com/seed9f1f0156/websocket/wstest"
)

type Question struct{ A, B int }

type Answer struct {
	Sum   int    `json:"sum"`
	Error string `json:"error,omitempty"`
}

// The whole server of a service that adds.
func ExampleHandler() {
	adder := wsjson.Handler(func(_ context.Context, q Question) (Answer, error) {
		return Answer{Sum: q.A + q.B}, nil
	})
	adder.OnError = func(_ context.Context, err error) (reply any, end error) {
		var bad *wsjson.DecodeError
		if errors.As(err, &bad) {
			return Answer{Error: "send two numbers"}, nil // and go on
		}
		return nil, err
	}
	// http.Handle("/add", adder)

	ctx := context.Background()
	c, err := wstest.Dial(ctx, adder, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseNow()
	for _, q := range []any{Question{1, 2}, "what?", Question{3, 4}} {
		wsjson.Write(ctx, c, q)
		a, err := wsjson.Read[Answer](ctx, c)
		fmt.Println(a, err)
	}
	// Output:
	// {3 } <nil>
	// {0 send two numbers} <nil>
	// {7 } <nil>
}

// A message that is not the JSON expected does not end the connection.
func ExampleRead() {
	ctx := context.Background()
	server, client := wstest.Pipe(nil)
	defer server.CloseNow()
	defer client.CloseNow()
	client.Write(ctx, websocket.Text, []byte(`{"A":"one"}`))
	wsjson.Write(ctx, client, Question{1, 2})
	for range 2 {
		q, err := wsjson.Read[Question](ctx, server)
		var bad *wsjson.DecodeError
		if errors.As(err, &bad) {
			fmt.Printf("ignored: %s\n", bad.Message)
			continue
		}
		fmt.Println(q, err)
	}
	// Output:
	// ignored: {"A":"one"}
	// {1 2} <nil>
}

// Strict is encoding/json that knows every field.
type Strict struct{}

func (Strict) Append(dst []byte, v any) ([]byte, error) {
	p, err := json.Marshal(v)
	return append(dst, p...), err
}

func (Strict) Decode(p []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(p))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the value")
	}
	return nil
}

// Other encoders, or other settings, take the place of encoding/json.
func ExampleCodec() {
	ctx := context.Background()
	server, client := wstest.Pipe(nil)
	defer server.CloseNow()
	defer client.CloseNow()
	client.Write(ctx, websocket.Text, []byte(`{"A":1,"C":2}`))
	_, err := wsjson.ReadWith[Question](ctx, server, Strict{})
	fmt.Println(err)
	// Output:
	// wsjson: the message is not the JSON expected: json: unknown field "C"
}
