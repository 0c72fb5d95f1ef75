package websocket

// Ties permessage-deflate (deflate.go) to a Conn: buffers, and the moment at
// which a window moves.

import "context"

// deflation is the part of a Conn that compresses; both halves are nil if that
// was not agreed on.
type deflation struct {
	deflate *half // for what we send; with the pen
	inflate *half // for what we receive; with reading locked

	inflated int // size of the last message inflated
}

func (c *Conn) initDeflate() error {
	if c.hs.Extensions == "" {
		return nil
	}
	list, err := parseExtensions([]string{c.hs.Extensions})
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
	c.deflate, c.inflate = c.opts.Compression.halves(c.hs.Role, p)
	return nil
}

// WritePlain is [Conn.Write] without compression, for a message that is a secret,
// or compressed already.
func (c *Conn) WritePlain(ctx context.Context, op Opcode, p []byte) error {
	if !op.isMessage() {
		return errSendOpcode
	}
	return c.submit(ctx, outgoing{op: op, p: p, plain: true})
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

// inflateMessage inflates the message p into a buffer that is lent to the user.
func (c *Conn) inflateMessage(op Opcode, p []byte) ([]byte, error) {
	if len(p) == 0 {
		return nil, nil
	}
	c.plain = newBuffer(max(c.inflated, 2*len(p)))
	b, err := c.inflate.appendMessage(c.plain.b, op, p, c.opts.ReadLimit)
	if cap(b) != cap(c.plain.b) {
		c.plain.put() // it was outgrown: the next one will be larger
		c.plain = &buffer{b: b, class: -1}
	}
	c.plain.b = b
	c.inflated = len(b)
	return b, err
}
