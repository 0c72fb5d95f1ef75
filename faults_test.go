package websocket_test

// A stream that goes wrong at its n-th operation, for every n of scripted
// sessions, on both sides. What must hold each time: the session ends in time, its
// error tells what happened, the error stays, and nothing is left running: a
// bubble of testing/synctest does not end before its goroutines.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

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

// harmless tells whether a session succeeds in spite of k at a read or a write.
func (k faultKind) harmless(inWrite bool) bool {
	switch k {
	case faultNone, faultShort, faultPartial:
		return true
	case faultDeadline:
		return !inWrite
	}
	return false
}

// cause returns what the session's error has to be because of k.
func (k faultKind) causes() []error {
	switch k {
	case faultReset:
		return []error{syscall.ECONNRESET}
	case faultEOF:
		return []error{io.ErrUnexpectedEOF, syscall.EPIPE}
	case faultStall:
		return []error{os.ErrDeadlineExceeded, websocket.ErrPeerTimeout}
	case faultShortErr:
		return []error{io.ErrShortWrite, io.ErrUnexpectedEOF} // what the writer sees, and then the reader
	case faultZero:
		return []error{io.ErrNoProgress, io.ErrUnexpectedEOF}
	case faultDeadline:
		return []error{os.ErrDeadlineExceeded}
	}
	return nil
}

// A faulty is a stream that does kind at operation at, reads and writes counted
// together from 1.
type faulty struct {
	net.Conn
	peer net.Conn
	kind faultKind
	at   int

	mu            sync.Mutex
	ops           int
	struck, write bool // the fault was met, first by a write
	stall         *wstest.FaultConn
}

func newFaulty(c, peer net.Conn, kind faultKind, at int) *faulty {
	f := &faulty{peer: peer, kind: kind, at: at, stall: wstest.WithFaults(c, wstest.Faults{})}
	f.Conn = f.stall
	return f
}

// begin counts an operation and tells which fault it meets. One that needs a
// write waits for the next.
func (f *faulty) begin(write bool) (k faultKind, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ops++
	if f.kind == faultNone || f.ops < f.at {
		return faultNone, false
	}
	needsWrite := f.kind == faultZero || f.kind == faultPartial || f.kind == faultShortErr
	if needsWrite && !write || f.kind == faultShort && write {
		return faultNone, false
	}
	first = !f.struck
	if first {
		f.struck, f.write = true, write
	}
	once := f.kind == faultDeadline || f.kind == faultShortErr
	if once && !first {
		return faultNone, false
	}
	return f.kind, first
}

func (f *faulty) breakOff(k faultKind, first bool) {
	switch {
	case !first:
	case k == faultReset:
		f.stall.Reset()
	case k == faultEOF:
		f.peer.Close()
	case k == faultStall:
		f.stall.Stall()
	}
}

func (f *faulty) Read(p []byte) (int, error) {
	k, first := f.begin(false)
	f.breakOff(k, first)
	switch k {
	case faultDeadline:
		return 0, os.ErrDeadlineExceeded
	case faultReset:
		return 0, &net.OpError{Op: "read", Net: "test", Err: syscall.ECONNRESET}
	case faultShort:
		p = p[:min(len(p), 1)]
	}
	return f.Conn.Read(p)
}

func (f *faulty) Write(p []byte) (int, error) {
	k, first := f.begin(true)
	f.breakOff(k, first)
	half := (len(p) + 1) / 2
	switch k {
	case faultZero:
		return 0, nil
	case faultDeadline:
		return 0, os.ErrDeadlineExceeded
	case faultReset:
		return 0, &net.OpError{Op: "write", Net: "test", Err: syscall.ECONNRESET}
	case faultPartial:
		return f.Conn.Write(p[:half])
	case faultShortErr:
		n, err := f.Conn.Write(p[:half])
		return n, errors.Join(err, io.ErrShortWrite)
	}
	return f.Conn.Write(p)
}

func (f *faulty) CloseWrite() error { return f.stall.CloseWrite() }

// A script is a session: what the side with the fault does, and what the other
// does meanwhile. Each returns nil if all went as it should.
type script struct {
	name      string
	near, far func(ctx context.Context, c *websocket.Conn) error
	compress  bool
}

type conn = websocket.Conn

func sends(sizes ...int) func(context.Context, *conn) error {
	return func(ctx context.Context, c *conn) error {
		for _, n := range sizes {
			if err := c.Write(ctx, websocket.Text, []byte(strings.Repeat("abcdefg ", n/8+1)[:n])); err != nil {
				return err
			}
		}
		return c.Close(websocket.StatusNormalClosure, "")
	}
}

// reads reads to the normal end and wants n messages.
func reads(n int) func(context.Context, *conn) error {
	return func(ctx context.Context, c *conn) error {
		left := n
		return ends(c.Serve(ctx, func(websocket.Opcode, []byte) error { left--; return nil }), &left)
	}
}

func ends(err error, left *int) error {
	if err == nil && *left != 0 {
		return fmt.Errorf("%d messages missing", *left)
	}
	return err
}

func echoes(ctx context.Context, c *conn) error {
	return c.Serve(ctx, func(op websocket.Opcode, p []byte) error { return c.Write(ctx, op, p) })
}

func asks(sizes ...int) func(context.Context, *conn) error {
	return func(ctx context.Context, c *conn) error {
		for _, n := range sizes {
			if err := c.Write(ctx, websocket.Binary, make([]byte, n)); err != nil {
				return err
			}
			if _, p, err := c.Read(ctx); err != nil {
				return err
			} else if len(p) != n {
				return fmt.Errorf("%d bytes for %d", len(p), n)
			}
		}
		return c.Close(websocket.StatusNormalClosure, "")
	}
}

func pingsThenCloses(ctx context.Context, c *conn) error {
	reading := c.CloseRead(context.Background())
	for range 3 {
		if err := c.Ping(ctx); err != nil {
			return err
		}
	}
	err := c.Close(websocket.StatusGoingAway, "")
	<-reading.Done()
	return err
}

func closes(_ context.Context, c *conn) error { return c.Close(websocket.StatusNormalClosure, "bye") }

func hangsUp(_ context.Context, c *conn) error { return c.CloseNow() }

func isLost(ctx context.Context, c *conn) error {
	_, _, err := c.Read(ctx)
	if e := new(websocket.CloseError); errors.As(err, &e) && errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

func streams(ctx context.Context, c *conn) error {
	w, err := c.Writer(ctx, websocket.Text)
	if err != nil {
		return err
	}
	for range 5 {
		if _, err := io.WriteString(w, strings.Repeat("x", 3000)); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Close(websocket.StatusNormalClosure, "")
}

func readsStream(ctx context.Context, c *conn) error {
	_, r, err := c.Reader(ctx)
	if err != nil {
		return err
	}
	if p, err := io.ReadAll(r); err != nil {
		return err
	} else if len(p) != 15000 {
		return fmt.Errorf("%d bytes", len(p))
	}
	return reads(0)(ctx, c)
}

func writesOnly(ctx context.Context, c *conn) error {
	c.CloseRead(ctx)
	return sends(10, 20)(ctx, c)
}

// crosses writes while it reads.
func crosses(ctx context.Context, c *conn) error {
	wrote := make(chan error, 1)
	go func() {
		var err error
		for range 3 {
			err = errors.Join(err, c.Write(ctx, websocket.Binary, make([]byte, 5000)))
		}
		wrote <- err
	}()
	var err error
	for range 3 {
		if _, _, err = c.Read(ctx); err != nil {
			break
		}
	}
	if err := errors.Join(err, <-wrote); err != nil {
		return err
	}
	return c.Close(websocket.StatusNormalClosure, "")
}

// retries reads under contexts that end early.
func retries(ctx context.Context, c *conn) error {
	for {
		short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		_, _, err := c.Next(short)
		cancel()
		switch e := new(websocket.CloseError); {
		case err == nil, err == context.DeadlineExceeded && ctx.Err() == nil:
		case errors.As(err, &e) && e.Code == websocket.StatusNormalClosure:
			return nil
		default:
			return err
		}
	}
}

func sendsSlowly(ctx context.Context, c *conn) error {
	for range 3 {
		<-time.After(25 * time.Millisecond)
		if err := c.Write(ctx, websocket.Text, []byte("slow")); err != nil {
			return err
		}
	}
	return c.Close(websocket.StatusNormalClosure, "")
}

func seesTooBig(ctx context.Context, c *conn) error {
	_, _, err := c.Read(ctx)
	if e := new(websocket.MessageTooBigError); errors.As(err, &e) {
		return nil
	}
	return err
}

func isTooBig(ctx context.Context, c *conn) error {
	err := c.Write(ctx, websocket.Binary, make([]byte, 300<<10))
	if err == nil {
		_, _, err = c.Read(ctx)
	}
	if e := new(websocket.CloseError); errors.As(err, &e) && e.Code == websocket.StatusMessageTooBig {
		return nil
	}
	return err
}

var scripts = []script{
	{"send one", sends(5), reads(1), false},
	{"receive one", reads(1), sends(5), false},
	{"send many", sends(0, 1, 125, 126, 5000), reads(5), false},
	{"receive many", reads(5), sends(0, 1, 125, 126, 5000), false},
	{"send large", sends(100 << 10), reads(1), false},
	{"receive large", reads(1), sends(100 << 10), false},
	{"ask", asks(1, 200, 70000), echoes, false},
	{"answer", echoes, asks(1, 200, 70000), false},
	{"ping", pingsThenCloses, reads(0), false},
	{"be pinged", reads(0), pingsThenCloses, false},
	{"ping each other", pingsThenCloses, pingsBack, false},
	{"stream out", streams, readsStream, false},
	{"stream in", readsStream, streams, false},
	{"close", closes, reads(0), false},
	{"be closed", reads(0), closes, false},
	{"both close", closes, closes, false},
	{"hang up", hangsUp, isLost, false},
	{"be hung up on", isLost, hangsUp, false},
	{"write only", writesOnly, reads(2), false},
	{"cross", crosses, crosses, false},
	{"read again and again", retries, sendsSlowly, false},
	{"write slowly", sendsSlowly, retries, false},
	{"receive too much", seesTooBig, isTooBig, false},
	{"send compressed", sends(400, 400, 9000), reads(3), true},
	{"receive compressed", reads(3), sends(400, 400, 9000), true},
	{"ask compressed", asks(300, 3000), echoes, true},
}

// pingsBack pings until it is closed.
func pingsBack(ctx context.Context, c *conn) error {
	reading := c.CloseRead(ctx)
	for c.Ping(ctx) == nil {
		<-time.After(time.Millisecond)
	}
	<-reading.Done()
	if e := new(websocket.CloseError); errors.As(context.Cause(reading), &e) && e.Code == websocket.StatusGoingAway {
		return nil
	}
	return context.Cause(reading)
}

// faultLimit is when a session has to be over: silence is noticed after four
// seconds, a stuck write after two, and closing takes one.
const faultLimit = 8 * time.Second

// run plays s with fault kind at operation at and returns how many there were.
func (s *script) run(t *testing.T, role websocket.Role, kind faultKind, at int) (ops int) {
	name := fmt.Sprintf("%s at operation %d", faultNames[kind], at)
	bubble(t, name, func(t *testing.T) {
		begun := time.Now()
		opts := websocket.Options{
			ReadLimit: 200 << 10, WriteTimeout: 2 * time.Second, CloseTimeout: time.Second,
			KeepaliveInterval: 3 * time.Second, KeepaliveTimeout: time.Second,
		}
		if s.compress {
			opts.Compression = &websocket.Compression{}
		}
		var f *faulty
		near, far := s.pipe(role, &opts, func(c, peer net.Conn) net.Conn {
			f = newFaulty(c, peer, kind, at)
			return f
		})
		farDone := make(chan error, 1)
		go func() { farDone <- s.far(context.Background(), far) }()
		nearErr := s.near(context.Background(), near)
		near.CloseNow()
		farErr := <-farDone
		far.CloseNow()
		near.Close(websocket.StatusNormalClosure, "")
		far.Close(websocket.StatusNormalClosure, "")
		require.LessOrEqual(t, time.Since(begun), faultLimit, name)
		if !f.struck || kind.harmless(f.write) {
			require.NoError(t, nearErr, name)
			require.NoError(t, farErr, name)
		} else if nearErr != nil {
			requireCause(t, nearErr, kind, name)
		}
		for _, c := range []*conn{near, far} {
			requireSticky(t, c, name)
		}
		ops = f.ops
	})
	return ops
}

// pipe returns the two ends, with the near one in role and its stream wrapped.
func (s *script) pipe(role websocket.Role, opts *websocket.Options, wrap func(c, peer net.Conn) net.Conn) (near, far *conn) {
	var other net.Conn
	keep := func(c net.Conn) net.Conn { other = c; return c }
	late := &lateConn{}
	faultHere := func(c net.Conn) net.Conn { late.Conn = c; return late }
	o := &wstest.Options{Server: *opts, Client: *opts, Buffer: 16 << 10}
	if role == websocket.RoleServer {
		o.WrapServer, o.WrapClient = faultHere, keep
		near, far = wstest.Pipe(o)
	} else {
		o.WrapServer, o.WrapClient = keep, faultHere
		far, near = wstest.Pipe(o)
	}
	late.Conn = wrap(late.Conn, other)
	return near, far
}

// lateConn is a stream that is wrapped once its peer is known.
type lateConn struct{ net.Conn }

func (c *lateConn) CloseWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// requireCause wants err to be, or be about, one of the things kind does.
func requireCause(t *testing.T, err error, kind faultKind, name string) {
	t.Helper()
	for _, cause := range kind.causes() {
		if errors.Is(err, cause) {
			return
		}
	}
	// What the other side saw first and told us, or we ourselves timed in Close.
	if strings.Contains(err.Error(), "did not complete the closing handshake in time") {
		return
	}
	require.Fail(t, "wrong error", "%s: %v", name, err)
}

// requireSticky wants one error for ever.
func requireSticky(t *testing.T, c *conn, name string) {
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

func TestFaults(t *testing.T) {
	require.GreaterOrEqual(t, len(scripts), 20)
	runs := 0
	for i := range scripts {
		s := &scripts[i]
		for role, side := range map[websocket.Role]string{websocket.RoleServer: "server", websocket.RoleClient: "client"} {
			t.Run(side+"/"+s.name, func(t *testing.T) {
				ops := s.run(t, role, faultNone, 0)
				require.True(t, ops > 0 || s.name == "hang up")
				for kind := faultReset; kind <= faultDeadline; kind++ {
					for at := 1; at <= ops; at++ {
						s.run(t, role, kind, at)
						runs++
					}
				}
			})
		}
	}
	t.Logf("%d sessions", runs)
}
