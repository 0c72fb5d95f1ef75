package wstest

// Streams that do wrong when they are told to. A FaultConn stands between a
// connection and its stream and lets bytes pass until its Faults say otherwise.
//
// What always holds: a call that is kept waiting by a fault ends with its deadline
// or when the FaultConn is closed, as a call of a socket would; no fault changes a
// byte that passes; and waiting is on a Cond, which testing/synctest understands.

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// ErrFault is what calls fail with that a [Fault] without an Err makes fail.
var ErrFault = errors.New("wstest: the fault that was asked for")

// An Action is what a [Fault] does when its time has come.
type Action uint8

// The actions. Each holds from then on, except that Fail fails one call only.
const (
	None    Action = iota
	Fail           // the call fails with Err, and no byte of it passes
	Broken         // it and all after it fail with Err
	Stall          // calls wait, like those on a connection whose peer is gone
	Swallow        // bytes vanish: writes succeed, reads see nothing and wait
	EOF            // the direction ends: reads return io.EOF, writes send FIN
	Reset          // the stream breaks off for both sides, as by a TCP reset
)

// A Fault is what goes wrong in one direction of a stream. The zero value is
// nothing. A read is a call of Read, and what it returned has crossed.
type Fault struct {
	// Chunk is how many bytes cross at a time: a read returns no more, and a write
	// is cut into so many writes. 1 splits the stream at every byte. 0 is no limit.
	Chunk int
	// Split is a number of bytes from the beginning; nothing that crosses at a time
	// reaches over it. 0 is none.
	Split int64
	// Short makes writes return after the first piece of what they were given, with
	// the number of bytes written and no error, which io.Writer forbids and some
	// streams do.
	Short bool
	// Delay is how long each piece waits before it crosses.
	Delay time.Duration

	// Do is done at the call number Call, counting from 1, or, if Call is 0, when
	// After bytes have crossed, before the next one does. A write that reaches over
	// After is cut there: what is before it crosses.
	Do    Action
	Call  int
	After int64
	// Err is what calls fail with; nil means ErrFault.
	Err error
}

// Faults are those of both directions, as seen by the one who uses the FaultConn.
type Faults struct{ Read, Write Fault }

// A FaultConn is a [net.Conn] with faults. Its methods may be called from any
// goroutine, as those of the stream below may.
type FaultConn struct {
	net.Conn
	read, write direction

	mu      sync.Mutex
	moved   sync.Cond
	stalled bool
	closed  bool
	held    []byte // read and not yet returned
}

// direction is one direction of a FaultConn. Guarded by its mu.
type direction struct {
	Fault
	calls    int
	crossed  int64
	struck   bool // Do has been done, or is being
	deadline deadline
}

// WithFaults returns c with faults. Reset needs a c made by [NetPipe], or a
// *net.TCPConn; with others it is no more than Close.
func WithFaults(c net.Conn, f Faults) *FaultConn {
	fc := &FaultConn{Conn: c, read: direction{Fault: f.Read}, write: direction{Fault: f.Write}}
	fc.moved.L = &fc.mu
	return fc
}

// Stall makes all calls wait from now on. What still arrives for a read is kept
// until Resume; a write that has begun may still cross.
func (f *FaultConn) Stall() { f.change(func() { f.stalled = true }) }

// Resume takes Stall back, and every Stall that Faults asked for.
func (f *FaultConn) Resume() {
	f.change(func() {
		f.stalled = false
		for _, d := range []*direction{&f.read, &f.write} {
			if d.Do == Stall {
				d.Do = None
			}
		}
	})
}

// Reset breaks the stream off for both sides.
func (f *FaultConn) Reset() {
	switch c := f.Conn.(type) {
	case interface{ Reset() }:
		c.Reset()
	case *net.TCPConn:
		_ = c.SetLinger(0) // if it fails, closing is all that is left
	}
	f.Close()
}

// Crossed returns how many bytes have crossed in each direction.
func (f *FaultConn) Crossed() (read, written int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read.crossed, f.write.crossed
}

// Close closes the stream and ends the calls that wait.
func (f *FaultConn) Close() error {
	f.change(func() {
		f.closed = true
		f.read.deadline.setLocked(&f.moved, time.Time{})
		f.write.deadline.setLocked(&f.moved, time.Time{})
	})
	return f.Conn.Close()
}

// CloseWrite ends the outgoing direction, if the stream below can.
func (f *FaultConn) CloseWrite() error {
	if h, ok := f.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetReadDeadline is as with any [net.Conn].
func (f *FaultConn) SetReadDeadline(t time.Time) error {
	f.setDeadline(&f.read, t)
	return f.Conn.SetReadDeadline(t)
}

// SetWriteDeadline is as with any [net.Conn].
func (f *FaultConn) SetWriteDeadline(t time.Time) error {
	f.setDeadline(&f.write, t)
	return f.Conn.SetWriteDeadline(t)
}

// SetDeadline is as with any [net.Conn].
func (f *FaultConn) SetDeadline(t time.Time) error {
	if err := f.SetReadDeadline(t); err != nil {
		return err
	}
	return f.SetWriteDeadline(t)
}

func (f *FaultConn) setDeadline(d *direction, t time.Time) {
	f.change(func() {
		if !f.closed {
			d.deadline.setLocked(&f.moved, t)
		}
	})
}

func (f *FaultConn) change(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
	f.moved.Broadcast()
}

// Read reads what the faults let pass.
func (f *FaultConn) Read(p []byte) (int, error) {
	for call := true; ; call = false {
		act, n, err := f.begin(&f.read, len(p), call)
		switch {
		case err != nil:
			return 0, err
		case act == EOF:
			return 0, io.EOF
		}
		if k := f.takeHeld(p[:n]); k > 0 {
			return k, nil
		}
		k, err := f.Conn.Read(p[:n])
		switch {
		case act == Swallow && err == nil:
		case k > 0 && f.hold(p[:k]):
		default:
			f.count(&f.read, k)
			return k, err
		}
	}
}

// hold keeps what came for a call that had begun before everything was stalled.
func (f *FaultConn) hold(p []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stalled {
		f.held = append(f.held, p...)
	}
	return f.stalled
}

func (f *FaultConn) takeHeld(p []byte) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := copy(p, f.held)
	f.held = f.held[n:]
	f.read.crossed += int64(n)
	return n
}

// Write writes what the faults let pass.
func (f *FaultConn) Write(p []byte) (n int, err error) {
	for first := true; first || n < len(p); first = false {
		act, k, err := f.begin(&f.write, len(p)-n, first)
		switch {
		case err != nil:
			return n, err
		case act == Swallow:
			return len(p), nil
		case act == EOF:
			if err := f.CloseWrite(); err != nil {
				return n, err
			}
			return n, syscall.EPIPE
		}
		k, err = f.Conn.Write(p[n : n+k])
		f.count(&f.write, k)
		if n += k; err != nil || f.write.Short {
			return n, err
		}
	}
	return n, nil
}

func (f *FaultConn) count(d *direction, n int) {
	f.mu.Lock()
	d.crossed += int64(n)
	f.mu.Unlock()
}

// begin is before a piece of up to n bytes crosses: it waits as long as the faults
// say, and returns how many bytes may cross and what else is to be done.
func (f *FaultConn) begin(d *direction, n int, call bool) (act Action, size int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if call {
		d.calls++
	}
	if d.Delay > 0 {
		if err := f.pauseLocked(d); err != nil {
			return 0, 0, err
		}
	}
	for f.stalled || d.actsNow() && d.Do == Stall {
		if err := f.waitLocked(d); err != nil {
			return 0, 0, err
		}
	}
	if !d.actsNow() {
		return None, d.size(n), nil
	}
	again := d.struck
	d.struck = true
	switch d.Do {
	case Fail:
		if again {
			return None, d.size(n), nil
		}
		return 0, 0, d.err()
	case Broken:
		return 0, 0, d.err()
	case Reset:
		f.mu.Unlock()
		f.Reset()
		f.mu.Lock()
	}
	return d.Do, d.size(n), nil
}

// actsNow tells whether the time for Do has come.
func (d *direction) actsNow() bool {
	switch {
	case d.Do == None:
		return false
	case d.struck:
		return true
	case d.Call > 0:
		return d.calls >= d.Call
	}
	return d.crossed >= d.After
}

func (d *direction) err() error {
	if d.Err != nil {
		return d.Err
	}
	return ErrFault
}

// size returns how many of n bytes may cross at a time.
func (d *direction) size(n int) int {
	if d.Chunk > 0 {
		n = min(n, d.Chunk)
	}
	n = d.upTo(n, d.Split)
	if d.Do != None && !d.struck && d.Call == 0 {
		n = d.upTo(n, d.After)
	}
	return n
}

func (d *direction) upTo(n int, at int64) int {
	if at > d.crossed {
		return int(min(int64(n), at-d.crossed))
	}
	return n
}

// pauseLocked waits for Delay.
func (f *FaultConn) pauseLocked(d *direction) error {
	over := false
	timer := time.AfterFunc(d.Delay, func() { f.change(func() { over = true }) })
	defer timer.Stop()
	for !over {
		if err := f.waitLocked(d); err != nil {
			return err
		}
	}
	return nil
}

// waitLocked waits for anything to change, unless the call has to end.
func (f *FaultConn) waitLocked(d *direction) error {
	switch {
	case f.closed:
		return net.ErrClosed
	case d.deadline.passed:
		return os.ErrDeadlineExceeded
	}
	f.moved.Wait()
	return nil
}
