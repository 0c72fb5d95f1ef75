package websocket_test

// What Close says if its own close frame cannot be sent.

import (
	"context"
	"io"
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
