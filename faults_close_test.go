package websocket_test

// Close at bad moments: what it says if its own close frame cannot be sent, and that
// it comes to its end within a message.

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
)

// TestCloseFrameFails: the peer, which waits for a close frame that cannot come, is
// not to blame for the handshake that is not completed.
func TestCloseFrameFails(t *testing.T) {
	for _, role := range []websocket.Role{websocket.RoleServer, websocket.RoleClient} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := wstest.NetPipe(0)
			defer theirs.Close()
			broken := wstest.WithFaults(ours, wstest.Faults{Write: wstest.Fault{Do: wstest.Broken, Err: io.ErrShortWrite}})
			c, err := websocket.NewConn(broken, websocket.Handshake{Role: role}, nil)
			require.NoError(t, err)
			begun := time.Now()
			err = c.Close(websocket.StatusNormalClosure, "")
			require.ErrorIs(t, err, io.ErrShortWrite)
			require.Equal(t, err, c.Close(websocket.StatusNormalClosure, ""))
			require.Equal(t, 5*time.Second, time.Since(begun))
			var ce *websocket.CloseError
			_, _, err = c.Read(context.Background())
			require.ErrorAs(t, err, &ce)
			require.Equal(t, websocket.StatusNormalClosure, ce.Code, "what Close was told to say")
		})
	}
}

// TestCloseWithinFragments: who closes while a Writer is open gets a closing
// handshake, although the Writer's message cannot be finished any more.
func TestCloseWithinFragments(t *testing.T) {
	for _, role := range []websocket.Role{websocket.RoleServer, websocket.RoleClient} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := wstest.NetPipe(0)
			slow := wstest.WithFaults(ours, wstest.Faults{})
			c, err := websocket.NewConn(slow, websocket.Handshake{Role: role}, nil)
			require.NoError(t, err)
			peer, err := websocket.NewConn(theirs, websocket.Handshake{Role: websocket.RoleServer + websocket.RoleClient - role}, nil)
			require.NoError(t, err)
			peerEnd := make(chan error, 1)
			go func() {
				_, _, err := peer.Read(context.Background())
				peerEnd <- err
			}()
			w, err := c.Writer(context.Background(), websocket.Binary)
			require.NoError(t, err)
			_, err = w.Write(make([]byte, 5000))
			require.NoError(t, err)
			synctest.Wait()
			slow.Stall() // the close frame is on its way when the Writer fails
			closed := make(chan error, 1)
			go func() { closed <- c.Close(websocket.StatusGoingAway, "") }()
			synctest.Wait()
			_, err = w.Write(make([]byte, 5000))
			require.ErrorIs(t, err, net.ErrClosed)
			slow.Resume()
			require.NoError(t, <-closed)
			var ce *websocket.CloseError
			require.ErrorAs(t, <-peerEnd, &ce)
			require.Equal(t, websocket.StatusGoingAway, ce.Code)
		})
	}
}
