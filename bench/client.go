// The client role: one library's clients in a process of their own (`bench
// client LIB PLAN`) against the reference server of reference.go.
//
// Each connection sends InFlight messages, reads as many echoes, checks them,
// and begins again. The figure is the client process's processor time.

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

func clientCells(*config) []cell {
	return []cell{
		{size: 16, conns: 64, inFlight: 1}, {size: 16, conns: 64, inFlight: 16},
		{size: 1 << 10, conns: 64, inFlight: 1}, {size: 64 << 10, conns: 16, inFlight: 1},
	}
}

// clientMeasurement goes over client libraries: a peer is measured if there is
// a client of its name.
func clientMeasurement() measurement {
	return measurement{
		name:  "client",
		cells: clientCells,
		fits:  func(p peer) bool { return clientNamed(p.name) != nil },
		label: func(_ *config, at cell) string { return at.String() },
		take:  takeClient,
	}
}

func takeClient(c *config, p peer, at cell, emit func(string, float64)) error {
	plan := loadPlan{Mode: "reference", Conns: at.conns, InFlight: at.inFlight, Size: at.size, Text: at.text,
		Warm: c.window / 4, Window: c.window}
	server, err := c.startLoad(plan)
	if err != nil {
		return err
	}
	defer server.stop()
	var l listening
	if err := server.receive(10*time.Second, &l); err != nil {
		return err
	}
	plan.Addr = l.Addr
	arg, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	client, err := startChild(c.server, "client", p.name, string(arg))
	if err != nil {
		return err
	}
	defer client.stop()
	limit := 30*time.Second + 2*c.window
	if err := client.receive(limit, &ready{}); err != nil {
		return err
	}
	var before, after serverStats
	if err := client.ask("stats", limit, &before); err != nil {
		return err
	}
	var r loadResult
	if err := client.ask("go", limit, &r); err != nil {
		return err
	}
	if err := client.ask("stats", limit, &after); err != nil {
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
	emit("allocs", float64(after.Mallocs-before.Mallocs)/n)
	return nil
}

// clientMain is the process under test.
func clientMain(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: bench client LIB PLAN as JSON")
	}
	lib := clientNamed(args[0])
	if lib == nil {
		return fmt.Errorf("no client is named %q", args[0])
	}
	var p loadPlan
	if err := json.Unmarshal([]byte(args[1]), &p); err != nil {
		return err
	}
	f, err := newFleet(p, lib)
	if err != nil {
		reply(failure{err.Error()})
		return nil
	}
	if _, err := f.run(p.Warm); err != nil {
		reply(failure{err.Error()})
		return nil
	}
	reply(ready{true})
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if in.Text() == "stats" {
			reply(takeStats())
			continue
		}
		r, err := f.run(p.Window)
		if err != nil {
			reply(failure{err.Error()})
			return nil
		}
		reply(r)
	}
	return nil
}

// fleet is all connections of a client process.
type fleet struct {
	plan    loadPlan
	s       *stream
	drivers []*driver
	stop    atomic.Bool
	paused  sync.WaitGroup
	failed  chan error
}

// driver feeds one connection with messages and checks what comes back. Its
// methods are called by the goroutine that reads the connection.
type driver struct {
	f        *fleet
	at       int // ring index of the next echo, and of the next message at the start of a turn
	pending  int // echoes still to come in this turn
	begun    time.Time
	lat      hist
	done     uint64
	resume   chan struct{}
	inFlight int
}

func newFleet(p loadPlan, lib *clientLib) (*fleet, error) {
	s, err := newStream(p)
	if err != nil {
		return nil, err
	}
	f := &fleet{plan: p, s: s, failed: make(chan error, p.Conns)}
	f.paused.Add(p.Conns)
	for range p.Conns {
		d := &driver{f: f, resume: make(chan struct{}), inFlight: p.InFlight}
		f.drivers = append(f.drivers, d)
		run, err := lib.dial(p.Addr, d)
		if err != nil {
			return nil, err
		}
		go func() { f.failed <- run() }()
	}
	return f, nil
}

// run lets all connections work for d and waits until they have paused.
func (f *fleet) run(d time.Duration) (loadResult, error) {
	if err := f.wait(); err != nil { // until all are ready
		return loadResult{}, err
	}
	f.stop.Store(false)
	f.paused.Add(len(f.drivers))
	r, err := timed(os.Getpid(), func() error {
		for _, d := range f.drivers {
			d.done = 0
			d.lat.reset()
			d.resume <- struct{}{}
		}
		time.Sleep(d)
		f.stop.Store(true)
		return f.wait()
	})
	var all hist
	for _, d := range f.drivers {
		r.Messages += d.done
		all.add(&d.lat)
	}
	r.latencies(&all)
	return r, err
}

// wait returns when all connections have paused, or one has failed.
func (f *fleet) wait() error {
	quiet := make(chan struct{})
	go func() { f.paused.Wait(); close(quiet) }()
	select {
	case <-quiet:
		return nil
	case err := <-f.failed:
		return fmt.Errorf("a client ended: %w", err)
	case <-time.After(30 * time.Second):
		return errors.New("the clients did not come to rest")
	}
}

// turn sends the next InFlight messages through write, pausing first if the
// window has ended. Connections call it once when they are ready.
func (d *driver) turn(write func(p []byte) error) error {
	if d.f.stop.Load() || d.begun.IsZero() {
		d.f.paused.Done()
		<-d.resume
	}
	d.begun = time.Now()
	d.pending = d.inFlight
	for i := range d.inFlight {
		if err := write(d.f.s.payload[(d.at+i)%len(d.f.s.payload)]); err != nil {
			return err
		}
	}
	return nil
}

// got checks one echo and, when all of a turn have come, takes the next turn.
func (d *driver) got(p []byte, write func(p []byte) error) error {
	if !bytes.Equal(p, d.f.s.payload[d.at]) {
		return errDiffers
	}
	if d.at++; d.at == len(d.f.s.payload) {
		d.at = 0
	}
	d.lat.record(int64(time.Since(d.begun)))
	d.done++
	if d.pending--; d.pending > 0 {
		return nil
	}
	return d.turn(write)
}
