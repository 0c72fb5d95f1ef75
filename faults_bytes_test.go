package websocket_test

// A stream that ends, breaks off, stalls or is split at the n-th byte, for every byte
// of a session in both directions: within every header, length, key and payload.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
)

// chats sends messages of each form of length, a fragmented one and a ping, reads
// what comes back, and closes.
func chats(ctx context.Context, c *conn) error {
	for _, n := range []int{0, 5, 130} {
		if err := c.Write(ctx, websocket.Text, []byte(strings.Repeat("é", n/2))); err != nil {
			return err
		}
		if _, p, err := c.Read(ctx); err != nil {
			return err
		} else if len(p) != n/2*2 {
			return fmt.Errorf("%d bytes for %d", len(p), n)
		}
	}
	reading := c.CloseRead(ctx)
	if err := c.Ping(ctx); err != nil {
		return err
	}
	err := c.Close(websocket.StatusNormalClosure, "bye")
	<-reading.Done()
	return err
}

// cut is one way in which a stream goes wrong at a byte.
type cut struct {
	name   string
	do     wstest.Action
	causes []error // of the error at the end whose stream it is; none: it succeeds
}

var cuts = []cut{
	{"split", wstest.None, nil},
	{"EOF", wstest.EOF, []error{io.ErrUnexpectedEOF, syscall.EPIPE}},
	{"reset", wstest.Reset, []error{syscall.ECONNRESET}},
	{"stall", wstest.Stall, []error{os.ErrDeadlineExceeded, websocket.ErrPeerTimeout, websocket.ErrCloseTimeout}},
}

// play plays chats against echoes, with the cut behind byte at of what the near end
// reads, or writes, and returns how many bytes cross there.
func (x cut) play(t *testing.T, role websocket.Role, write bool, at int64) (crossed int64) {
	begun := time.Now()
	opts := websocket.Options{
		WriteTimeout: 2 * time.Second, CloseTimeout: time.Second,
		KeepaliveInterval: 3 * time.Second, KeepaliveTimeout: time.Second,
	}
	fault := wstest.Fault{Do: x.do, After: at, Split: at}
	faults := wstest.Faults{Read: fault}
	if write {
		faults = wstest.Faults{Write: fault}
	}
	ours, theirs := wstest.NetPipe(0)
	stream := wstest.WithFaults(ours, faults)
	near, err := websocket.NewConn(stream, websocket.Handshake{Role: role}, &opts)
	require.NoError(t, err)
	far, err := websocket.NewConn(theirs, websocket.Handshake{Role: websocket.RoleServer + websocket.RoleClient - role}, &opts)
	require.NoError(t, err)
	farDone := make(chan error, 1)
	go func() { farDone <- echoes(context.Background(), far) }()
	err = chats(context.Background(), near)
	near.CloseNow()
	<-farDone
	far.CloseNow()
	near.Close(websocket.StatusNormalClosure, "")
	far.Close(websocket.StatusNormalClosure, "")
	require.LessOrEqual(t, time.Since(begun), faultLimit)
	synctest.Wait()
	name := fmt.Sprintf("%s behind byte %d, write %v", x.name, at, write)
	if err != nil {
		is := func(cause error) bool { return errors.Is(err, cause) }
		require.True(t, slices.ContainsFunc(x.causes, is), "%s: %v", name, err)
	}
	for _, c := range []*conn{near, far} {
		requireSticky(t, c, name)
		require.Empty(t, websocket.LeftOver(c), name)
	}
	read, written := stream.Crossed()
	if write {
		return written
	}
	return read
}

func TestFaultsAtEveryByte(t *testing.T) {
	runs := 0
	for _, role := range []websocket.Role{websocket.RoleServer, websocket.RoleClient} {
		for _, write := range []bool{false, true} {
			var bytes int64
			synctest.Test(t, func(t *testing.T) { bytes = cuts[0].play(t, role, write, 0) })
			require.Greater(t, bytes, int64(150))
			for _, x := range cuts {
				for at := range bytes {
					bubble(t, fmt.Sprintf("%s behind byte %d", x.name, at), func(t *testing.T) { x.play(t, role, write, at) })
					runs++
				}
			}
		}
	}
	t.Logf("%d sessions", runs)
}
