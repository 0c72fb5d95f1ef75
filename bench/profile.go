// `bench profile`: where one server's processor time goes in one cell, or for
// handshakes, which system calls it makes for each, and what idle connections keep in its heap.
//
// The processor profile is the server's own (runtime/pprof); system calls are
// counted from outside by perf, in a window of its own, where perf is installed
// and allowed.

package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sort"
	"strconv"
	"strings"
	"time"
)

func profileMain(args []string) error {
	fs := flag.NewFlagSet("profile", flag.ContinueOnError)
	name := fs.String("peer", "serve", "server")
	at := fs.String("cell", "16B-c64-p16", "cell, or handshake")
	window := fs.Duration("time", 10*time.Second, "length of each window")
	out := fs.String("out", filepath.Join("bench", "out"), "directory for the profile")
	idle := fs.Int("idle", 0, "instead: what that many idle connections keep in the heap")
	nodes := fs.Int("nodes", 30, "functions to list")
	if err := fs.Parse(args); err != nil {
		return err
	}
	p, err := peerNamed(*name)
	if err != nil {
		return err
	}
	plan := loadPlan{Mode: "handshake"}
	if *at != plan.Mode {
		where, err := parseCell(*at)
		if err != nil {
			return err
		}
		plan = loadPlan{Mode: "echo", Raw: p.raw, Text: where.text, Conns: where.conns, InFlight: where.inFlight, Size: where.size}
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	dir, err := filepath.Abs(*out)
	if err != nil {
		return err
	}
	c := &config{server: 0, load: 1, window: *window}
	if runtime.NumCPU() < 2 {
		c.server, c.load = -1, -1
	}
	if *idle > 0 {
		file := filepath.Join(dir, p.name+"-idle.pprof")
		if err := c.profileHeap(p, *idle, file); err != nil {
			return err
		}
		return topOf(file, *nodes, "-sample_index", "inuse_space")
	}
	file := filepath.Join(dir, fmt.Sprintf("%s-%s.pprof", p.name, *at))
	if err := c.profileCPU(p, plan, file); err != nil {
		return err
	}
	if err := topOf(file, *nodes); err != nil {
		return err
	}
	return c.countSyscalls(p, plan)
}

// topOf prints the heaviest functions of a profile.
func topOf(file string, nodes int, args ...string) error {
	args = append([]string{"tool", "pprof", "-top", "-nodecount", strconv.Itoa(nodes)}, append(args, file)...)
	list := exec.Command("go", args...)
	list.Stdout, list.Stderr = os.Stdout, os.Stderr
	if err := list.Run(); err != nil {
		return fmt.Errorf("go tool pprof: %w", err)
	}
	return nil
}

// profileHeap opens n connections, echoes once on each, and writes what the
// server's heap holds after a collection.
func (c *config) profileHeap(p peer, n int, file string) error {
	return c.withServer(p, serveOptions{Size: 16, Heap: true}, func(server *child, addr string) error {
		load, err := c.startLoad(loadPlan{Mode: "idle", Addr: addr, Raw: p.raw, Conns: n, InFlight: 1, Size: 16})
		if err != nil {
			return err
		}
		defer load.stop()
		const limit = 2 * time.Minute
		var st serverStats
		var done bool
		if err := errors.Join(load.receive(limit, &ready{}), server.ask("gc", limit, &st), server.ask("heap "+file, limit, &done)); err != nil {
			return err
		}
		fmt.Printf("%s, %d idle connections: heap %.2f, stacks %.2f KiB each, %d goroutines; profile in %s\n", p.name, n,
			float64(st.Heap)/1024/float64(n), float64(st.Stack)/1024/float64(n), st.Goroutines, filepath.Base(file))
		return nil
	})
}

// profileCPU runs one window under the processor profile.
func (c *config) profileCPU(p peer, plan loadPlan, file string) error {
	return c.watched(p, plan, func(server *child) (func() error, error) {
		var started bool
		if err := server.ask("profile "+file, time.Minute, &started); err != nil {
			return nil, err
		}
		return func() error { return server.ask("profile", time.Minute, &started) }, nil
	}, func(r loadResult) {
		fmt.Printf("%s: %.3f µs per message or handshake, %.0f a second under the profile; profile in %s\n",
			p.name, r.CPU*1e6/float64(max(r.Messages, 1)), float64(r.Messages)/r.Seconds, filepath.Base(file))
	})
}

// countSyscalls runs one window under perf and prints calls per message.
func (c *config) countSyscalls(p peer, plan loadPlan) error {
	perf, err := exec.LookPath("perf")
	if err != nil {
		fmt.Println("perf is not installed: no system calls counted")
		return nil
	}
	var counts bytes.Buffer
	return c.watched(p, plan, func(server *child) (func() error, error) {
		cmd := exec.Command(perf, "stat", "-x", ",", "-e", "syscalls:sys_enter_*", "-p", strconv.Itoa(server.pid()))
		cmd.Stderr = &counts
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		time.Sleep(time.Second) // attaching to some 350 tracepoints takes a moment
		return func() error {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				return err
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
				return err // perf exits with the signal's number
			}
			return nil
		}, nil
	}, func(r loadResult) {
		fmt.Println("system calls for each:")
		for _, line := range perMessage(counts.String(), r.AllMessages) {
			fmt.Println("  " + line)
		}
	})
}

// perMessage divides the counts of a `perf stat -x ,` text by n, leaving out
// what is less than one in a thousand.
func perMessage(text string, n uint64) []string {
	type call struct {
		name string
		per  float64
	}
	var calls []call
	rows := csv.NewReader(strings.NewReader(text))
	rows.FieldsPerRecord, rows.Comment, rows.LazyQuotes = -1, '#', true
	for {
		row, err := rows.Read()
		if err != nil {
			break
		}
		if len(row) < 3 {
			continue
		}
		count, err := strconv.ParseFloat(row[0], 64)
		if per := count / float64(max(n, 1)); err == nil && per >= 0.001 {
			calls = append(calls, call{strings.TrimPrefix(row[2], "syscalls:sys_enter_"), per})
		}
	}
	sort.Slice(calls, func(i, j int) bool { return calls[i].per > calls[j].per })
	var out []string
	for _, c := range calls {
		out = append(out, fmt.Sprintf("%-16s %.3f", c.name, c.per))
	}
	if len(out) == 0 {
		out = []string{"none were counted: perf is not allowed to"}
	}
	return out
}

// watched runs one window of the plan; begin is called when the server is warm and
// quiet, what it returns when the window is over, and then tell.
func (c *config) watched(p peer, plan loadPlan, begin func(*child) (func() error, error), tell func(loadResult)) error {
	return c.withServer(p, serveOptions{Size: plan.Size}, func(server *child, addr string) error {
		plan.Addr, plan.PID, plan.Warm, plan.Window = addr, server.pid(), time.Second, c.window
		load, err := c.startLoad(plan)
		if err != nil {
			return err
		}
		defer load.stop()
		limit := time.Minute + c.window
		if err := load.receive(limit, &ready{}); err != nil {
			return err
		}
		end, err := begin(server)
		if err != nil {
			return err
		}
		var r loadResult
		err = load.ask("go", limit, &r)
		if err := errors.Join(err, end()); err != nil {
			return err
		}
		tell(r)
		return nil
	})
}

// profileCommand is the server's side: with a file name it starts the profile,
// without one it ends it.
func profileCommand(file string) any {
	if file == "" {
		pprof.StopCPUProfile()
		return false
	}
	f, err := os.Create(file)
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		return failure{err.Error()}
	}
	return true
}

// heapCommand writes the heap's profile.
func heapCommand(file string) any {
	f, err := os.Create(file)
	if err == nil {
		err = errors.Join(pprof.Lookup("heap").WriteTo(f, 0), f.Close())
	}
	if err != nil {
		return failure{err.Error()}
	}
	return true
}
