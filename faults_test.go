package websocket_test

// A stream that goes wrong at its n-th operation, for every n of the sessions of
// faults_scripts_test.go, on both sides. What must hold each time: the session ends
// in time, its error tells what happened, the error stays, and nothing is left: no
// goroutine (a bubble of testing/synctest does not end before its goroutines), no
// timer, no buffer, nothing that keeps the connection in memory.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
)

// bubble runs fn in a bubble; a deadlock in it is reported with name.
func bubble(t *testing.T, name string, fn func(t *testing.T)) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			panic(fmt.Sprintf("%s: %v", name, p))
		}
	}()
	synctest.Test(t, fn)
}

type faultKind int

const (
	faultNone     faultKind = iota
	faultReset              // the stream breaks off for both sides
	faultEOF                // the peer is gone: reads end, writes find no reader
	faultStall              // nothing crosses any more, in either direction
	faultShort              // from now on a read returns one byte
	faultPartial            // from now on a write takes one half and says so without an error
	faultShortErr           // a write takes one half and fails
	faultZero               // writes take nothing and return no error
	faultDeadline           // a deadline that nobody set
)

var faultNames = [...]string{"none", "reset", "EOF", "stall", "short read", "short write", "failed short write", "empty write", "deadline"}

// harmless tells whether a session succeeds in spite of k, first met by a write or
// a read.
func (k faultKind) harmless(inWrite bool) bool {
	switch k {
	case faultNone, faultShort, faultPartial:
		return true
	case faultDeadline:
		return !inWrite
	}
	return false
}

// causes returns what the session's error can be about because of k.
func (k faultKind) causes() []error {
	switch k {
	case faultReset:
		return []error{syscall.ECONNRESET}
	case faultEOF:
		return []error{io.ErrUnexpectedEOF, syscall.EPIPE}
	case faultStall:
		return []error{os.ErrDeadlineExceeded, websocket.ErrPeerTimeout, websocket.ErrCloseTimeout}
	case faultShortErr:
		return []error{io.ErrShortWrite, io.ErrUnexpectedEOF} // what the writer sees, and then the reader
	case faultZero:
		return []error{io.ErrNoProgress, io.ErrUnexpectedEOF}
	case faultDeadline:
		return []error{os.ErrDeadlineExceeded}
	}
	return nil
}

// farCauses is causes for the other end, which may also see the near end hang up,
// or wait for what the near end cannot send.
func (k faultKind) farCauses() []error {
	ended := []error{io.ErrUnexpectedEOF, syscall.EPIPE}
	switch k {
	case faultReset:
		return append(ended, syscall.ECONNRESET)
	case faultEOF:
		return append(ended, net.ErrClosed) // it is its stream that is taken away
	case faultStall:
		ended = append(ended, os.ErrDeadlineExceeded)
	}
	return append(ended, websocket.ErrPeerTimeout, websocket.ErrCloseTimeout)
}

// maxShort is how many reads are cut to one byte: enough for several messages, and
// few enough for large ones.
const maxShort = 1000

// A faulty is a stream that does kind at operation at, reads and writes counted
// together from 1.
type faulty struct {
	*wstest.FaultConn
	peer net.Conn
	kind faultKind
	at   int

	mu    sync.Mutex
	tally tally
}

// A tally is what a faulty has met.
type tally struct {
	ops    int
	struck int  // so many of them were wrong
	write  bool // the first was a write
}

func newFaulty(c, peer net.Conn, kind faultKind, at int) *faulty {
	return &faulty{FaultConn: wstest.WithFaults(c, wstest.Faults{}), peer: peer, kind: kind, at: at}
}

// met returns the tally so far.
func (f *faulty) met() tally {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tally
}

// begin counts an operation and returns the fault it meets. A fault of writes
// waits for a write.
func (f *faulty) begin(write bool) faultKind {
	f.mu.Lock()
	f.tally.ops++
	k := f.kind
	switch {
	case k == faultNone, f.tally.ops < f.at:
		k = faultNone
	case (k == faultZero || k == faultPartial || k == faultShortErr) && !write:
		k = faultNone
	case k == faultShort && (write || f.tally.struck == maxShort):
		k = faultNone
	case (k == faultDeadline || k == faultShortErr) && f.tally.struck > 0:
		k = faultNone
	}
	first := k != faultNone && f.tally.struck == 0
	if first {
		f.tally.write = write
	}
	if k != faultNone {
		f.tally.struck++
	}
	f.mu.Unlock()
	if first {
		f.breakOff(k)
	}
	return k
}

func (f *faulty) breakOff(k faultKind) {
	switch k {
	case faultReset:
		f.Reset()
	case faultEOF:
		f.peer.Close()
	case faultStall:
		f.Stall()
	}
}

func (f *faulty) Read(p []byte) (int, error) {
	switch f.begin(false) {
	case faultDeadline:
		return 0, os.ErrDeadlineExceeded
	case faultReset:
		return 0, &net.OpError{Op: "read", Net: "test", Err: syscall.ECONNRESET}
	case faultShort:
		p = p[:min(len(p), 1)]
	}
	return f.FaultConn.Read(p)
}

func (f *faulty) Write(p []byte) (int, error) {
	half := (len(p) + 1) / 2
	switch f.begin(true) {
	case faultZero:
		return 0, nil
	case faultDeadline:
		return 0, os.ErrDeadlineExceeded
	case faultReset:
		return 0, &net.OpError{Op: "write", Net: "test", Err: syscall.ECONNRESET}
	case faultPartial:
		return f.FaultConn.Write(p[:half])
	case faultShortErr:
		n, err := f.FaultConn.Write(p[:half])
		return n, errors.Join(err, io.ErrShortWrite)
	}
	return f.FaultConn.Write(p)
}

// faultLimit is when a session has to be over: silence is noticed after four
// seconds, a stuck write after two, and closing takes one.
const faultLimit = 8 * time.Second

// A session is a script with what it is played on.
type session struct {
	*script
	role websocket.Role // of the near end
	kind faultKind
	at   int
	f    *faulty
	refs [2]weak.Pointer[conn] // to both ends, when it is over
}

func (s *session) String() string { return fmt.Sprintf("%s at operation %d", faultNames[s.kind], s.at) }

// run plays the session in a bubble, and judges it.
func (s *session) run(t *testing.T) {
	bubble(t, s.String(), s.play)
}

func (s *session) play(t *testing.T) {
	begun := time.Now()
	near, far := s.open(t)
	farDone := make(chan error, 1)
	go func() { farDone <- s.far(context.Background(), far) }()
	nearErr := s.near(context.Background(), near)
	near.CloseNow()
	farErr := <-farDone
	far.CloseNow()
	near.Close(websocket.StatusNormalClosure, "")
	far.Close(websocket.StatusNormalClosure, "")
	require.LessOrEqual(t, time.Since(begun), faultLimit, s)
	synctest.Wait()
	if met := s.f.met(); met.struck == 0 || s.kind.harmless(met.write) {
		require.NoError(t, nearErr, s)
		require.NoError(t, farErr, s)
	} else {
		s.requireCause(t, "near", nearErr, s.kind.causes())
		s.requireCause(t, "far", farErr, s.kind.farCauses())
	}
	for i, c := range []*conn{near, far} {
		requireSticky(t, c, s)
		require.Empty(t, websocket.LeftOver(c), s)
		s.refs[i] = weak.Make(c)
	}
}

// requireForgotten wants nothing to hold the connections of sessions, whose bubbles
// have ended.
func requireForgotten(t *testing.T, sessions []session) {
	t.Helper()
	runtime.GC()
	for i := range sessions {
		for _, ref := range sessions[i].refs {
			require.True(t, ref.Value() == nil, "%s: something still holds the connection", &sessions[i])
		}
	}
}

// open returns the two ends, the near one on the stream with the fault.
func (s *session) open(t *testing.T) (near, far *conn) {
	opts := websocket.Options{
		ReadLimit: 200 << 10, WriteTimeout: 2 * time.Second, CloseTimeout: time.Second,
		KeepaliveInterval: 3 * time.Second, KeepaliveTimeout: time.Second,
	}
	var hs websocket.Handshake
	if s.compress {
		opts.Compression = &websocket.Compression{}
		hs.Extensions = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	}
	ours, theirs := wstest.NetPipe(16 << 10)
	s.f = newFaulty(ours, theirs, s.kind, s.at)
	hs.Role = s.role
	near, err := websocket.NewConn(s.f, hs, &opts)
	require.NoError(t, err)
	hs.Role = websocket.RoleServer + websocket.RoleClient - s.role
	far, err = websocket.NewConn(theirs, hs, &opts)
	require.NoError(t, err)
	return near, far
}

// requireCause wants err, if it is one, to be about one of the things that the
// fault does.
func (s *session) requireCause(t *testing.T, end string, err error, causes []error) {
	t.Helper()
	for _, cause := range causes {
		if err == nil || errors.Is(err, cause) {
			return
		}
	}
	require.Fail(t, "wrong error", "%s: %s end: %v", s, end, err)
}

// requireSticky wants one error for ever.
func requireSticky(t *testing.T, c *conn, name any) {
	t.Helper()
	_, _, first := c.Read(context.Background())
	require.Error(t, first, name)
	for range 2 {
		_, _, again := c.Next(context.Background())
		require.Equal(t, first, again, name)
		require.Equal(t, first, c.Write(context.Background(), websocket.Text, nil), name)
	}
	require.Error(t, c.Ping(context.Background()), name)
}

// faults plays a script with every fault at every operation.
func faults(t *testing.T, script *script, role websocket.Role) (runs int) {
	whole := session{script: script, role: role}
	whole.run(t)
	ops := whole.f.met().ops
	require.True(t, ops > 0 || script.name == "hang up")
	var all []session
	for kind := faultReset; kind <= faultDeadline; kind++ {
		for at := 1; at <= ops; at++ {
			all = append(all, session{script: script, role: role, kind: kind, at: at})
			all[len(all)-1].run(t)
		}
	}
	requireForgotten(t, all)
	return len(all)
}

func TestFaults(t *testing.T) {
	require.GreaterOrEqual(t, len(scripts), 20)
	runs := 0
	for i := range scripts {
		for role, name := range map[websocket.Role]string{websocket.RoleServer: "server", websocket.RoleClient: "client"} {
			t.Run(name+"/"+scripts[i].name, func(t *testing.T) {
				runs += faults(t, &scripts[i], role)
			})
		}
	}
	t.Logf("%d sessions", runs)
}
