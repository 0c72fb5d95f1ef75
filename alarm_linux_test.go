package websocket

// The alarms of a poller: one timer for all its connections. When they go off, that they
// go with the socket, and that the keepalive over one finds who has vanished.

import (
	"bufio"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// An alarm goes off once, at its moment or up to a tick later, and the timer runs as long
// as there is one.
func TestAlarms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a alarms
		begun := moment()
		conns := []*Conn{new(Conn), new(Conn), new(Conn)}
		a.put(7, alarm{begun + time.Hour, conns[0]}, time.Minute)
		a.put(2, alarm{begun + time.Second, conns[1]}, time.Hour)
		a.put(3, alarm{begun + time.Second, conns[2]}, time.Hour)
		require.Equal(t, time.Minute, a.tick, "that of the shortest wait")
		a.remove(3)
		a.remove(100)
		require.Empty(t, a.due(begun+time.Second-1))
		require.Equal(t, []*Conn{conns[1]}, a.due(begun+time.Second))
		require.Empty(t, a.due(begun+time.Second), "it went off before")
		require.True(t, a.timer.Stop(), "one is left")
		require.Equal(t, []*Conn{conns[0]}, a.due(begun+2*time.Hour))
		require.Zero(t, a.tick)
		require.False(t, a.timer.Stop(), "none is left, and the timer is set")
		a.put(1, alarm{begun + 3*time.Hour, conns[0]}, time.Second)
		require.Equal(t, time.Second, a.tick)
		require.True(t, a.timer.Stop())
	})
}

// More alarms at once than go off in a row: each calls the keepalive of its connection.
func TestAlarmsRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a alarms
		conns := make([]*Conn, 3*alarmBurst+1)
		for i := range conns {
			c, peer := quiet(t, &Options{KeepaliveInterval: time.Hour})
			go io.Copy(io.Discard, peer)
			c.stopKeepalive()
			c.pings.over = false
			c.pings.heard.Store(int64(moment() - time.Hour))
			conns[i] = c
			a.put(i, alarm{moment(), c}, time.Second)
		}
		<-time.After(time.Second)
		synctest.Wait()
		for _, c := range conns {
			c.pings.pmu.Lock()
			require.EqualValues(t, 1, c.pings.sent)
			c.pings.pmu.Unlock()
			c.CloseNow()
		}
	})
}

// alarmOf returns the connection whose alarm is set at the descriptor of s, if one is.
func alarmOf(s *socket) *Conn {
	a := &s.poller.alarms
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.fd >= len(a.set) {
		return nil
	}
	return a.set[s.fd].c
}

// A connection at a poller has an alarm and no timer, and when it ends neither is left,
// nor can it set one anew.
func TestAlarmEndsWithTheSocket(t *testing.T) {
	c, client, _ := socketPair(t, nil)
	defer client.Close()
	require.Nil(t, c.pings.timer)
	require.Same(t, c, alarmOf(c.tr.sock))
	c.CloseNow()
	require.Nil(t, alarmOf(c.tr.sock))
	c.keepalive()
	c.tr.sock.alarm(c, moment(), time.Second)
	require.Nil(t, alarmOf(c.tr.sock))
}

// Over a socket that waits at a poller a peer that answers is pinged again and again, and
// one that does not is found.
func TestAlarmFindsTheDead(t *testing.T) {
	c, client, r := socketPair(t, &Options{KeepaliveInterval: 20 * time.Millisecond, KeepaliveTimeout: 500 * time.Millisecond})
	defer client.Close()
	s := startServe(t.Context(), c, nil)
	for range 3 {
		require.NoError(t, answerPing(client, r))
	}
	require.ErrorIs(t, soon(t, s.err), ErrPeerTimeout)
}

// answerPing answers the next ping, which has 8 bytes.
func answerPing(w io.Writer, r *bufio.Reader) error {
	ping := make([]byte, 10)
	if _, err := io.ReadFull(r, ping); err != nil {
		return err
	}
	_, err := w.Write(append([]byte{0x8A, 0x88, 0, 0, 0, 0}, ping[2:]...))
	return err
}
