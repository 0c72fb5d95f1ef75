package websocket_test

// Two connections in memory and many who use them at once, with everything chosen
// at random from one number: who reads, writes, pings, closes and gives up, when,
// how the streams cut, hold back and lose what crosses. What must hold for every
// number is in judge. Time is that of a bubble of testing/synctest, so a schedule
// takes a fraction of a millisecond.
//
//	go test -run TestSimulation -sim.schedules 1000000
//	go test -run TestSimulation -sim.seed 4711 -v
//
// The second plays one schedule again, and if it fails tells what the calls
// returned; a hundred times, for who goes first of those that wake at the same
// moment is the runtime's to choose.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed9f1f0156/websocket"
)

var (
	simSchedules = flag.Int("sim.schedules", simDefault(), "how many schedules TestSimulation plays")
	simSeed      = flag.Uint64("sim.seed", 0, "the one that it plays, again and again, if not 0")
)

const (
	simWriteTimeout = 3 * time.Second
	simCloseTimeout = 2 * time.Second
	// simLimit is how long a schedule can take: it is closed after 150 ms at most,
	// and then a write may be stuck, and the closing handshake.
	simLimit = 150*time.Millisecond + simWriteTimeout + simCloseTimeout + 2*time.Second
	simAgain = 100
)

func simDefault() int {
	if websocket.RaceDetector {
		return 500
	}
	return 3000
}

// sim is one schedule.
type sim struct {
	seed   uint64
	rnd    *rand.Rand // for what is settled before anything runs
	size   int        // of the largest messages
	idle   bool       // ReadIdleTimeout is set
	ends   [2]*simEnd
	timers []*time.Timer
	begun  time.Time

	rough atomic.Bool // something else than Close may have ended the connection

	mu      sync.Mutex
	failure error
	trace   []string // what happened, if it is wanted
	traced  bool
}

// source returns a new source of choices, so that nobody's depend on who else
// chooses meanwhile.
func (s *sim) source() *rand.Rand { return rand.New(rand.NewPCG(s.seed, s.rnd.Uint64())) }

func (s *sim) fail(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.failure = fmt.Errorf(format, args...)
	}
}

func (s *sim) note(format string, args ...any) {
	if !s.traced {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, fmt.Sprintf("%9v ", time.Since(s.begun))+fmt.Sprintf(format, args...))
}

// open makes the two ends.
func (s *sim) open() error {
	r := s.rnd
	wires, rough := s.wires()
	s.rough.Store(rough)
	opts := websocket.Options{
		WriteTimeout: simWriteTimeout, CloseTimeout: simCloseTimeout, KeepaliveInterval: -1,
		Batch: r.IntN(4) == 0,
	}
	if r.IntN(3) == 0 {
		opts.KeepaliveInterval, opts.KeepaliveTimeout = 20*time.Millisecond, time.Second
	}
	if s.idle = r.IntN(8) == 0; s.idle {
		opts.ReadIdleTimeout = 5 * time.Millisecond
	}
	extensions := ""
	if r.IntN(4) == 0 {
		opts.Compression = &websocket.Compression{SendTakeover: true, ReceiveTakeover: true}
		extensions = []string{
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
			"permessage-deflate; server_max_window_bits=10; client_max_window_bits=9",
		}[r.IntN(2)]
	}
	for role, name := range []string{websocket.RoleServer: "server", websocket.RoleClient: "client"} {
		c, err := websocket.NewConn(wires[role], websocket.Handshake{Role: websocket.Role(role), Extensions: extensions}, &opts)
		if err != nil {
			return err
		}
		s.ends[role] = &simEnd{sim: s, name: name, c: c, wire: wires[role]}
	}
	return nil
}

// play plays the schedule.
func (s *sim) play() error {
	s.begun = time.Now()
	if err := s.open(); err != nil {
		return err
	}
	var all sync.WaitGroup
	for _, e := range s.ends {
		e.start(&all)
	}
	<-time.After(time.Duration(s.rnd.IntN(150_000)) * time.Microsecond)
	for _, e := range s.ends {
		if s.rnd.IntN(2) == 0 {
			all.Go(func() { e.closeWith(websocket.StatusNormalClosure, "the end") })
		} else {
			e.closeWith(websocket.StatusNormalClosure, "the end")
		}
	}
	all.Wait()
	took := time.Since(s.begun)
	for _, timer := range s.timers {
		timer.Stop()
	}
	<-time.After(time.Second) // a stream may pause a little after it was closed
	synctest.Wait()
	if took > simLimit {
		s.fail("it took %v", took)
	}
	for i, e := range s.ends {
		s.judge(e, s.ends[1-i])
		s.note("%s: wrote %d bytes, %d close frames", e.name, e.wire.written, e.wire.frames.closes)
	}
	return s.failure
}

// judge holds what e saw against what its peer did.
func (s *sim) judge(e, peer *simEnd) {
	last := e.sticky()
	if left := websocket.LeftOver(e.c); left != nil {
		s.fail("%s: left over: %q", e.name, left)
	}
	f := &e.wire.frames
	if f.err != nil || f.closes > 1 {
		s.fail("%s: %d close frames, %v", e.name, f.closes, f.err)
	}
	s.judgeEnd(e, last)
	// The peer's close frame has come before anything else ended the connection:
	// so everything before it has come too.
	var ce *websocket.CloseError
	all := e.complete && errors.As(last, &ce) && ce.Remote && ce.Code != websocket.StatusAbnormalClosure
	for id, sent := range peer.sent {
		s.judgeMessages(e, id, sent, all)
	}
}

// judgeEnd looks at how the connection ended: only by close frames, unless there
// was a reason.
func (s *sim) judgeEnd(e *simEnd, last error) {
	var ce *websocket.CloseError
	if !errors.As(last, &ce) {
		s.fail("%s: ended with %v", e.name, last)
		return
	}
	if s.rough.Load() || e.wire.broke.Load() {
		return
	}
	if ce.Code == websocket.StatusAbnormalClosure {
		s.fail("%s: ended with %v", e.name, last)
	}
	if err := e.unclean.Load(); err != nil {
		s.fail("%s: Close returned %v", e.name, *err)
	}
}

// judgeMessages looks at what e has got of the messages of one writer: in order,
// none twice, none that was given up, and none missing between them, nor, if all
// must have come, behind.
func (s *sim) judgeMessages(e *simEnd, id int, sent []error, all bool) {
	next := 0
	for _, seq := range append(e.got[id], len(sent)) {
		switch {
		case seq < next:
			s.fail("%s: message %d of writer %d came after message %d", e.name, seq, id, next-1)
			return
		case seq > len(sent):
			s.fail("%s: message %d of writer %d came, of %d", e.name, seq, id, len(sent))
			return
		case seq < len(sent) && given(sent[seq]):
			s.fail("%s: message %d of writer %d came although Write returned %v", e.name, seq, id, sent[seq])
		}
		for ; next < seq; next++ {
			if sent[next] == nil && e.complete && (all || seq < len(sent)) {
				s.fail("%s: message %d of writer %d did not come", e.name, next, id)
			}
		}
		next = seq + 1
	}
}

// given tells whether err says that a write was given up without a trace.
func given(err error) bool {
	var ce *websocket.CloseError
	return err != nil && !errors.As(err, &ce)
}

// sticky returns the permanent error of e, which every call has to return.
func (e *simEnd) sticky() error {
	_, _, last := e.c.Read(context.Background())
	for range 2 {
		_, _, again := e.c.Next(context.Background())
		if wrote := e.c.Write(context.Background(), websocket.Text, nil); last == nil || again != last || wrote != last {
			e.fail("%s: the connection's error is %v, then %v, then %v", e.name, last, again, wrote)
		}
	}
	if e.readErr != nil && e.readErr != last {
		e.fail("%s: the reader's error is %v, the connection's %v", e.name, e.readErr, last)
	}
	return last
}

// simulate plays schedule seed in a bubble of its own.
func simulate(t *testing.T, seed uint64, traced bool) {
	again := fmt.Sprintf("schedule %d; play it again with -sim.seed %[1]d -v", seed)
	bubble(t, again, func(t *testing.T) {
		s := &sim{seed: seed, rnd: rand.New(rand.NewPCG(seed, 0)), traced: traced}
		if err := s.play(); err != nil {
			t.Fatalf("%v\n%s\n%s", err, again, strings.Join(s.trace, "\n"))
		}
	})
}

func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		for range simAgain {
			simulate(t, *simSeed, true)
		}
		return
	}
	begun := time.Now()
	for seed := range uint64(*simSchedules) {
		simulate(t, seed+1, false)
	}
	t.Logf("%d schedules in %v", *simSchedules, time.Since(begun))
}
