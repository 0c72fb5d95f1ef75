package websocket

// The keepalive against networks that swallow, and clocks that jump.

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// blackHole is a stream that gets lost on command: what is written to it is taken,
// up to room bytes, and nothing comes out of it.
type blackHole struct {
	net.Conn
	lost chan struct{}
	room int
}

func (b *blackHole) gone() bool {
	select {
	case <-b.lost:
		return true
	default:
		return false
	}
}

func (b *blackHole) Write(p []byte) (int, error) {
	if !b.gone() {
		return b.Conn.Write(p)
	}
	if b.room >= len(p) {
		b.room -= len(p)
		return len(p), nil
	}
	return b.Conn.Write(p) // which nobody takes any more
}

// TestKeepaliveBlackHole: a peer that the network loses is found within interval and
// timeout, by who waits for it and by who writes to it, whether or not the system
// still takes bytes for it.
func TestKeepaliveBlackHole(t *testing.T) {
	for name, room := range map[string]int{"bytes are taken": 1 << 20, "nothing is taken": 0} {
		for _, writing := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ours, theirs := net.Pipe()
					hole := &blackHole{ours, make(chan struct{}), room}
					server, err := NewConn(hole, Handshake{Role: RoleServer}, &Options{WriteTimeout: -1})
					require.NoError(t, err)
					client, err := NewConn(theirs, Handshake{Role: RoleClient}, nil)
					require.NoError(t, err)
					stopReading, stop := context.WithCancel(context.Background())
					clientReads := client.CloseRead(stopReading)
					ctx := server.CloseRead(context.Background())
					<-time.After(10*time.Minute + 17*time.Second) // all is well
					require.NoError(t, ctx.Err())

					stop()
					<-clientReads.Done()
					close(hole.lost)
					begun := time.Now()
					for writing && err == nil {
						err = server.Write(context.Background(), Text, []byte("hello?"))
						<-time.After(100 * time.Millisecond)
					}
					<-ctx.Done()
					require.ErrorIs(t, context.Cause(ctx), ErrPeerTimeout)
					require.LessOrEqual(t, time.Since(begun), defaultKeepaliveInterval+defaultKeepaliveTimeout+time.Second)
					if writing {
						require.ErrorIs(t, err, ErrPeerTimeout)
					}
					client.CloseNow()
				})
			})
		}
	}
}

// jump is what a connection sees of a machine that was suspended for d: its clock is
// further than anybody has lived. If timers go by that clock they are all due now,
// else they fire when they would have without it.
func (p *pings) jump(d time.Duration, timers bool) {
	p.pmu.Lock()
	defer p.pmu.Unlock()
	p.heard.Add(int64(-d))
	p.due -= d
	if p.asked != 0 {
		p.asked -= d
	}
	if timers && p.timer.Stop() {
		p.timer.Reset(0)
	}
}

// TestKeepaliveClockJump: an hour is missing, at any moment. Who answers lives on,
// even if it takes nine seconds to do so; who does not is found as always.
func TestKeepaliveClockJump(t *testing.T) {
	const slow = 9 * time.Second
	for at := time.Duration(0); at < 3*defaultKeepaliveInterval; at += 1700 * time.Millisecond {
		for mode := range 4 {
			answers, timers := mode&1 == 0, mode&2 == 0
			synctest.Test(t, func(t *testing.T) {
				c, peer := quiet(t, nil)
				living, peerEnded := make(chan struct{}), make(chan struct{})
				defer func() {
					peer.Close()
					<-peerEnded
				}()
				go func() {
					defer close(peerEnded)
					b := make([]byte, 64)
					for {
						n, err := peer.Read(b)
						if err != nil {
							return
						}
						pong := append([]byte{0x8a, 0x80 | byte(n-2), 0, 0, 0, 0}, b[2:n]...)
						<-time.After(slow)
						select {
						case <-living:
							continue
						default:
							peer.Write(pong)
						}
					}
				}()
				ctx := c.CloseRead(context.Background())
				<-time.After(at)
				c.pings.jump(time.Hour, timers)
				if answers {
					<-time.After(2 * time.Hour)
					require.NoError(t, ctx.Err(), "killed after %v", at)
				}
				close(living)
				begun := time.Now()
				<-ctx.Done()
				require.ErrorIs(t, context.Cause(ctx), ErrPeerTimeout)
				require.LessOrEqual(t, time.Since(begun), defaultKeepaliveInterval+defaultKeepaliveTimeout+time.Second)
			})
		}
	}
}

// TestKeepaliveManyJumps: a machine that is suspended again and again, for longer than
// it is awake.
func TestKeepaliveManyJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := pipePair(t, nil)
		client.CloseRead(context.Background())
		ctx := server.CloseRead(context.Background())
		for i := range 1000 {
			<-time.After(time.Duration(i%47) * time.Second)
			server.pings.jump(time.Duration(i)*time.Minute, i%2 == 0)
		}
		require.NoError(t, ctx.Err())
		require.NoError(t, client.Close(StatusNormalClosure, ""))
		server.Close(StatusNormalClosure, "")
	})
}

// TestKeepaliveOff: a negative interval is off, and a client's is unless it is set.
func TestKeepaliveOff(t *testing.T) {
	for _, tc := range []struct {
		role Role
		opts *Options
		off  bool
	}{
		{RoleServer, &Options{KeepaliveInterval: -1}, true},
		{RoleServer, &Options{KeepaliveInterval: -1, KeepaliveTimeout: time.Second}, true},
		{RoleServer, nil, false},
		{RoleClient, nil, true},
		{RoleClient, &Options{KeepaliveTimeout: time.Second}, true},
		{RoleClient, &Options{KeepaliveInterval: time.Minute}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			c, err := NewConn(ours, Handshake{Role: tc.role}, tc.opts)
			require.NoError(t, err)
			ctx := c.CloseRead(context.Background())
			pinged := make(chan struct{})
			go func() {
				defer close(pinged)
				b := make([]byte, 1)
				theirs.Read(b)
			}()
			select {
			case <-pinged:
				require.False(t, tc.off)
			case <-time.After(24 * time.Hour):
				require.True(t, tc.off)
				require.NoError(t, ctx.Err())
			}
			c.CloseNow()
			theirs.Close()
			<-ctx.Done()
			<-pinged
		})
	}
}

// TestGoroutinesOfAConnection: keepalive, contexts and writes need none; the reader is
// the only one, but for those of the poller, which are everybody's.
func TestGoroutinesOfAConnection(t *testing.T) {
	leakCheck(t)
	const n = 50
	before := goroutines() // some of which may be on their way out
	count := func() (n int) {
		for id, stack := range goroutines() {
			if before[id] == "" && !strings.Contains(stack, "websocket.(*poller).") {
				n++
			}
		}
		return n
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for range n {
		server, client := connPair(t, &Options{KeepaliveInterval: 10 * time.Millisecond, WriteTimeout: time.Second, ReadIdleTimeout: time.Hour})
		server.CloseRead(ctx)
		client.CloseRead(ctx)
		require.NoError(t, server.Ping(ctx))
		require.NoError(t, client.Ping(ctx))
	}
	// Goroutines of finished calls may be on their way out.
	deadline := time.NewTimer(leakGrace)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for count() != 2*n {
		select {
		case <-tick.C:
		case <-deadline.C:
			require.Equal(t, 2*n, count())
		}
	}
}
