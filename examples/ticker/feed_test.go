// The feed, each connection an in-memory pipe, time the bubble's own.

package main

import (
	"context"
	"encoding/json"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket"
)

// follow returns the client's end of a connection that the feed serves, and what the service ends with.
func follow(t *testing.T, f *feed) (*websocket.Conn, <-chan error) {
	ours, theirs := net.Pipe()
	server, err := websocket.NewConn(theirs, websocket.Handshake{Role: websocket.RoleServer}, nil)
	require.NoError(t, err)
	conn, err := websocket.NewConn(ours, websocket.Handshake{Role: websocket.RoleClient}, nil)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() {
		ended <- f.serve(server.Context(), server)
		server.CloseNow()
	}()
	t.Cleanup(func() {
		conn.CloseNow()
		<-conn.Context().Done()
		<-server.Context().Done()
	})
	return conn, ended
}

func read(t *testing.T, c *websocket.Conn, v any) {
	t.Helper()
	op, text, err := c.Read(context.Background())
	require.NoError(t, err)
	require.Equal(t, websocket.Text, op)
	require.NoError(t, json.Unmarshal(text, v))
}

func nextTick(t *testing.T, c *websocket.Conn) (v tick) {
	t.Helper()
	read(t, c, &v)
	return v
}

// running starts a feed that ends with the test.
func running(t *testing.T) *feed {
	f := newFeed("A", "B")
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go f.run(ctx)
	return f
}

func TestEverybodyGetsTheSameTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := running(t)
		a, _ := follow(t, f)
		b, _ := follow(t, f)
		var first hello
		read(t, a, &first)
		require.Equal(t, []string{"A", "B"}, first.Names)
		require.Len(t, first.History, keep)
		read(t, b, &hello{})

		last := first.History[keep-1].At
		for range 10 {
			ta, tb := nextTick(t, a), nextTick(t, b)
			require.Equal(t, ta, tb)
			require.Equal(t, last+interval.Milliseconds()*(1+(ta.At-last-1)/interval.Milliseconds()), ta.At)
			require.Greater(t, ta.At, last)
			require.Len(t, ta.Prices, 2)
			last = ta.At
		}
	})
}

func TestSlowReaderSkips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := running(t)
		c, _ := follow(t, f)
		read(t, c, &hello{})
		before := nextTick(t, c)
		<-time.After(25 * interval) // the next tick stands in the pipe meanwhile; the ones after it are not kept
		now := time.Now().UnixMilli()
		onItsWay := nextTick(t, c)
		require.Equal(t, before.At+interval.Milliseconds(), onItsWay.At)
		require.GreaterOrEqual(t, nextTick(t, c).At, now-interval.Milliseconds())
	})
}

func TestServiceEndsWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := running(t)
		c, ended := follow(t, f)
		read(t, c, &hello{})
		go c.Close(websocket.StatusNormalClosure, "") // reads on for the answer
		var e *websocket.CloseError
		require.ErrorAs(t, <-ended, &e)
		require.Equal(t, websocket.StatusNormalClosure, e.Code)
		require.True(t, e.Remote)
	})
}

func TestTalkersAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := running(t)
		c, _ := follow(t, f)
		read(t, c, &hello{})
		for range 3 {
			require.NoError(t, c.Write(context.Background(), websocket.Text, []byte("sell!")))
			require.NotZero(t, nextTick(t, c).At)
		}
	})
}
