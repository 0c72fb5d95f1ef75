// Broadcast: one client sends a message, the server sends it to all of a
// thousand connections, framed once where the library can do that, and the next
// message leaves when every connection has it.

package main

import (
	"fmt"
	"time"
)

// broadcastConns is how many connections hear each message.
const broadcastConns = 1000

func broadcastMeasurement() measurement {
	return measurement{
		name: "broadcast",
		fits: func(p peer) bool { return p.broadcast },
		cells: func(*config) []cell {
			return []cell{{size: 128, conns: broadcastConns, inFlight: 1}, {size: 4 << 10, conns: broadcastConns, inFlight: 1}}
		},
		label: func(_ *config, at cell) string { return fmt.Sprintf("%v to %d", at.sizeName(), at.conns) },
		take: func(c *config, p peer, at cell, emit func(string, float64)) error {
			return c.withServer(p, serveOptions{Size: at.size, Broadcast: true}, func(server *child, addr string) error {
				return c.takeBroadcast(server, addr, at, emit)
			})
		},
	}
}

func (c *config) takeBroadcast(server *child, addr string, at cell, emit func(string, float64)) error {
	load, err := c.startLoad(loadPlan{Mode: "broadcast", Addr: addr, PID: server.pid(),
		Conns: at.conns, InFlight: 1, Size: at.size, Warm: c.window / 4, Window: c.window})
	if err != nil {
		return err
	}
	defer load.stop()
	limit := 30*time.Second + 2*c.window
	if err := load.receive(limit, &ready{}); err != nil {
		return err
	}
	for n, stop := 0, time.Now().Add(limit); n < at.conns; {
		if err := server.ask("hub", limit, &n); err != nil {
			return err
		}
		if time.Now().After(stop) {
			return fmt.Errorf("only %d of %d connections were added", n, at.conns)
		}
	}
	if err := load.ask("warm up", limit, &ready{}); err != nil {
		return err
	}
	var r loadResult
	if err := load.ask("go", limit, &r); err != nil {
		return err
	}
	if r.Messages == 0 {
		return errNothing
	}
	n := float64(r.Messages)
	emit("cpu_us", r.CPU*1e6/n)
	emit("waited", r.Waited)
	emit("msgs_per_s", n/r.Seconds)
	emit("p50_us", float64(r.P50)/1e3)
	emit("p99_us", float64(r.P99)/1e3)
	return nil
}

// loadBroadcast is the generator's side. All connections expect the same ring
// of messages from its beginning; the first one also sends them.
func loadBroadcast(p loadPlan, wait func(any) error) (any, error) {
	g, err := newGenerator(p)
	if err != nil {
		return nil, err
	}
	for i := range g.conns {
		g.conns[i].recvAt = 0
	}
	if err := wait(ready{true}); err != nil { // until the server knows them all
		return nil, err
	}
	first := &g.conns[0]
	rounds := func(d time.Duration) error {
		for stop := g.now() + int64(d); g.now() < stop; {
			if err := g.broadcast(first); err != nil {
				return err
			}
		}
		return nil
	}
	if err := rounds(p.Warm); err != nil {
		return nil, err
	}
	if err := wait(ready{true}); err != nil {
		return nil, err
	}
	g.forget()
	r, err := timed(p.PID, func() error { return rounds(p.Window) })
	r.Messages, r.AllMessages = g.done, g.done
	r.latencies(&g.lat)
	return r, err
}

// broadcast sends one message on c and waits until every connection has it;
// the time until the last one has is the round's latency.
func (g *generator) broadcast(c *loadConn) error {
	g.closed = true
	begin := g.now()
	for i := range g.conns {
		// Everybody is owed this message; only c sends it.
		if o := &g.conns[i]; o != c {
			o.sent[0], o.n, o.head = begin, 1, 0
		}
	}
	g.flying += len(g.conns) - 1
	if err := g.queue(c, 1, begin); err != nil {
		return err
	}
	each := g.lat
	if err := g.drain(); err != nil {
		return err
	}
	g.lat = each
	g.lat.record(g.now() - begin)
	return nil
}
