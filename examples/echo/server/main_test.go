package main

import (
	"bytes"
	"context"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket"
)

func TestEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		server, err := websocket.NewConn(theirs, websocket.Handshake{Role: websocket.RoleServer}, nil)
		require.NoError(t, err)
		client, err := websocket.NewConn(ours, websocket.Handshake{Role: websocket.RoleClient}, nil)
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() { ended <- echo(server.Context(), server) }()

		ctx := context.Background()
		for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
			for _, op := range []websocket.Opcode{websocket.Text, websocket.Binary} {
				sent := bytes.Repeat([]byte("e"), size)
				require.NoError(t, client.Write(ctx, op, sent))
				got, msg, err := client.Read(ctx)
				require.NoError(t, err)
				require.Equal(t, op, got)
				require.True(t, bytes.Equal(sent, msg), size)
			}
		}
		require.NoError(t, client.Close(websocket.StatusNormalClosure, ""))
		var e *websocket.CloseError
		require.ErrorAs(t, <-ended, &e)
		require.Equal(t, websocket.StatusNormalClosure, e.Code)
	})
}
