package websocket

// Serve and Handle: a function called for each message, by a goroutine of the
// connection's, or, on a socket that waits at a poller of ours, by those of the poller:
// then the one that called Serve only waits, and behind Handle there is none.
//
// What always holds: a service is run by one goroutine at a time, which holds the
// reader's lock but for the time that fn takes; while it is parked it is the reader
// that waits at the stream, and keeps the lock. Everything else about reading is in
// read.go and the same for both.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
)

// Serve calls fn for each message until the connection ends, ctx ends,
// ReadIdleTimeout passes or fn returns an error, and returns the error; nil if the
// peer closed with 1000 or 1001, or without a code, as a browser's close() does. p is
// valid until fn returns. Replies that fn writes are held back while further messages
// are already buffered, as with Options.Batch.
//
// fn is called for one message after the other, on goroutines that need not be Serve's:
// on Linux, connections that [Accept] made over plain TCP are served by a few for all of
// them, so that one that is idle keeps no large stack. fn may block for as long as it
// likes; the others go on. If it panics, Serve panics with an error whose text has the
// value and the stack of fn, and which unwraps to the value if that is an error; if it
// calls runtime.Goexit, as t.FailNow does, so does Serve.
func (c *Conn) Serve(ctx context.Context, fn func(op Opcode, p []byte) error) error {
	defer c.endServe(ctx, c.batch.Swap(true))
	if c.tr.sock != nil {
		return c.serveParked(ctx, fn)
	}
	return c.serveHere(ctx, fn)
}

// Handle is [Conn.Serve] that does not wait: it returns at once, and fn is called for each
// message from then on. When that is over end is called, once, with what Serve would have
// returned; it may be nil, and may block. Behind it the connection is closed, if it is not
// yet, with the code that a [Server] sends behind a Handler that returned this error.
//
// A deferred CloseNow, which is right beside Serve, would close the connection at once.
//
// It is for very many connections: on Linux, one that [Accept] made over plain TCP has no
// goroutine while it is idle, and takes half the memory; others have one. All else is as
// with Serve: fn may block, and p is valid until it returns. If fn or end panics on a
// connection of a Server's, Server.Panic is told, end gets an error that says so if it was
// fn, and the code is 1011; on another one the program ends, as it does with any goroutine.
func (c *Conn) Handle(ctx context.Context, fn func(op Opcode, p []byte) error, end func(err error)) {
	if end == nil {
		end = func(error) {}
	}
	sv := &service{c: c, ctx: ctx, fn: fn, end: end, batch: c.batch.Swap(true)}
	c.mu.Lock()
	c.handled = true
	c.mu.Unlock()
	if c.tr.sock == nil {
		go sv.here()
		return
	}
	over, err := sv.start()
	if over {
		sv.err = err
		go sv.finish() // end may want a lock that the caller has
		return
	}
	if ctx := c.watched(ctx); ctx.Done() != nil {
		stop := context.AfterFunc(ctx, c.tr.sock.kick)
		sv.end = func(err error) { stop(); end(err) }
	}
	sv.begin()
}

// endServe sends what is held back, and has no more of it held, unless somebody else
// is reading by now, who sees to that before it waits.
func (c *Conn) endServe(ctx context.Context, batch bool) {
	c.batch.Store(batch)
	c.beginPeek()
	if !c.reading.TryLock() {
		c.endPeek()
		return
	}
	c.more.Store(false)
	c.flushHeld(false)
	c.unlockReading()
	c.endPeek()
	c.Flush(ctx) // or a CloseNow behind Serve would lose the rest
}

func endOfServe(err error) error {
	var e *CloseError
	if errors.As(err, &e) && e.Remote {
		switch e.Code {
		case StatusNormalClosure, StatusGoingAway, StatusNoStatus:
			return nil
		}
	}
	return err
}

// serveHere is Serve on the caller's goroutine.
func (c *Conn) serveHere(ctx context.Context, fn func(op Opcode, p []byte) error) error {
	reserveStack()
	defer func() {
		if v := recover(); v != nil {
			panic(newServePanic(v))
		}
	}()
	for {
		if err := c.serveEnded(ctx); err != nil {
			return err
		}
		op, p, err := c.Next(ctx)
		if err != nil {
			return endOfServe(err)
		}
		if err := fn(op, p); err != nil {
			return err
		}
	}
}

// reserveStack makes a young goroutine's stack as large as reading and writing are
// going to make it, as long as there are few frames on it to be moved.
//
//go:noinline
func reserveStack() {
	var frame [1200]byte
	runtime.KeepAlive(&frame)
}

// serveEnded returns the error of a context that ended before the connection did.
func (c *Conn) serveEnded(ctx context.Context) error {
	if err := c.watched(ctx).Err(); err != nil && c.stateNow() < stateBoth {
		return err
	}
	return nil
}

// errWouldBlock is what a service gets for a read that would have to wait.
var errWouldBlock = errors.New("websocket: this read would have to wait")

// A service is a Serve whose reads do not wait: it is parked in the socket instead and
// queued at the poller when there is something to see.
//
// Handle makes one also for a goroutine of its own, for what comes behind it.
type service struct {
	next *service // in the poller's queue
	c    *Conn
	ctx  context.Context
	fn   func(Opcode, []byte) error
	end  func(error)         // of a Handle
	done sync.WaitGroup      // of a Serve, which waits
	held func() (again bool) // what a turn is instead, while no Serve has it (listen_linux.go)

	reads bool  // the reader's lock is held
	batch bool  // what Conn.batch was before
	broke bool  // fn did not return: err is a *servePanic, without a value if by Goexit
	err   error // what Serve returns
}

// serveParked is Serve on the poller's goroutines. The caller's stack stays small.
func (c *Conn) serveParked(ctx context.Context, fn func(op Opcode, p []byte) error) error {
	sv := &service{c: c, ctx: ctx, fn: fn}
	if over, err := sv.start(); over {
		return err
	}
	sv.done.Add(1)
	if ctx := c.watched(ctx); ctx.Done() != nil {
		defer context.AfterFunc(ctx, c.tr.sock.kick)()
	}
	sv.begin()
	sv.done.Wait()
	if !sv.broke {
		return sv.err
	}
	if fate := sv.err.(*servePanic); fate.value != nil {
		panic(fate)
	}
	runtime.Goexit()
	return nil
}

// start makes the service the reader, unless it is over before it has begun.
func (sv *service) start() (over bool, err error) {
	if err := sv.c.serveEnded(sv.ctx); err != nil {
		return true, err
	}
	if err := sv.c.lockReading(); err != nil {
		return true, endOfServe(err)
	}
	return false, nil
}

// begin parks a service for the first time, as a reader that has come to the stream, or
// rather queues it if there is something to do already.
func (sv *service) begin() {
	c := sv.c
	sv.hold()
	if len(c.in) > 0 || c.stash != nil {
		c.tr.sock.drained = false
	} else {
		c.tr.in.extend(c.opts.ReadIdleTimeout)
		c.waits.Store(true)
	}
	c.tr.sock.park(sv)
}

// turn runs a service until it has to wait, and parks it, or until it is over. again
// tells that it was queued anew: there is more for it than one turn may take.
func (sv *service) turn() (again bool) {
	if sv.held != nil {
		return sv.held()
	}
	returned, over := false, false
	defer func() {
		if !returned {
			sv.broke, sv.err = true, newServePanic(recover())
			sv.letGo()
		}
		if over || !returned {
			sv.finish() // else it is parked, and perhaps another goroutine's by now
		}
	}()
	over, again = sv.run()
	returned = true
	return again
}

// run is the loop of serveHere, cut where it would wait.
func (sv *service) run() (over, again bool) {
	c, s := sv.c, sv.c.tr.sock
	s.looked, s.drained = false, false // there is something to read, for all it knows
	for {
		op, p, err := c.next(sv.ctx)
		if err == errWouldBlock {
			return false, s.park(sv)
		}
		sv.letGo()
		if err != nil {
			sv.err = endOfServe(err)
			return true, false
		}
		if sv.err = sv.fn(op, p); sv.err != nil {
			return true, false
		}
		if sv.err = c.serveEnded(sv.ctx); sv.err != nil {
			return true, false
		}
		if err := c.lockReading(); err != nil {
			sv.err = endOfServe(err)
			return true, false
		}
		sv.hold()
	}
}

// here is a Handle on a goroutine of its own.
func (sv *service) here() {
	returned := false
	defer func() {
		if !returned {
			sv.broke, sv.err = true, newServePanic(recover())
		}
		sv.finish()
	}()
	sv.err = sv.c.serveHere(sv.ctx, sv.fn)
	returned = true
}

// finish wakes the Serve that waits, or is what comes behind a Handle: what is held back
// goes out, end is told, and the connection is closed, each also where another panics.
func (sv *service) finish() {
	if sv.end == nil {
		sv.done.Done()
		return
	}
	c, err := sv.c, sv.err
	defer c.CloseNow() // if what follows does not come to its end
	guarded := func(fn func()) {
		if c.guard(fn) {
			err = errPanic
		}
	}
	if sv.broke {
		fate := sv.err.(*servePanic)
		err = errPanic // also if fn only ended its goroutine
		if fate.value != nil {
			guarded(func() { panic(fate) })
		}
	}
	guarded(func() { c.endServe(sv.ctx, sv.batch) })
	guarded(func() { sv.end(err) })
	guarded(func() { c.Close(handlerCode(err)) })
}

// letGo gives the reader's lock back, if it is held: a hook that panics in a read does
// not keep it.
func (sv *service) letGo() {
	if !sv.reads {
		return
	}
	sv.reads = false
	if sv.c.waits.Load() {
		sv.c.waits.Store(false) // ctx has ended while it was parked
	}
	sv.c.tr.sock.turns = false
	sv.c.unlockReading()
}

// hold notes that the reader's lock is held: from now on reads do not wait.
func (sv *service) hold() {
	sv.reads = true
	sv.c.tr.sock.turns = true
}

// servePanic is what Serve panics with.
type servePanic struct {
	value any
	stack []byte
}

// newServePanic is called where v was recovered, which may come out of a Serve within
// fn.
func newServePanic(v any) *servePanic {
	if p, ok := v.(*servePanic); ok {
		return p
	}
	return &servePanic{v, debug.Stack()}
}

// Error returns what fn panicked with, and where.
func (p *servePanic) Error() string {
	return fmt.Sprintf("panic in the function given to Serve: %v\n\n%s", p.value, p.stack)
}

// Unwrap returns the value if it is an error.
func (p *servePanic) Unwrap() error {
	err, _ := p.value.(error)
	return err
}
