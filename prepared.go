package websocket

// Messages that go to many connections and are framed, and compressed, once.

import (
	"context"
	"sync"
)

// A Prepared is a message that is framed once and sent to any number of
// connections with [Conn.WritePrepared]. It may be used by any number of
// goroutines.
type Prepared struct {
	op Opcode
	p  []byte

	mu      sync.Mutex
	plain   []byte                 // the frame as a server sends it
	deflate map[deflateKey]*packed // and compressed
}

// deflateKey is what compressed forms differ by.
type deflateKey struct {
	z           *Compression // nil for the codec of the package
	bits, level int
}

// packed is a compressed frame, or nil if compressing does not help.
type packed struct{ payload, frame []byte }

// Prepare makes a message of p for [Conn.WritePrepared]; op is [Text] or
// [Binary]. It copies p.
func Prepare(op Opcode, p []byte) (*Prepared, error) {
	if !op.isMessage() {
		return nil, errSendOpcode
	}
	m := &Prepared{op: op}
	m.plain, _ = new(Sender).AppendMessage(make([]byte, 0, maxHeader+len(p)), op, p)
	m.p = m.plain[len(m.plain)-len(p):]
	return m, nil
}

// WritePrepared is [Conn.Write] of a message that was prepared. A server sends it
// as it was framed; a client has to mask it, with a key of its own. On a
// connection with compression it is compressed once for all connections that agreed
// on the same window and compress at the same level; it refers to no window then, so
// that it does for all of them. With a Codec it is once for each [*Compression], whose
// form is kept as long as m: share one.
func (c *Conn) WritePrepared(ctx context.Context, m *Prepared) error {
	return c.submit(ctx, &outgoing{op: m.op, p: m.p, prepared: m})
}

// encodePrepared frames m onto out, or returns it to be written behind.
func (c *Conn) encodePrepared(m *outgoing) (direct []byte, err error) {
	if err := c.sender.checkMessage(m.op); err != nil {
		return nil, err
	}
	z := c.deflate.packed(m.prepared)
	if z != nil {
		m.compressed, m.wire = true, len(z.payload)
	}
	switch {
	case z != nil && c.role == RoleClient:
		c.growOut(len(z.payload) + maxHeader)
		c.out.b, err = c.sender.AppendCompressed(c.out.b, m.op, z.payload)
		return nil, err
	case z != nil:
		direct = z.frame
	case c.role == RoleClient:
		return c.encodePlain(m)
	default:
		direct = m.prepared.plain
	}
	if len(direct) <= copyLimit+maxHeader {
		c.growOut(len(direct))
		c.out.b = append(c.out.b, direct...)
		return nil, nil
	}
	c.growOut(0) // nothing goes before it
	return direct, nil
}

// compressed returns m in compressed form, made by the first who asks.
func (m *Prepared) compressed(key deflateKey, codec Deflater, level int) *packed {
	m.mu.Lock()
	defer m.mu.Unlock()
	z, ok := m.deflate[key]
	if ok {
		return z
	}
	payload, err := codec.AppendDeflate(nil, nil, m.p, key.bits, level)
	if err == nil && len(payload) < len(m.p) {
		frame, _ := new(Sender).AppendCompressed(make([]byte, 0, maxHeader+len(payload)), m.op, payload)
		z = &packed{frame[len(frame)-len(payload):], frame}
	}
	if m.deflate == nil {
		m.deflate = make(map[deflateKey]*packed)
	}
	m.deflate[key] = z
	return z
}

// packed returns m in the form that h sends it in, or nil if that is plain.
func (h *half) packed(m *Prepared) *packed {
	if h == nil || !h.worth(len(m.p)) {
		return nil
	}
	key := deflateKey{bits: h.bits, level: h.level()}
	if h.z.Codec != nil {
		key.z = h.z
	}
	return m.compressed(key, h.codec, key.level)
}
