package wsjson

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

type point struct {
	X, Y int
	Name string `json:",omitempty"`
}

var ctx = context.Background()

// pipe runs fn with both ends of a connection, in a bubble: which ends only if no
// goroutine is left.
func pipe(t *testing.T, fn func(server, client *websocket.Conn, rec *wstest.Recorder)) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		var rec wstest.Recorder
		server, client := wstest.Pipe(&wstest.Options{Recorder: &rec})
		defer server.CloseNow()
		defer client.CloseNow()
		fn(server, client, &rec)
	})
}

func TestReadWrite(t *testing.T) {
	pipe(t, func(server, client *websocket.Conn, rec *wstest.Recorder) {
		require.NoError(t, Write(ctx, client, point{1, 2, "<a>"}))
		v, err := Read[point](ctx, server)
		require.NoError(t, err)
		require.Equal(t, point{1, 2, "<a>"}, v)
		// One text message, and no newline at its end.
		require.Equal(t, `{"X":1,"Y":2,"Name":"\u003ca\u003e"}`, string(rec.Frames()[0].Payload))
		require.Equal(t, websocket.Text, rec.Frames()[0].Op)

		require.NoError(t, server.Write(ctx, websocket.Binary, []byte(` {"X":3} `)))
		p, err := Read[*point](ctx, client)
		require.NoError(t, err)
		require.Equal(t, &point{X: 3}, p)

		// A raw message is a copy, not a piece of a shared buffer.
		require.NoError(t, server.Write(ctx, websocket.Text, []byte(`["first"]`)))
		raw, err := Read[json.RawMessage](ctx, client)
		require.NoError(t, err)
		require.NoError(t, server.Write(ctx, websocket.Text, []byte(`["other"]`)))
		_, err = Read[json.RawMessage](ctx, client)
		require.NoError(t, err)
		require.Equal(t, `["first"]`, string(raw))
	})
}

func TestReadLarge(t *testing.T) {
	pipe(t, func(server, client *websocket.Conn, _ *wstest.Recorder) {
		want := strings.Repeat("x", 500_000)
		go Write(ctx, server, want)
		got, err := Read[string](ctx, client)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

// What cannot be decoded is one message's error.
func TestBadJSON(t *testing.T) {
	for _, bad := range []string{``, `{`, `nope`, `{"X":"one"}`, `{"X":1} {"X":2}`, `[1]`} {
		pipe(t, func(server, client *websocket.Conn, _ *wstest.Recorder) {
			require.NoError(t, client.Write(ctx, websocket.Text, []byte(bad)))
			require.NoError(t, Write(ctx, client, point{X: 7}))
			v, err := Read[point](ctx, server)
			var de *DecodeError
			require.ErrorAs(t, err, &de, bad)
			require.Equal(t, bad, string(de.Message))
			require.Equal(t, point{}, v, "nothing of what was decoded before the error")
			var se *json.SyntaxError
			var te *json.UnmarshalTypeError
			require.True(t, errors.As(err, &se) || errors.As(err, &te), "%q: %v", bad, err)
			v, err = Read[point](ctx, server)
			require.NoError(t, err)
			require.Equal(t, 7, v.X)
		})
	}
}

func TestEncodeError(t *testing.T) {
	pipe(t, func(server, client *websocket.Conn, rec *wstest.Recorder) {
		for range 2 {
			err := Write(ctx, client, map[string]any{"a": 1, "b": math.NaN()})
			var ee *EncodeError
			require.ErrorAs(t, err, &ee)
			var ve *json.UnsupportedValueError
			require.ErrorAs(t, err, &ve)
		}
		_, err := Prepare(nil, make(chan int))
		var ee *EncodeError
		require.ErrorAs(t, err, &ee)
		require.Empty(t, rec.Frames())
		require.NoError(t, Write(ctx, client, 1))
		v, err := Read[int](ctx, server)
		require.NoError(t, err)
		require.Equal(t, 1, v)
	})
}

func TestConnectionErrorsPass(t *testing.T) {
	pipe(t, func(server, client *websocket.Conn, _ *wstest.Recorder) {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		require.Equal(t, context.Canceled, Write(ended, server, 1))
		go client.Close(4000, "enough")
		_, err := Read[int](ctx, server)
		var ce *websocket.CloseError
		require.ErrorAs(t, err, &ce)
		require.Equal(t, websocket.StatusCode(4000), ce.Code)
		require.ErrorAs(t, Write(ctx, server, 1), &ce)
	})
}

// shout is a codec of another kind: upper case is all it knows.
type shout struct{}

func (shout) Append(dst []byte, v any) ([]byte, error) {
	s, ok := v.(string)
	if !ok {
		return append(dst, "half"...), errors.New("not a string")
	}
	return append(dst, strings.ToUpper(s)...), nil
}

func (shout) Decode(p []byte, v any) error {
	if string(p) != strings.ToUpper(string(p)) {
		return errors.New("speak up")
	}
	*v.(*string) = strings.ToLower(string(p))
	return nil
}

func TestCodec(t *testing.T) {
	pipe(t, func(server, client *websocket.Conn, rec *wstest.Recorder) {
		require.NoError(t, WriteWith(ctx, client, shout{}, "hello"))
		require.Equal(t, "HELLO", string(rec.Frames()[0].Payload))
		s, err := ReadWith[string](ctx, server, shout{})
		require.NoError(t, err)
		require.Equal(t, "hello", s)
		require.EqualError(t, WriteWith(ctx, client, shout{}, 1), "wsjson: the value cannot be encoded: not a string")
		require.NoError(t, client.Write(ctx, websocket.Text, []byte("low")))
		_, err = ReadWith[string](ctx, server, shout{})
		require.EqualError(t, err, "wsjson: the message is not the JSON expected: speak up")
		m, err := Prepare(shout{}, "all")
		require.NoError(t, err)
		require.NoError(t, client.WritePrepared(ctx, m))
		_, p, err := server.Read(ctx)
		require.NoError(t, err)
		require.Equal(t, "ALL", string(p))
	})
}

// Encoding costs what encoding/json itself costs, and no buffer.
func TestWriteAllocations(t *testing.T) {
	server, client := wstest.Pipe(nil)
	client.CloseRead(ctx)
	defer client.CloseNow()
	defer server.CloseNow()
	v := any(&point{1, 2, strings.Repeat("x", 1000)})
	for range 100 {
		require.NoError(t, Write(ctx, server, v))
	}
	allocs := testing.AllocsPerRun(200, func() {
		if err := Write(ctx, server, v); err != nil {
			t.Error(err)
		}
	})
	if !raceDetector {
		require.Less(t, allocs, 2.0)
	}
}

func BenchmarkWrite(b *testing.B) {
	server, client := wstest.Pipe(nil)
	client.CloseRead(ctx)
	defer client.CloseNow()
	defer server.CloseNow()
	v := any(&point{1, 2, strings.Repeat("x", 1000)})
	b.ReportAllocs()
	for b.Loop() {
		if err := Write(ctx, server, v); err != nil {
			b.Fatal(err)
		}
	}
}
