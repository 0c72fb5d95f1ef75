package websocket

// Messages as streams, for those that are too large to hold, or are made bit by
// bit: Reader and Writer. Their state is one message's; everything else is in
// read.go and write.go.

import (
	"context"
	"errors"
	"io"
)

var (
	errStaleReader  = errors.New("websocket: this message is gone: another read has begun since Reader returned it")
	errWriterClosed = errors.New("websocket: write to a message that is already closed")
)

// Reader returns the next message as a stream, of which only a buffer's worth is
// held at a time, except that a compressed message is inflated whole. It reads to
// io.EOF at the end of the message; ctx bounds all reads of it. The next read of
// any kind drops what was not read of it, and then the Reader returns an error.
//
// ReadLimit holds for the whole message. Text is checked as it comes: what is
// returned of it is valid UTF-8 so far, cut anywhere. Other errors are those of
// [Conn.Next]. The Reader is for one goroutine.
func (c *Conn) Reader(ctx context.Context) (Opcode, io.Reader, error) {
	if err := c.lockReading(); err != nil {
		return 0, nil, err
	}
	defer c.unlockReading()
	r := &messageReader{c: c, ctx: ctx}
	if err := r.start(); err != nil {
		return 0, nil, err
	}
	c.incoming = r
	return r.op, r, nil
}

// messageReader is what Reader returns.
type messageReader struct {
	c     *Conn
	ctx   context.Context
	op    Opcode
	rest  []byte // of the chunk at hand; lies in the connection's buffers
	fin   bool   // there is no other chunk
	size  int    // bytes of the message so far
	stale bool
}

// done tells whether the message has been read to its end.
func (r *messageReader) done() bool { return r.fin && len(r.rest) == 0 }

func (r *messageReader) start() error {
	c := r.c
	if c.stash != nil {
		r.op, r.rest, r.fin = c.stash.op, c.stash.p, true
		c.unstash()
		return nil
	}
	if c.recv.inMessage && !c.recv.first && !c.skipping && !c.recv.compressed {
		// A read that was given up has left the first part of this message.
		r.op, r.rest = c.recv.msgOp, append([]byte(nil), c.asm.Held()...)
		r.size = len(r.rest)
		c.asm.Reset()
		c.msg.put()
		c.msg = nil
		return nil
	}
	ev, err := c.nextEvent(r.ctx)
	if err != nil {
		return err
	}
	r.op = ev.Op
	if !ev.Compressed {
		r.arrived(ev)
		return nil
	}
	for {
		p, done := c.joiner().Add(ev)
		if done {
			r.fin = true
			_, r.rest, err = c.deliver(ev, p)
			return err
		}
		if ev, err = c.nextEvent(r.ctx); err != nil {
			return err
		}
	}
}

// arrived takes the next chunk of a message that is not compressed.
func (r *messageReader) arrived(ev Event) {
	r.rest, r.fin = ev.Data, ev.Fin
	if r.size += len(ev.Data); r.fin {
		r.c.received(r.op, r.size, r.size)
	}
}

// Read reads the next bytes of the message.
func (r *messageReader) Read(p []byte) (int, error) {
	c := r.c
	if err := c.tryReading(); err != nil {
		return 0, err
	}
	defer c.unlockReading()
	c.reads++
	switch {
	case r.stale && c.stateNow() != stateOpen:
		return 0, c.permanent() // it was Close that read on
	case r.stale:
		return 0, errStaleReader
	}
	for len(r.rest) == 0 {
		if r.fin {
			return 0, io.EOF
		}
		if len(p) == 0 {
			return 0, nil
		}
		if c.stateNow() >= stateBoth {
			return 0, c.permanent()
		}
		ev, err := c.nextEvent(r.ctx)
		if err != nil {
			return 0, err
		}
		r.arrived(ev)
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Writer begins a message that is written in pieces; op is [Text] or [Binary].
// What is written goes out as fragments of about 4 KiB (RFC 6455, section 5.4),
// the rest and the end of the message when the Writer is closed, uncompressed;
// ctx bounds all of it. A message that fits in one fragment is sent as a whole.
//
// Until it is closed the messages of other goroutines wait; pings, pongs and
// closing do not. Once part of a message is out, the message can only be
// finished: an error of Write or Close other than for misuse ends the connection.
// The Writer is for one goroutine. Write does not keep p.
func (c *Conn) Writer(ctx context.Context, op Opcode) (io.WriteCloser, error) {
	if !op.isMessage() {
		return nil, errSendOpcode
	}
	w := &messageWriter{c: c, ctx: ctx, op: op}
	if err := c.beginMessage(ctx, w); err != nil {
		return nil, err
	}
	return w, nil
}

const fragmentSize = 4 << 10

// messageWriter is what Writer returns.
type messageWriter struct {
	c     *Conn
	ctx   context.Context
	op    Opcode
	buf   *buffer
	size  int  // bytes of the message so far
	begun bool // a fragment is out
	done  bool
}

// beginMessage makes w the only one whose messages go out.
func (c *Conn) beginMessage(ctx context.Context, w *messageWriter) error {
	ctx = c.watched(ctx)
	if err := ctx.Err(); err != nil {
		return c.endedOr(err)
	}
	c.wmu.Lock()
	if c.werr != nil || c.stateNow() != stateOpen {
		c.wmu.Unlock()
		return c.writeError()
	}
	if c.busy || c.stream != nil {
		// Queue like a message; what we then lead is ours to begin.
		if lead, err := c.waitLocked(ctx, outgoing{op: w.op, begin: true}); !lead {
			return err
		}
		c.wmu.Lock()
		c.stream = w
		c.wmu.Unlock()
		c.passPen(ctx.Done() == nil)
		return nil
	}
	c.stream = w
	c.wmu.Unlock()
	return nil
}

// endMessage lets other messages go on.
func (c *Conn) endMessage(wait bool) {
	c.wmu.Lock()
	c.stream = nil
	idle := !c.busy && c.first != nil
	if idle {
		c.busy = true
	}
	c.wmu.Unlock()
	if idle {
		c.passPen(wait)
	}
}

// Write adds p to the message.
func (w *messageWriter) Write(p []byte) (int, error) {
	if w.done {
		return 0, errWriterClosed
	}
	for n := 0; ; {
		if w.buf == nil {
			w.buf = newBuffer(fragmentSize)
		}
		k := copy(w.buf.b[len(w.buf.b):fragmentSize], p[n:])
		w.buf.b = w.buf.b[:len(w.buf.b)+k]
		w.size += k
		if n += k; n == len(p) {
			return n, nil
		}
		if err := w.flush(false); err != nil {
			return n - k, err
		}
	}
}

// Close sends what is left and ends the message.
func (w *messageWriter) Close() error {
	if w.done {
		return errWriterClosed
	}
	return w.flush(true)
}

// flush sends the buffer as a fragment. If the message cannot be finished, nor
// left as it is, the connection cannot go on; if it is being closed, it need not.
func (w *messageWriter) flush(fin bool) error {
	var p []byte
	if w.buf != nil {
		p = w.buf.b
	}
	err := w.c.submit(w.ctx, &outgoing{op: w.op, p: p, stream: w, fin: fin})
	w.buf.put()
	w.buf = nil
	if err == nil && !fin {
		w.begun = true
		return nil
	}
	w.done = true
	if err != nil && w.begun && w.c.stateNow() == stateOpen {
		w.c.abort(&CloseError{Code: StatusAbnormalClosure, Err: err})
	}
	w.c.endMessage(w.ctx.Done() == nil)
	return err
}
