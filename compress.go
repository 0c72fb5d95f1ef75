package websocket

// Ties permessage-deflate (deflate.go) to a Conn: buffers, and the moment at
// which a window moves.

import "context"

// deflation is the part of a Conn that compresses; both halves are nil if that
// was not agreed on.
type deflation struct {
	deflate *half // for what we send; with the pen
	inflate *half // for what we receive; with reading locked

	inflated int // size of the last messages inflated, about
}

func (c *Conn) initDeflate() error {
	_, extensions, _ := c.hs.parts()
	if extensions == "" {
		return nil
	}
	list, err := parseExtensions([]string{extensions})
	if err != nil {
		return err
	}
	if len(list) != 1 || list[0].name != deflateName || c.opts.Compression == nil {
		return errExtensionUnasked
	}
	p, err := parseDeflate(list[0], true)
	if err != nil {
		return err
	}
	c.deflate, c.inflate = c.opts.Compression.halves(c.role, p)
	return nil
}

// WritePlain is [Conn.Write] without compression, for a message that is a secret,
// or compressed already.
func (c *Conn) WritePlain(ctx context.Context, op Opcode, p []byte) error {
	if !op.isMessage() {
		return errSendOpcode
	}
	return c.submit(ctx, &outgoing{op: op, p: p, plain: true})
}

// deflateMessage returns p compressed, or nil if it goes better as it is. The
// window is looked at and left as it is: the message has not gone out yet.
func (c *Conn) deflateMessage(p []byte) *buffer {
	h := c.deflate
	if !h.worth(len(p)) {
		return nil
	}
	z := newBuffer(len(p) + len(p)/1024 + 64)
	b, err := h.codec.AppendDeflate(z.b, h.window, p, h.bits, h.level())
	if err != nil || len(b) >= len(p) || cap(b) != cap(z.b) {
		z.put()
		return nil
	}
	z.b = b
	return z
}

// firstRoom is the most that a message is inflated into before it has shown that
// it is larger.
const firstRoom = 64 << 10

// inflateMessage inflates the message p into a buffer that is lent to the user.
// How large it becomes is for the bytes to show and the Deflater to see: a large
// buffer is taken at once only where the messages before have filled such.
func (c *Conn) inflateMessage(op Opcode, p []byte) ([]byte, error) {
	if len(p) == 0 {
		return nil, nil
	}
	plain := newBuffer(max(min(c.inflated, 1<<maxBufferBits), min(2*len(p), firstRoom)))
	b, err := c.inflate.appendMessage(plain.b, op, p, c.opts.ReadLimit)
	if cap(b) != cap(plain.b) {
		plain.put() // it was outgrown: the next one will be larger
		plain = new(buffer)
	}
	plain.b = b
	// Nothing is lent yet: what goes is the message as it was on the wire.
	c.expireLent()
	if err != nil {
		plain.put()
		return nil, err
	}
	c.plain = plain
	// Slowly forgotten, or else large messages between small ones would each
	// have to grow.
	c.inflated = max(len(b), c.inflated-c.inflated/16)
	return b, nil
}

// remembers tells whether the message at hand has to be inflated even if nobody
// wants it: those after it may refer to it.
func (c *Conn) remembers() bool {
	return c.recv.compressed && c.inflate.takeover
}

// dropEvent reads the next chunk of a message that nobody wants.
func (c *Conn) dropEvent(ctx context.Context) error {
	ev, err := c.nextEvent(ctx)
	if err != nil {
		return err
	}
	if !c.remembers() {
		c.forgetMessage() // a read was given up in the middle of it
		return nil
	}
	p, done := c.joiner().Add(ev)
	if !done {
		return nil
	}
	if _, err := c.inflateMessage(ev.Op, p); err != nil {
		c.step(closeFailed, err)
		return c.permanent()
	}
	c.expireLent()
	return nil
}
