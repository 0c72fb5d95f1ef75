package websocket

import (
	"context"
	"io"
	"math"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// quiet returns a server whose peer says nothing but what is written to the stream.
func quiet(t *testing.T, opts *Options) (*Conn, net.Conn) {
	ours, theirs := net.Pipe()
	c, err := NewConn(ours, Handshake{Role: RoleServer}, opts)
	require.NoError(t, err)
	t.Cleanup(func() { theirs.Close() })
	return c, theirs
}

// TestKeepaliveBound: wherever in the interval the last byte came, the peer is
// given up within interval and timeout of it, and not before.
func TestKeepaliveBound(t *testing.T) {
	for _, times := range [][2]time.Duration{{30 * time.Second, 10 * time.Second}, {2 * time.Second, 9 * time.Second}} {
		for last := time.Duration(0); last < 2*(times[0]+times[1]); last += 700 * time.Millisecond {
			synctest.Test(t, func(t *testing.T) {
				c, peer := quiet(t, &Options{KeepaliveInterval: times[0], KeepaliveTimeout: times[1]})
				go io.Copy(io.Discard, peer)
				go func() {
					for at := time.Duration(0); at < last; at += time.Second { // life until then
						peer.Write([]byte{0x8a, 0x80, 0, 0, 0, 0})
						<-time.After(min(time.Second, last-at))
					}
					peer.Write([]byte{0x8a, 0x80, 0, 0, 0, 0})
				}()
				begun := time.Now()
				_, _, err := c.Read(context.Background())
				require.ErrorIs(t, err, ErrPeerTimeout)
				require.NotContains(t, err.Error(), "nobody was reading")
				require.Equal(t, last+times[0]+times[1], time.Since(begun))
				peer.Close()
			})
		}
	}
}

// TestKeepaliveInterval: a peer that answers is pinged once per interval, also if
// the timeout is longer, so that nobody in between takes the connection for idle.
func TestKeepaliveInterval(t *testing.T) {
	for _, times := range [][2]time.Duration{{30 * time.Second, 10 * time.Second}, {time.Second, 10 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			server, client := pipePair(t, &Options{KeepaliveInterval: times[0], KeepaliveTimeout: times[1]})
			client.stopKeepalive()
			begun, pings := time.Now(), 0
			own := *client.opts // which other connections share
			client.opts = &own
			own.Hooks = &Hooks{Control: func(_ *Conn, op Opcode, _ []byte) {
				pings++
				require.Equal(t, Ping, op)
				require.Equal(t, time.Duration(pings)*times[0], time.Since(begun))
			}}
			client.CloseRead(context.Background())
			server.CloseRead(context.Background())
			<-time.After(100*times[0] + times[0]/2)
			require.Equal(t, 100, pings)
			own.Hooks = nil
			require.NoError(t, client.Close(StatusNormalClosure, ""))
			server.Close(StatusNormalClosure, "")
		})
	}
}

// A timer that fires while the connection ends is not set anew: it would keep the
// connection in memory for another interval.
func TestKeepaliveEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := quiet(t, nil)
		go io.Copy(io.Discard, peer)
		c.stopKeepalive()
		c.keepalive() // had begun before
		c.pings.pmu.Lock()
		require.False(t, c.pings.timer.Stop(), "the timer is set")
		c.pings.pmu.Unlock()
		c.CloseNow()
	})
}

// What was read since the ping is life, also if it is taken to have come before: a poller
// tells when it woke the reader, not when the reader read.
func TestKeepaliveCountsBytes(t *testing.T) {
	const asked, timeout = 30 * time.Second, 10 * time.Second
	for inflow, lost := range map[uint64]bool{7: true, 8: false, 7 + 1<<31: false} {
		p := &pings{timer: time.NewTimer(time.Hour), asked: asked, had: 7, since: asked, due: asked + timeout}
		defer p.timer.Stop()
		p.heard.Store(int64(asked - time.Millisecond))
		ping, gone := p.look(asked+timeout, inflow, asked, timeout)
		require.False(t, ping)
		require.Equal(t, lost, gone)
	}
}

// A timeout of centuries is one that can be added to a moment.
func TestTimeoutsDoNotWrap(t *testing.T) {
	const most = time.Duration(math.MaxInt64)
	o := (&Options{WriteTimeout: most, ReadIdleTimeout: most, KeepaliveInterval: most, KeepaliveTimeout: most}).withDefaults(RoleClient)
	for _, d := range []time.Duration{o.WriteTimeout, o.ReadIdleTimeout, o.KeepaliveInterval, o.KeepaliveTimeout} {
		require.Greater(t, d, 50*365*24*time.Hour)
		require.Greater(t, moment()+d, moment())
	}
}
