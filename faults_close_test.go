package websocket_test

// Close at bad moments: what it says if its own close frame cannot be sent, and that
// it comes to its end within a message; and reads at the moment when a write fails.

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

// TestCloseAnswerIsLost: a closing handshake in which the peer's close frame came and
// ours did not go out is not complete, whoever keeps it from going out.
func TestCloseAnswerIsLost(t *testing.T) {
	for name, cancelled := range map[string]bool{"cut by its context": true, "stuck": false} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := wstest.NetPipe(16)
			defer theirs.Close()
			c, err := websocket.NewConn(ours, websocket.Handshake{Role: websocket.RoleClient}, nil)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			wrote := make(chan error, 1)
			go func() { wrote <- c.Write(ctx, websocket.Binary, make([]byte, 100)) }()
			synctest.Wait()
			_, err = theirs.Write([]byte{0x88, 0x00})
			require.NoError(t, err)
			var ce *websocket.CloseError
			_, _, err = c.Read(context.Background())
			require.ErrorAs(t, err, &ce)
			require.Equal(t, websocket.StatusNoStatus, ce.Code)
			if cancelled {
				cancel()
			}
			require.Error(t, c.Close(websocket.StatusNormalClosure, ""), name)
			require.Equal(t, err, <-wrote, name)
		})
	}
}

// TestReadAfterFailedWrite: a write that failed looks for what the peer had said
// last. A read that comes meanwhile waits for that, and is no second reader.
func TestReadAfterFailedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := wstest.NetPipe(0)
		broken := wstest.WithFaults(ours, wstest.Faults{Write: wstest.Fault{Do: wstest.Broken}})
		c, err := websocket.NewConn(broken, websocket.Handshake{Role: websocket.RoleClient}, nil)
		require.NoError(t, err)
		defer c.CloseNow()
		wrote := make(chan error, 1)
		go func() { wrote <- c.Write(context.Background(), websocket.Binary, nil) }()
		synctest.Wait()
		go func() {
			<-time.After(10 * time.Millisecond)
			theirs.Write([]byte{0x81, 0x02, 'h', 'i', 0x88, 0x02, 0x03, 0xE8})
		}()
		_, p, err := c.Read(context.Background())
		require.NoError(t, err)
		require.Equal(t, "hi", string(p))
		require.Error(t, <-wrote)
		var ce *websocket.CloseError
		_, _, err = c.Read(context.Background())
		require.ErrorAs(t, err, &ce)
		require.Equal(t, websocket.StatusNormalClosure, ce.Code)
		theirs.Close()
	})
}

// TestGivenUpWriteKeepsNoBuffer: a write that was given up before its first byte went
// out leaves nothing, not even the buffer it was framed in.
func TestGivenUpWriteKeepsNoBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := wstest.NetPipe(0)
		defer theirs.Close()
		stalled := wstest.WithFaults(ours, wstest.Faults{})
		stalled.Stall()
		c, err := websocket.NewConn(stalled, websocket.Handshake{Role: websocket.RoleClient}, nil)
		require.NoError(t, err)
		defer c.CloseNow()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, c.Write(ctx, websocket.Text, []byte("hi")))
		require.NotContains(t, websocket.LeftOver(c), "a write buffer")
	})
}

// TestGivenUpWriteBehindPong: a write that is given up when exactly the pong in front
// of it has gone out does not leave its goroutine writing nothing for ever.
func TestGivenUpWriteBehindPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := wstest.NetPipe(10)
		c, err := websocket.NewConn(ours, websocket.Handshake{Role: websocket.RoleServer}, nil)
		require.NoError(t, err)
		defer c.CloseNow()
		defer theirs.Close()
		c.CloseRead(context.Background())
		wrote := make(chan error, 2)
		go func() { wrote <- c.Write(context.Background(), websocket.Binary, make([]byte, 20)) }()
		synctest.Wait()
		_, err = theirs.Write([]byte{0x89, 0x80, 0, 0, 0, 0})
		require.NoError(t, err)
		synctest.Wait() // the pong waits for the pen
		ctx, cancel := context.WithCancel(context.Background())
		go func() { wrote <- c.Write(ctx, websocket.Binary, []byte("given up")) }()
		synctest.Wait()
		var got []byte
		for _, n := range []int{10, 4} { // which leaves room for the pong
			_, err = io.ReadFull(theirs, make([]byte, n))
			require.NoError(t, err)
			synctest.Wait()
		}
		require.NoError(t, <-wrote)
		cancel()
		require.Equal(t, context.Canceled, <-wrote)
		go func() { wrote <- c.Write(context.Background(), websocket.Binary, []byte("hi")) }()
		got = make([]byte, 14)
		_, err = io.ReadFull(theirs, got)
		require.NoError(t, err)
		require.Equal(t, []byte{0x8A, 0, 0x82, 2, 'h', 'i'}, got[8:])
		require.NoError(t, <-wrote)
	})
}

// TestFailedWriteLeavesReader: a write that failed does not read on where somebody is
// in the middle of a message, and Close, which does, is not taken for a second reader.
func TestFailedWriteLeavesReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := wstest.NetPipe(0)
		defer theirs.Close()
		broken := wstest.WithFaults(ours, wstest.Faults{Write: wstest.Fault{Do: wstest.Broken}})
		c, err := websocket.NewConn(broken, websocket.Handshake{Role: websocket.RoleClient}, nil)
		require.NoError(t, err)
		_, err = theirs.Write([]byte{0x01, 0x02, 'h', 'i', 0x80, 0x01, '!', 0x01, 0x01, '?'})
		require.NoError(t, err)
		_, r, err := c.Reader(context.Background())
		require.NoError(t, err)
		require.Error(t, c.Write(context.Background(), websocket.Binary, nil))
		p, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, "hi!", string(p))
		_, r, err = c.Reader(context.Background())
		require.NoError(t, err)
		closed := make(chan error, 1)
		go func() { closed <- c.Close(websocket.StatusNormalClosure, "") }()
		synctest.Wait()
		_, err = r.Read(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
		require.Error(t, <-closed)
	})
}

// TestReadAfterCloseRead: who ends a CloseRead by its context can read at once.
func TestReadAfterCloseRead(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			server, client := wstest.Pipe(nil)
			defer server.CloseNow()
			defer client.CloseNow()
			ctx, cancel := context.WithCancel(context.Background())
			dropping := server.CloseRead(ctx)
			synctest.Wait()
			go client.Write(context.Background(), websocket.Text, []byte("dropped, or not"))
			cancel()
			<-dropping.Done()
			soon, stop := context.WithTimeout(context.Background(), time.Second)
			defer stop()
			if _, _, err := server.Read(soon); err != nil {
				require.Equal(t, context.DeadlineExceeded, err)
			}
		})
	}
}
