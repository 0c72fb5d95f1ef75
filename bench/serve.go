// `bench serve PEER ADDR [OPTIONS]`: one server under test in a process of its
// own, and the commands it obeys on standard input.
//
// Nothing here runs while messages flow: statistics are taken between windows,
// and processor time is read from outside (proc.go). OPTIONS is serveOptions
// as JSON. Started by the plan through startChild, or by hand.

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// serveOptions is what a server is told about the measurement to come. Only
// what a user of the library would know in advance is told.
type serveOptions struct {
	Size      int  // largest payload, for servers whose author chooses a buffer
	Deflate   bool // negotiate permessage-deflate without context takeover
	Takeover  bool // … with context takeover, where the library can
	Broadcast bool // send each message to all connections instead of echoing it
	NoLimit   bool // read limit off (hostile peers)
	Bare      bool // without RequestListener (hostile peers)
	Heap      bool // every allocation is sampled, for the command `heap`
	TLS       bool // over TLS, with a certificate of its own
}

// peer is one library in one of its forms.
type peer struct {
	name    string
	module  string // import path, for the version in the report; "" = standard library
	about   string
	raw     bool // plain TCP: no handshake, no frames
	http    bool // goes through net/http
	ours    bool
	deflate bool // can negotiate compression
	// takeover: can keep the compression context between messages
	takeover  bool
	broadcast bool
	tag       string // it is compiled only with this build tag
	serve     func(net.Listener, serveOptions) error
}

// allPeers is every server that can be named, in the order of the tables.
func allPeers() []peer {
	return append(ourPeers(), append(rawPeers(), foreignPeers()...)...)
}

func foreignPeers() []peer {
	var all []peer
	for _, f := range []func() []peer{gobwasPeers, gwsPeers, coderPeers, gorillaPeers, fasthttpPeers, nbioPeers, xnetPeers} {
		all = append(all, f()...)
	}
	return all
}

func peerNamed(name string) (peer, error) {
	for _, p := range allPeers() {
		if p.name == name {
			return p, nil
		}
	}
	return peer{}, fmt.Errorf("no peer is named %q; see `bench peers`", name)
}

// serverStats is the answer to the commands `stats` and `gc`.
type serverStats struct {
	Mallocs    uint64 `json:"mallocs"`
	Bytes      uint64 `json:"bytes"`
	GCs        uint32 `json:"gcs"`
	Heap       uint64 `json:"heap"`
	Stack      uint64 `json:"stack"`
	Goroutines int    `json:"goroutines"`
}

// listening is the first line a server prints.
type listening struct {
	Addr string `json:"addr"`
}

// serverCommands are the commands that a peer adds to the common ones, before
// it serves.
var serverCommands = map[string]func() any{}

func serveMain(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: bench serve PEER ADDR [OPTIONS as JSON]")
	}
	p, err := peerNamed(args[0])
	if err != nil {
		return err
	}
	if p.serve == nil {
		return fmt.Errorf("%s is not in this binary: build it with -tags %s", p.name, p.tag)
	}
	var o serveOptions
	if len(args) > 2 {
		if err := json.Unmarshal([]byte(args[2]), &o); err != nil {
			return err
		}
	}
	if o.Heap {
		runtime.MemProfileRate = 1
	}
	if _, err := raiseDescriptors(); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", args[1])
	if err != nil {
		return err
	}
	addr := ln.Addr().String()
	if o.TLS {
		if ln, err = withTLS(ln); err != nil {
			return err
		}
	}
	failed := make(chan error, 1)
	go func() { failed <- p.serve(ln, o) }()
	reply(listening{addr})
	go obey(failed)
	return <-failed
}

// obey answers commands until standard input ends.
func obey(done chan<- error) {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch cmd := in.Text(); {
		case cmd == "stats":
			reply(takeStats())
		case cmd == "gc":
			collectGarbage()
			reply(takeStats())
		case cmd == "trim":
			collectGarbage()
			debug.FreeOSMemory()
			reply(takeStats())
		case cmd == "hub":
			reply(hubSize.Load())
		case strings.HasPrefix(cmd, "heap "):
			reply(heapCommand(strings.TrimPrefix(cmd, "heap ")))
		case strings.HasPrefix(cmd, "profile"):
			reply(profileCommand(strings.TrimSpace(strings.TrimPrefix(cmd, "profile"))))
		case serverCommands[cmd] != nil:
			reply(serverCommands[cmd]())
		default:
			reply(failure{"unknown command " + cmd})
		}
	}
	done <- nil
}

// collectGarbage collects until pools are empty (a sync.Pool survives one
// collection) and stacks have been shrunk.
func collectGarbage() {
	for range 3 {
		runtime.GC()
	}
}

func takeStats() serverStats {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return serverStats{
		Mallocs: m.Mallocs, Bytes: m.TotalAlloc, GCs: m.NumGC,
		Heap: m.HeapInuse, Stack: m.StackInuse, Goroutines: runtime.NumGoroutine(),
	}
}

// hub is the set of connections of a broadcast server: a slice replaced at each
// change, so that a broadcast holds no lock while it sends.
type hub[C comparable] struct {
	mu  sync.Mutex
	all atomic.Pointer[[]C]
}

// hubSize counts the connections of the process's hub, for the command `hub`: a
// client knows that its handshake was answered, not that it was added.
var hubSize atomic.Int64

func (h *hub[C]) add(c C) {
	h.mu.Lock()
	defer h.mu.Unlock()
	hubSize.Add(1)
	next := []C{c}
	if now := h.all.Load(); now != nil {
		next = append(next, *now...)
	}
	h.all.Store(&next)
}

func (h *hub[C]) remove(c C) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.all.Load()
	if now == nil {
		return
	}
	hubSize.Add(-1)
	next := slices.DeleteFunc(slices.Clone(*now), func(x C) bool { return x == c })
	h.all.Store(&next)
}

// each calls send for every connection, one after the other: what the obvious
// broadcast loop does. An error is left to that connection's own reader, which
// sees it too and removes the connection.
func (h *hub[C]) each(send func(C) error) {
	if now := h.all.Load(); now != nil {
		for _, c := range *now {
			_ = send(c)
		}
	}
}

// acceptLoop runs handle in a goroutine per connection of ln.
func acceptLoop(ln net.Listener, handle func(net.Conn)) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go handle(c)
	}
}

// readHeaderTimeout bounds the handshake of the net/http servers here, as any
// deployed server would.
const readHeaderTimeout = 10 * time.Second
