// The echo measurement, plain and compressed: throughput, processor time per
// message, latency, allocations per message and resident memory of one server
// in one cell.

package main

import (
	"errors"
	"time"
)

func echoMeasurement() measurement {
	return measurement{
		name:  "echo",
		cells: func(c *config) []cell { return c.cells },
		fits:  func(peer) bool { return true },
		take: func(c *config, p peer, at cell, emit func(string, float64)) error {
			return c.takeEcho(p, at, loadPlan{}, serveOptions{Size: at.size}, emit)
		},
		label: func(_ *config, at cell) string { return at.String() },
	}
}

// takeEcho runs one window and emits its figures.
func (c *config) takeEcho(p peer, at cell, plan loadPlan, o serveOptions, emit func(string, float64)) error {
	return c.withServer(p, o, func(server *child, addr string) error {
		plan.Mode, plan.Addr, plan.PID, plan.Raw = "echo", addr, server.pid(), p.raw
		plan.Conns, plan.InFlight, plan.Size, plan.Text = at.conns, at.inFlight, at.size, plan.Text || at.text
		plan.Warm, plan.Window = c.window/4, c.window
		load, err := c.startLoad(plan)
		if err != nil {
			return err
		}
		defer load.stop()
		limit := 30*time.Second + 2*c.window
		if err := load.receive(limit, &ready{}); err != nil {
			return err
		}
		var first, before, after serverStats
		if err := errors.Join(server.ask("stats", limit, &first), server.ask("stats", limit, &before)); err != nil {
			return err
		}
		var r loadResult
		if err := load.ask("go", limit, &r); err != nil {
			return err
		}
		mem, err := memoryOf(server.pid())
		if err != nil {
			return err
		}
		if err := server.ask("stats", limit, &after); err != nil {
			return err
		}
		// What asking allocates is not the messages' doing.
		before.Mallocs += before.Mallocs - first.Mallocs
		before.Bytes += before.Bytes - first.Bytes
		if r.Messages == 0 {
			return errNothing
		}
		emitEcho(r, before, after, mem, emit)
		return nil
	})
}

// errNothing tells of a window in which no message came back: the machine is
// not free for measuring.
var errNothing = errors.New("not a single message was answered within the window")

// emitEcho turns counters into the figures of the tables.
func emitEcho(r loadResult, before, after serverStats, mem memory, emit func(string, float64)) {
	n := float64(r.Messages)
	all := float64(max(r.AllMessages, 1))
	emit("cpu_us", r.CPU*1e6/n)
	emit("waited", r.Waited)
	emit("msgs_per_s", n/r.Seconds)
	emit("p50_us", float64(r.P50)/1e3)
	emit("p99_us", float64(r.P99)/1e3)
	emit("p999_us", float64(r.P999)/1e3)
	emit("max_us", float64(r.Max)/1e3)
	emit("allocs", max(float64(after.Mallocs)-float64(before.Mallocs), 0)/all)
	emit("alloc_bytes", max(float64(after.Bytes)-float64(before.Bytes), 0)/all)
	emit("rss_mib", mem.RSS/(1<<20))
	emit("server_load", r.CPU/r.Seconds)
	emit("empty_polls", r.EmptyPolls)
	emit("wire_bytes", float64(r.Wire)/n)
}
