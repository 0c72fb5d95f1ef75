package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket"
)

func TestRun(t *testing.T) {
	ended := make(chan error, 1)
	server := httptest.NewServer(&websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		err := c.Serve(ctx, func(op websocket.Opcode, p []byte) error {
			return c.Write(ctx, op, bytes.ToUpper(p))
		})
		ended <- err
		return err
	}})
	defer server.Close()

	var out strings.Builder
	require.NoError(t, run(context.Background(), server.URL, strings.NewReader("one\n\nthree\n"), &out))
	lines := strings.Split(out.String(), "\n")
	require.Len(t, lines, 4)
	for i, want := range []string{"ONE  (", "  (", "THREE  ("} {
		require.True(t, strings.HasPrefix(lines[i], want), lines[i])
	}
	if err := <-ended; err != nil {
		var e *websocket.CloseError
		require.ErrorAs(t, err, &e)
		require.Equal(t, websocket.StatusNormalClosure, e.Code)
	}
}

func TestRunTellsWhatIsWrong(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	var e *websocket.HandshakeError
	require.ErrorAs(t, run(context.Background(), server.URL, strings.NewReader(""), io.Discard), &e)
	require.Equal(t, http.StatusNotFound, e.Status)
}

type brokenInput struct{}

var errBroken = errors.New("the terminal is gone")

func (brokenInput) Read([]byte) (int, error) { return 0, errBroken }

func TestRunWithBrokenInput(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			c.Read(context.Background())
		}
	}))
	defer server.Close()
	require.ErrorIs(t, run(context.Background(), server.URL, brokenInput{}, io.Discard), errBroken)
}

// A line is typed, none for a while, none any more: what comes unasked is printed, and an interrupt is a proper end.
func TestRunWhileNobodyTypes(t *testing.T) {
	ended := make(chan error, 1)
	server := httptest.NewServer(&websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		c.Read(ctx)
		c.Write(ctx, websocket.Text, []byte("the answer"))
		go c.Serve(ctx, func(websocket.Opcode, []byte) error { return nil })
		c.Ping(ctx) // nil once the client has answered, though it has nothing to send
		c.Write(ctx, websocket.Text, []byte("unasked"))
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil
	}})
	defer server.Close()

	in, typist := io.Pipe()
	shown, out := io.Pipe()
	ctx, interrupt := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, server.URL, in, out) }()
	io.WriteString(typist, "question\n")
	lines := bufio.NewScanner(shown)
	for _, want := range []string{"the answer  (", "unasked  ("} {
		require.True(t, lines.Scan())
		require.True(t, strings.HasPrefix(lines.Text(), want), lines.Text())
	}
	interrupt()
	require.NoError(t, <-done)
	var e *websocket.CloseError
	require.ErrorAs(t, <-ended, &e)
	require.Equal(t, websocket.StatusGoingAway, e.Code)
	typist.Close()
}
