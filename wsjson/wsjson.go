// Package wsjson reads and writes JSON messages: [Read] and [Write] on any
// connection, and [Handler], which makes an [http.Handler] of a function from a
// message to its reply.
//
// A message that is not the JSON expected is an error like any other, and leaves
// the connection as usable as before: it is up to the program whether to answer,
// to go on, or to close.
package wsjson

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/seed9f1f0156/websocket"
)

// A Codec is what encodes and decodes. It is used by any number of goroutines at
// the same time. A nil Codec, wherever one can be given, is encoding/json.
type Codec interface {
	// Append appends the encoding of v to dst and returns it, without a newline
	// behind it.
	Append(dst []byte, v any) ([]byte, error)
	// Decode decodes p, all of it, into v, a pointer. p is valid until it returns:
	// what v keeps of it has to be a copy.
	Decode(p []byte, v any) error
}

// A DecodeError is a message that could not be decoded. The connection is as good
// as before, the message is gone, and the next read returns the next one.
type DecodeError struct {
	Message []byte // what the peer sent; the slice is yours
	Err     error  // of the codec, for example a *json.SyntaxError
}

// Error tells what the codec said; the message itself is not in it.
func (e *DecodeError) Error() string {
	return "wsjson: the message is not the JSON expected: " + e.Err.Error()
}

// Unwrap returns Err.
func (e *DecodeError) Unwrap() error { return e.Err }

// An EncodeError is a value that could not be encoded. Nothing of it was sent.
type EncodeError struct{ Err error }

// Error tells what the codec said.
func (e *EncodeError) Error() string {
	return "wsjson: the value cannot be encoded: " + e.Err.Error()
}

// Unwrap returns Err.
func (e *EncodeError) Unwrap() error { return e.Err }

// Read reads the next message, text or binary, and decodes it. A [*DecodeError]
// leaves the connection usable; other errors, and the rules for ctx and for other
// goroutines, are those of [websocket.Conn.Read].
func Read[T any](ctx context.Context, c *websocket.Conn) (T, error) {
	return ReadWith[T](ctx, c, nil)
}

// ReadWith is [Read] with another codec.
func ReadWith[T any](ctx context.Context, c *websocket.Conn, codec Codec) (v T, err error) {
	buf := newBuffer()
	defer buf.put()
	_, buf.b, err = c.ReadAppend(ctx, buf.b)
	if err != nil {
		return v, err
	}
	return decode[T](codec, buf.b)
}

// decode returns what p says, or the zero value and a *DecodeError.
func decode[T any](codec Codec, p []byte) (T, error) {
	var v T
	if err := orStandard(codec).Decode(p, &v); err != nil {
		var zero T
		return zero, &DecodeError{Message: append([]byte(nil), p...), Err: err}
	}
	return v, nil
}

// Write encodes v and sends it as one text message. An [*EncodeError] means that
// nothing was sent; other errors, and the rules for ctx, are those of
// [websocket.Conn.Write].
func Write(ctx context.Context, c *websocket.Conn, v any) error {
	return WriteWith(ctx, c, nil, v)
}

// WriteWith is [Write] with another codec.
func WriteWith(ctx context.Context, c *websocket.Conn, codec Codec, v any) error {
	buf := newBuffer()
	defer buf.put()
	if err := buf.encode(codec, v); err != nil {
		return err
	}
	return c.Write(ctx, websocket.Text, buf.b)
}

// Prepare encodes v once, for [websocket.Conn.WritePrepared] to any number of
// connections. A nil codec is encoding/json.
func Prepare(codec Codec, v any) (*websocket.Prepared, error) {
	buf := newBuffer()
	defer buf.put()
	if err := buf.encode(codec, v); err != nil {
		return nil, err
	}
	return websocket.Prepare(websocket.Text, buf.b)
}

func orStandard(codec Codec) Codec {
	if codec == nil {
		return standard{}
	}
	return codec
}

// buffer is memory that calls share; its owner is the call that took it.
type buffer struct {
	b   []byte
	enc *json.Encoder // writes into b
}

// maxKept is the largest buffer that is kept for the next call.
const maxKept = 64 << 10

var buffers = sync.Pool{New: func() any {
	buf := &buffer{}
	buf.enc = json.NewEncoder(buf)
	return buf
}}

func newBuffer() *buffer { return buffers.Get().(*buffer) }

func (buf *buffer) put() {
	if cap(buf.b) <= maxKept {
		buf.b = buf.b[:0]
		buffers.Put(buf)
	}
}

// Write is for the encoder.
func (buf *buffer) Write(p []byte) (int, error) {
	buf.b = append(buf.b, p...)
	return len(p), nil
}

// encode makes v the content of the buffer.
func (buf *buffer) encode(codec Codec, v any) (err error) {
	if codec == nil {
		if err = buf.enc.Encode(v); err == nil {
			buf.b = buf.b[:len(buf.b)-1] // the newline
		}
	} else {
		buf.b, err = codec.Append(buf.b, v)
	}
	if err != nil {
		buf.b = buf.b[:0]
		return &EncodeError{err}
	}
	return nil
}

// standard is encoding/json.
type standard struct{}

func (standard) Append(dst []byte, v any) ([]byte, error) {
	p, err := json.Marshal(v)
	return append(dst, p...), err
}

func (standard) Decode(p []byte, v any) error { return json.Unmarshal(p, v) }
