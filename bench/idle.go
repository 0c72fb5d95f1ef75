// The memory of idle connections: thousands of them, each of which has echoed
// one message and now waits.
//
// Resident memory is read from outside the server's process, before the first
// connection and after the last echo and a collection; kernel socket buffers
// are in neither. Two figures: as the process is after the collection, and
// after it has given free pages back, which Go's runtime does by itself within
// minutes.

package main

import (
	"strconv"
	"time"
)

func idleMeasurement(name string, takeover bool) measurement {
	return measurement{
		name: name,
		fits: func(p peer) bool { return !takeover || p.takeover },
		take: func(c *config, p peer, _ cell, emit func(string, float64)) error {
			return c.takeIdle(p, takeover, emit)
		},
		label: func(c *config, _ cell) string { return strconv.Itoa(c.conns) },
	}
}

func (c *config) takeIdle(p peer, takeover bool, emit func(string, float64)) error {
	// The message is small, but long enough to be worth compressing.
	size := 16
	if takeover {
		size = 1 << 10
	}
	return c.withServer(p, serveOptions{Size: size, Takeover: takeover}, func(server *child, addr string) error {
		const limit = 2 * time.Minute
		var s serverStats
		if err := server.ask("trim", limit, &s); err != nil {
			return err
		}
		before, err := memoryOf(server.pid())
		if err != nil {
			return err
		}
		heap := s
		load, err := c.startLoad(loadPlan{Mode: "idle", Addr: addr, Raw: p.raw, Conns: c.conns, InFlight: 1, Size: size, Takeover: takeover})
		if err != nil {
			return err
		}
		defer load.stop()
		if err := load.receive(limit, &ready{}); err != nil {
			return err
		}
		per := func(now, then float64) float64 { return (now - then) / 1024 / float64(c.conns) }
		loaded, err := memoryOf(server.pid())
		if err != nil {
			return err
		}
		for _, step := range []struct{ command, metric string }{{"gc", "rss_kib"}, {"trim", "trimmed_kib"}} {
			if err := server.ask(step.command, limit, &s); err != nil {
				return err
			}
			m, err := memoryOf(server.pid())
			if err != nil {
				return err
			}
			emit(step.metric, per(m.RSS, before.RSS))
		}
		emit("peak_kib", per(loaded.Peak, before.RSS))
		emit("heap_kib", per(float64(s.Heap), float64(heap.Heap)))
		emit("stack_kib", per(float64(s.Stack), float64(heap.Stack)))
		emit("goroutines", float64(s.Goroutines-heap.Goroutines)/float64(c.conns))
		// All of them are still there: each echoes once more.
		return load.ask("again", limit, &loadResult{})
	})
}

// loadIdle echoes one message on each connection, waits, and does it again.
func loadIdle(p loadPlan, wait func(any) error) (any, error) {
	g, err := newGenerator(p)
	if err != nil {
		return nil, err
	}
	if err := g.round(); err != nil {
		return nil, err
	}
	if err := wait(ready{true}); err != nil {
		return nil, err
	}
	if err := g.round(); err != nil {
		return nil, err
	}
	return loadResult{Messages: g.done}, nil
}

// round sends one message on each connection and waits for all echoes.
func (g *generator) round() error {
	g.closed = true
	for i := range g.conns {
		if err := g.queue(&g.conns[i], 1, g.now()); err != nil {
			return err
		}
		// The server is spared a burst that no real crowd of clients would make.
		if i%64 == 63 {
			if err := g.drain(); err != nil {
				return err
			}
		}
	}
	return g.drain()
}
