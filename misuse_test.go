package websocket_test

// What people do wrong, or leave out: each gets a clear error, or what they would
// expect. Wrong opcodes, wrong status codes and abandoned Writers are in TestMisuse.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func serveEcho(ctx context.Context, c *websocket.Conn) error {
	return c.Serve(ctx, func(op websocket.Opcode, msg []byte) error { return c.Write(ctx, op, msg) })
}

// requireEcho sends a message and wants it back.
func requireEcho(t *testing.T, c *websocket.Conn) {
	t.Helper()
	require.NoError(t, c.Write(t.Context(), websocket.Text, []byte("hello")))
	_, msg, err := c.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, "hello", string(msg))
}

// nil options and zero values are the defaults, which are on.
func TestNilOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer c.CloseNow()
			serveEcho(c.Context(), c)
		})
		for _, h := range []http.Handler{h, &websocket.Server{Handler: serveEcho}} {
			_, err := wstest.Dial(t.Context(), h, &websocket.DialOptions{Header: http.Header{"Origin": {"https://elsewhere.example"}}})
			var refused *websocket.HandshakeError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, http.StatusForbidden, refused.Status)

			c, err := wstest.Dial(t.Context(), h, nil)
			require.NoError(t, err)
			requireEcho(t, c)
			require.NoError(t, c.Write(t.Context(), websocket.Binary, make([]byte, 1<<20+1)))
			_, _, err = c.Read(t.Context())
			var closed *websocket.CloseError
			require.ErrorAs(t, err, &closed)
			require.Equal(t, websocket.StatusMessageTooBig, closed.Code)
			<-c.Context().Done()
		}
		s, c := wstest.NetPipe(0)
		server, err := websocket.NewConn(s, websocket.Handshake{}, nil)
		require.NoError(t, err)
		client, err := websocket.NewConn(c, websocket.Handshake{Role: websocket.RoleClient}, nil)
		require.NoError(t, err)
		go serveEcho(server.Context(), server)
		requireEcho(t, client)
		require.NoError(t, client.Close(websocket.StatusNormalClosure, ""))
		<-server.Context().Done()
	})
}

// A Server without Handler says so, instead of failing each connection.
func TestServerWithoutHandler(t *testing.T) {
	_, err := wstest.Dial(t.Context(), &websocket.Server{}, nil)
	var refused *websocket.HandshakeError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusInternalServerError, refused.Status)
	require.Contains(t, string(refused.Body), "Handler")
}

func TestWriteAfterClose(t *testing.T) {
	prepared, err := websocket.Prepare(websocket.Text, []byte("late"))
	require.NoError(t, err)
	for name, end := range map[string]func(c, peer *websocket.Conn){
		"Close":    func(c, _ *websocket.Conn) { c.Close(4000, "enough") },
		"CloseNow": func(c, _ *websocket.Conn) { c.CloseNow() },
		"the peer's Close": func(c, peer *websocket.Conn) {
			go peer.Close(4000, "enough")
			c.Read(context.Background())
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				peer, c := wstest.Pipe(nil)
				if name == "Close" {
					go peer.Read(context.Background())
				}
				end(c, peer)
				_, _, want := c.Read(t.Context())
				var closed *websocket.CloseError
				require.ErrorAs(t, want, &closed)
				require.Equal(t, name == "the peer's Close", closed.Remote)
				require.Equal(t, !closed.Remote, errors.Is(want, net.ErrClosed))
				if name != "CloseNow" {
					require.Equal(t, websocket.StatusCode(4000), closed.Code)
					require.Equal(t, "enough", closed.Reason)
				}
				_, writerErr := c.Writer(t.Context(), websocket.Text)
				_, netErr := c.NetConn(websocket.Text).Write([]byte("late"))
				for i, got := range []error{
					c.Write(t.Context(), websocket.Text, []byte("late")), c.WritePlain(t.Context(), websocket.Text, nil),
					c.WritePrepared(t.Context(), prepared), c.Ping(t.Context()), c.Flush(t.Context()), writerErr, netErr,
				} {
					require.ErrorIs(t, got, want, "%d", i)
				}
				peer.CloseNow()
			})
		})
	}
}

// A program that only writes and never reads is told why its writes fail: that the
// peer has closed, and with which code, though nobody has read that.
func TestWriteAfterCloseNobodyRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, c := wstest.Pipe(nil)
		go peer.Close(4000, "enough")
		var err error
		for err == nil {
			err = c.Write(t.Context(), websocket.Text, []byte("more"))
			<-time.After(time.Second)
		}
		var closed *websocket.CloseError
		require.ErrorAs(t, err, &closed)
		require.Equal(t, websocket.CloseError{Code: 4000, Reason: "enough", Remote: true}, *closed)
		<-peer.Context().Done()
	})
}

// Every way to read is one reader; the second is told so, and harms nothing.
func TestTwoReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(nil)
		first := make(chan string, 1)
		go func() {
			_, msg, err := server.Read(context.Background())
			assert.NoError(t, err)
			first <- string(msg)
		}()
		synctest.Wait()
		for name, read := range map[string]func() error{
			"Read":       func() error { _, _, err := server.Read(t.Context()); return err },
			"Next":       func() error { _, _, err := server.Next(t.Context()); return err },
			"ReadAppend": func() error { _, _, err := server.ReadAppend(t.Context(), nil); return err },
			"Reader":     func() error { _, _, err := server.Reader(t.Context()); return err },
			"Serve":      func() error { return serveEcho(t.Context(), server) },
			"CloseRead":  func() error { return context.Cause(server.CloseRead(t.Context())) },
		} {
			require.ErrorContains(t, read(), "one reader at a time", name)
		}
		require.NoError(t, client.Write(t.Context(), websocket.Text, []byte("for the first")))
		require.Equal(t, "for the first", <-first)
		client.CloseNow()
		server.CloseNow()
		synctest.Wait()
	})
}

// Close may be called twice, by many at once, before and after CloseNow, while a
// read waits: all return, with the same result.
func TestCloseTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(nil)
		go serveEcho(context.Background(), server)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { assert.NoError(t, client.Close(websocket.StatusNormalClosure, "")) })
			wg.Go(func() { assert.NoError(t, server.Close(websocket.StatusGoingAway, "")) })
		}
		wg.Wait()
		require.NoError(t, client.Close(websocket.StatusGoingAway, "again"))
		require.NoError(t, client.CloseNow())
		require.NoError(t, client.Close(websocket.StatusGoingAway, "again"))

		server, client = wstest.Pipe(nil)
		require.NoError(t, client.CloseNow())
		begun := time.Now()
		require.Error(t, client.Close(websocket.StatusNormalClosure, ""), "there was no closing handshake")
		require.Zero(t, time.Since(begun), "and there is nothing to wait for")
		server.CloseNow()
		synctest.Wait()
	})
}

// A handler that never reads can write and return, and the closing handshake is
// done for it. If it stays, the connection does not stay for ever: nobody sees the
// client's pongs.
func TestHandlerNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
			return c.Write(ctx, websocket.Text, []byte("and that was it"))
		}}
		c, err := wstest.Dial(t.Context(), server, nil)
		require.NoError(t, err)
		for range 100 { // nobody wants to know
			if c.Write(t.Context(), websocket.Binary, bytes.Repeat([]byte{'x'}, 1<<16)) != nil {
				break
			}
		}
		_, msg, err := c.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, "and that was it", string(msg))
		_, _, err = c.Read(t.Context())
		var closed *websocket.CloseError
		require.ErrorAs(t, err, &closed)
		require.Equal(t, websocket.StatusNormalClosure, closed.Code)
		<-c.Context().Done()

		ended := make(chan error, 1)
		server = &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil
		}}
		c, err = wstest.Dial(t.Context(), server, nil)
		require.NoError(t, err)
		begun := time.Now()
		c.CloseRead(t.Context())
		err = <-ended
		require.ErrorIs(t, err, websocket.ErrPeerTimeout)
		require.ErrorContains(t, err, "needs CloseRead")
		require.Equal(t, 40*time.Second, time.Since(begun))
		<-c.Context().Done()
	})
}

// The client is not held up for ever by a server that takes nothing.
func TestPeerNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(nil)
		begun := time.Now()
		var err error
		for err == nil {
			err = client.Write(t.Context(), websocket.Binary, make([]byte, 1<<16))
		}
		require.ErrorContains(t, err, "WriteTimeout")
		require.Equal(t, 10*time.Second, time.Since(begun))
		server.CloseNow()
		synctest.Wait()
	})
}

// Accept takes a request once.
func TestAcceptTwice(t *testing.T) {
	again := make(chan error, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			again <- err
			return
		}
		defer c.CloseNow()
		_, err = websocket.Accept(w, r, nil)
		again <- err
		serveEcho(c.Context(), c)
	}))
	var said bytes.Buffer // by net/http, of a response on a connection that is not its own
	srv.Config.ErrorLog = log.New(&said, "", 0)
	srv.Start()
	defer srv.Close()
	c, err := websocket.Dial(t.Context(), srv.URL, nil)
	require.NoError(t, err)
	err = <-again
	var refused *websocket.HandshakeError
	require.ErrorAs(t, err, &refused)
	require.ErrorIs(t, err, http.ErrHijacked)
	requireEcho(t, c)
	require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
	<-c.Context().Done()
	srv.Close()
	require.Empty(t, said.String())
}

func TestPrepareWhatIsNoMessage(t *testing.T) {
	for _, op := range []websocket.Opcode{websocket.Ping, websocket.Close, websocket.Continuation, 3} {
		_, err := websocket.Prepare(op, nil)
		require.ErrorContains(t, err, "Text")
	}
}

// A Reader that is left alone for the next read says so, and does not read on in
// somebody else's message.
func TestReaderLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := wstest.Pipe(nil)
		for _, msg := range []string{"the first message", "the second"} {
			require.NoError(t, client.Write(t.Context(), websocket.Text, []byte(msg)))
		}
		_, r, err := server.Reader(t.Context())
		require.NoError(t, err)
		begin := make([]byte, 3)
		_, err = io.ReadFull(r, begin)
		require.NoError(t, err)
		require.Equal(t, "the", string(begin))
		_, msg, err := server.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, "the second", string(msg))
		_, err = r.Read(begin)
		require.Error(t, err)
		require.NotErrorIs(t, err, io.EOF)
		client.CloseNow()
		server.CloseNow()
		synctest.Wait()
	})
}
