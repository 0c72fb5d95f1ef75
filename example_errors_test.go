package websocket_test

// docs/errors.md, row by row: each error is brought about, branched on as the page
// says, and tried again, to see whether the connection goes on.

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// failing is a way to an error: it returns the error of a read or write of c, whose
// peer is p.
type failing func(t *testing.T, c *websocket.Conn, p net.Conn) error

func readOnce(c *websocket.Conn) error {
	_, _, err := c.Read(context.Background())
	return err
}

// peerSends returns a failing whose peer sends p.
func peerSends(p ...byte) failing {
	return func(t *testing.T, c *websocket.Conn, peer net.Conn) error {
		go func() {
			peer.Write(p)
			io.Copy(io.Discard, peer)
		}()
		return readOnce(c)
	}
}

var errorsPage = map[string]struct {
	bring failing
	check func(error) bool
	goOn  bool
}{
	"`ctx.Err()`": {func(t *testing.T, c *websocket.Conn, p net.Conn) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, c.Write(ctx, websocket.Text, nil), context.DeadlineExceeded)
		require.ErrorIs(t, c.Ping(ctx), context.DeadlineExceeded)
		_, _, err := c.Read(ctx)
		return err
	}, func(err error) bool { return err == context.DeadlineExceeded }, true},
	"`os.ErrDeadlineExceeded`": {func(t *testing.T, c *websocket.Conn, p net.Conn) error { return readOnce(c) },
		func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }, true},
	"`*CloseError`, `Remote` true": {peerSends(0x88, 0x84, 0, 0, 0, 0, 0x0f, 0xa1, 'h', 'i'),
		func(err error) bool {
			var e *websocket.CloseError
			return errors.As(err, &e) && e.Remote && e.Code == 4001 && e.Reason == "hi"
		}, false},
	"`*CloseError`, `Remote` false": {func(t *testing.T, c *websocket.Conn, p net.Conn) error {
		go func() {
			io.ReadFull(p, make([]byte, 4)) // our close frame
			p.Write([]byte{0x88, 0x82, 0, 0, 0, 0, 0x0f, 0xa1})
			io.Copy(io.Discard, p)
			p.Close()
		}()
		require.NoError(t, c.Close(4001, ""))
		return readOnce(c)
	}, func(err error) bool {
		var e *websocket.CloseError
		return errors.As(err, &e) && !e.Remote && e.Code == 4001 && errors.Is(err, net.ErrClosed)
	}, false},
	"`*CloseError`, code 1006": {func(t *testing.T, c *websocket.Conn, p net.Conn) error {
		p.Close()
		return readOnce(c)
	}, func(err error) bool {
		var e *websocket.CloseError
		return errors.As(err, &e) && e.Code == websocket.StatusAbnormalClosure && errors.Unwrap(err) == io.ErrUnexpectedEOF
	}, false},
	"`errors.Is(err, ErrPeerTimeout)`": {func(t *testing.T, c *websocket.Conn, p net.Conn) error {
		go io.Copy(io.Discard, p)
		for {
			if err := readOnce(c); !errors.Is(err, os.ErrDeadlineExceeded) { // of ReadIdleTimeout
				return err
			}
		}
	}, func(err error) bool { return errors.Is(err, websocket.ErrPeerTimeout) }, false},
	"`*ProtocolError`": {peerSends(0x83, 0x80, 0, 0, 0, 0), func(err error) bool {
		var e *websocket.ProtocolError
		return errors.As(err, &e) && e.Code == websocket.StatusProtocolError && strings.Contains(e.Rule, "5.2")
	}, false},
	"`*MessageTooBigError`": {peerSends(0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0), func(err error) bool {
		var e *websocket.MessageTooBigError
		return errors.As(err, &e) && e.Limit == 1<<20
	}, false},
	`"write cut in the middle of a frame"`: {func(t *testing.T, c *websocket.Conn, p net.Conn) error {
		go io.ReadFull(p, make([]byte, 3))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return c.Write(ctx, websocket.Text, []byte("hello"))
	}, func(err error) bool {
		return strings.Contains(err.Error(), "middle of a frame") && errors.Is(err, context.DeadlineExceeded)
	}, false},
	`"the peer took no bytes"`: {func(t *testing.T, c *websocket.Conn, p net.Conn) error {
		return c.Write(t.Context(), websocket.Text, []byte("hello"))
	}, func(err error) bool {
		return strings.Contains(err.Error(), "the peer took no bytes") && errors.Is(err, os.ErrDeadlineExceeded)
	}, false},
	"`*HandshakeError`": {func(t *testing.T, c *websocket.Conn, p net.Conn) error {
		_, err := wstest.Dial(t.Context(), http.NotFoundHandler(), nil)
		return err
	}, func(err error) bool {
		var e *websocket.HandshakeError
		return errors.As(err, &e) && e.Status == http.StatusNotFound && len(e.Body) > 0 && e.Reason != ""
	}, true},
	"others": {func(t *testing.T, c *websocket.Conn, p net.Conn) error {
		require.ErrorContains(t, c.Write(t.Context(), websocket.Ping, nil), "Text")
		return c.Close(1006, "")
	}, func(err error) bool { return strings.Contains(err.Error(), "7.4") }, true},
}

func TestErrorsPage(t *testing.T) {
	page, err := os.ReadFile("docs/errors.md")
	require.NoError(t, err)
	rows := regexp.MustCompile(`(?m)^\| (.+?) \|.*\| (.+?) \|$`).FindAllStringSubmatch(string(page), -1)
	require.Len(t, rows, len(errorsPage)+1, "the page has other rows than the test")
	for _, row := range rows[1:] {
		name, goOn := row[1], strings.HasPrefix(row[2], "yes")
		t.Run(name, func(t *testing.T) {
			want, ok := errorsPage[name]
			require.True(t, ok, "nobody brings it about")
			if name != "`*HandshakeError`" {
				require.Equal(t, want.goOn, goOn, "the page says otherwise")
			}
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				c, err := websocket.NewConn(ours, websocket.Handshake{}, &websocket.Options{ReadIdleTimeout: 25 * time.Second})
				require.NoError(t, err)
				err = want.bring(t, c, theirs)
				require.True(t, want.check(err), "%T: %v", err, err)
				if want.goOn {
					go func() {
						theirs.Write([]byte{0x81, 0x82, 0, 0, 0, 0, 'o', 'n'})
						io.ReadFull(theirs, make([]byte, 4))
					}()
					_, msg, err := c.Read(t.Context())
					require.NoError(t, err)
					require.Equal(t, "on", string(msg))
					require.NoError(t, c.Write(t.Context(), websocket.Text, []byte("on")))
				} else {
					for range 3 {
						require.Equal(t, err, readOnce(c))
						require.Equal(t, err, c.Write(t.Context(), websocket.Text, nil))
					}
				}
				theirs.Close()
				c.CloseNow()
				<-c.Context().Done()
				synctest.Wait()
			})
		})
	}
}
