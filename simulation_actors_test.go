package websocket_test

// Those who use the two connections of a simulation, each in a goroutine and with
// choices of its own: readers, writers, pingers and closers. They note what their
// calls returned; simulation_test.go judges it.

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed9f1f0156/websocket"
)

// maxWriters is how many goroutines of an end write, the reader that replies among
// them.
const maxWriters = 4

// simEnd is one end of a simulation.
type simEnd struct {
	*sim
	name string
	c    *conn
	wire *simWire

	sent     [maxWriters][]error // what came of each message, by its writer
	got      [maxWriters][]int   // which messages came, by the peer's writer
	complete bool                // the reader takes every message
	readErr  error               // the last of the reader

	unclean atomic.Pointer[error] // of Close
}

// pause lets a moment pass, or none.
func (e *simEnd) pause(r *rand.Rand) {
	switch r.IntN(3) {
	case 0:
		runtime.Gosched()
	case 1:
		<-time.After(time.Duration(r.IntN(20_000)) * time.Microsecond)
	}
}

// context returns one that may end at a bad moment.
func (e *simEnd) context(r *rand.Rand) (context.Context, context.CancelFunc) {
	switch r.IntN(8) {
	case 0:
		return context.WithTimeout(context.Background(), time.Duration(r.IntN(5000))*time.Microsecond)
	case 1:
		ctx, cancel := context.WithCancel(context.Background())
		if r.IntN(4) == 0 {
			cancel()
			return ctx, cancel
		}
		timer := time.AfterFunc(time.Duration(r.IntN(5000))*time.Microsecond, cancel)
		return ctx, func() { timer.Stop(); cancel() }
	case 2:
		return e.c.Context(), func() {}
	}
	return context.Background(), func() {}
}

// sensible fails the simulation if a call under ctx may not return err, and tells
// whether it makes sense to go on.
func (e *simEnd) sensible(call string, ctx context.Context, err error) (more bool) {
	var ce *websocket.CloseError
	e.note("%s %s: %v", call, e.name, err)
	switch {
	case err == nil:
		return true
	case errors.As(err, &ce):
		e.ended(err)
		return false
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return true
	case call == "read" && err == os.ErrDeadlineExceeded && e.idle:
		return true
	}
	e.fail("%s: %s returned %v", e.name, call, err)
	return false
}

// ended takes note of a permanent error. A context that cut a frame in the middle
// has ended the connection, for both sides.
func (e *simEnd) ended(err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		e.rough.Store(true)
	}
}

// message appends message seq of writer id, of about size bytes, to dst.
func message(dst []byte, id, seq, size int) []byte {
	at := len(dst)
	dst = append(dst, byte('0'+id), byte('0'+seq/10), byte('0'+seq%10))
	for i := range size {
		dst = append(dst, byte('a'+(i*7+seq*3+id)%26))
	}
	return append(dst, byte('A'+(len(dst)-at)%26))
}

// take notes a message that came.
func (e *simEnd) take(p []byte) {
	if len(p) < 4 || p[0] < '0' || p[0] >= '0'+maxWriters {
		e.fail("%s: a message that nobody sent: %q", e.name, p[:min(len(p), 20)])
		return
	}
	id, seq := int(p[0]-'0'), int(p[1]-'0')*10+int(p[2]-'0')
	if want := message(nil, id, seq, len(p)-4); string(want) != string(p) {
		e.fail("%s: message %d of writer %d came changed", e.name, seq, id)
	}
	e.got[id] = append(e.got[id], seq)
}

func (e *simEnd) write(id int, r *rand.Rand) {
	var p []byte
	for range 1 + r.IntN(5) {
		e.pause(r)
		p = e.writeOne(id, r, p[:0])
		if p == nil {
			return
		}
	}
}

// writeOne writes the next message of writer id, made in p, which it returns; nil
// if that was the last.
func (e *simEnd) writeOne(id int, r *rand.Rand, p []byte) []byte {
	ctx, cancel := e.context(r)
	defer cancel()
	size := r.IntN(100)
	if r.IntN(6) == 0 {
		size = r.IntN(e.size)
	}
	p = message(p, id, len(e.sent[id]), size)
	op := websocket.Text
	if r.IntN(2) == 0 {
		op = websocket.Binary
	}
	var err error
	switch r.IntN(8) {
	case 0:
		err = e.c.WritePlain(ctx, op, p)
	case 1:
		err = e.stream(ctx, op, p, r)
	case 2:
		var prepared *websocket.Prepared
		if prepared, err = websocket.Prepare(op, p); err == nil {
			err = e.c.WritePrepared(ctx, prepared)
		}
	default:
		err = e.c.Write(ctx, op, p)
	}
	for i := range p {
		p[i] = 0xEE // nobody may look at it any more
	}
	e.sent[id] = append(e.sent[id], err)
	if !e.sensible("write", ctx, err) {
		return nil
	}
	return p
}

// stream writes p through a Writer.
func (e *simEnd) stream(ctx context.Context, op websocket.Opcode, p []byte, r *rand.Rand) error {
	w, err := e.c.Writer(ctx, op)
	if err != nil {
		return err
	}
	for len(p) > 0 && err == nil {
		k := min(len(p), 1+r.IntN(3000))
		_, err = w.Write(p[:k])
		p = p[k:]
		if r.IntN(4) == 0 {
			e.pause(r)
		}
	}
	if err == nil {
		return w.Close()
	}
	w.Close()
	return err
}

// read reads until the connection ends, in one of the ways there are.
func (e *simEnd) read(kind int, r *rand.Rand) {
	e.complete = true
	var p []byte
	for {
		ctx, cancel := e.context(r)
		var err error
		switch kind {
		case 0:
			if _, p, err = e.c.Read(ctx); err == nil {
				e.take(p)
			}
		case 1:
			if _, p, err = e.c.Next(ctx); err == nil {
				e.take(p)
				if r.IntN(4) == 0 {
					e.pause(r)
				}
			}
		case 2:
			if _, p, err = e.c.ReadAppend(ctx, p[:0]); err == nil {
				e.take(p)
			}
		case 3:
			err = e.serve(ctx, r)
		case 4:
			err = e.readStream(ctx, r)
		default:
			e.complete = false
			done := e.c.CloseRead(ctx)
			<-done.Done()
			err = context.Cause(done)
		}
		more := e.sensible("read", ctx, err)
		cancel()
		if !more {
			e.readErr = err
			return
		}
	}
}

// serve replies to some of the messages, on one side: two that write before they read
// on can wait for each other.
func (e *simEnd) serve(ctx context.Context, r *rand.Rand) error {
	err := e.c.Serve(ctx, func(_ websocket.Opcode, p []byte) error {
		e.take(p)
		if n := len(e.sent[maxWriters-1]); n < 10 && e == e.ends[0] && r.IntN(2) == 0 {
			e.writeOne(maxWriters-1, r, nil)
		}
		return nil
	})
	if err == nil { // a normal end
		_, _, err = e.c.Next(context.Background())
	}
	return err
}

// readStream reads a message in pieces, and sometimes only its beginning.
func (e *simEnd) readStream(ctx context.Context, r *rand.Rand) error {
	_, m, err := e.c.Reader(ctx)
	if err != nil {
		return err
	}
	if r.IntN(8) == 0 {
		e.complete = false
		return nil
	}
	var p []byte
	for buf := make([]byte, 1+r.IntN(500)); err == nil; {
		var n int
		n, err = m.Read(buf)
		p = append(p, buf[:n]...)
		if err == os.ErrDeadlineExceeded && e.idle {
			err = nil
		}
	}
	if err != io.EOF {
		e.complete = false // the rest is dropped by the next read
		return err
	}
	e.take(p)
	return nil
}

func (e *simEnd) ping(r *rand.Rand) {
	for range 1 + r.IntN(4) {
		e.pause(r)
		ctx, cancel := e.context(r)
		if _, ok := ctx.Deadline(); !ok && e.c.Context() != ctx && ctx.Done() == nil {
			cancel()
			ctx, cancel = context.WithTimeout(context.Background(), time.Second)
		}
		err := e.c.Ping(ctx)
		more := e.sensible("ping", ctx, err)
		cancel()
		if !more {
			return
		}
	}
}

// close ends the connection at some moment.
func (e *simEnd) close(r *rand.Rand) {
	<-time.After(time.Duration(r.IntN(60_000)) * time.Microsecond)
	switch r.IntN(6) {
	case 0:
		e.rough.Store(true)
		e.note("CloseNow of the %s", e.name)
		e.c.CloseNow()
	case 1:
		e.sensible("flush", context.Background(), e.c.Flush(context.Background()))
	default:
		code := []websocket.StatusCode{websocket.StatusNormalClosure, websocket.StatusGoingAway, 3000, websocket.StatusNoStatus}[r.IntN(4)]
		e.closeWith(code, strings.Repeat("x", r.IntN(130)))
	}
}

// closeWith closes and sees to it that this is the end.
func (e *simEnd) closeWith(code websocket.StatusCode, reason string) {
	begun := time.Now()
	err := e.c.Close(code, reason)
	e.note("close %s: %v", e.name, err)
	if took := time.Since(begun); took > simCloseTimeout+time.Second {
		e.fail("%s: Close took %v", e.name, took)
	}
	if again := e.c.Close(code, ""); again != err {
		e.fail("%s: Close returned %v and then %v", e.name, err, again)
	}
	if err != nil {
		e.ended(err)
		e.unclean.Store(&err)
	}
	if e.c.Write(context.Background(), websocket.Text, nil) == nil {
		e.fail("%s: a write went well after Close", e.name)
	}
}

// start starts those who use e.
func (e *simEnd) start(all *sync.WaitGroup) {
	kind, r := e.rnd.IntN(7), e.source()
	all.Go(func() { e.read(kind, r) })
	for id := range e.rnd.IntN(maxWriters) {
		r := e.source()
		all.Go(func() { e.write(id, r) })
	}
	if e.rnd.IntN(3) == 0 {
		r := e.source()
		all.Go(func() { e.ping(r) })
	}
	for range max(0, e.rnd.IntN(5)-2) {
		r := e.source()
		all.Go(func() { e.close(r) })
	}
}
