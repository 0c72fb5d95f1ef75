package websocket

// From chunks to messages. An Assembler joins the chunks of one message in one
// contiguous buffer that grows with what has arrived, never with what a header
// claims, and leaves a message that came in one chunk where it lies.

// An Assembler joins the chunks of a message. The zero value is ready and
// allocates with make; it must not be used by two goroutines at the same time.
//
// A driver that reads large messages asks Room where to put the bytes: they are
// then unmasked in place and never copied.
type Assembler struct {
	// Grow, if not nil, replaces make: it returns a slice with the content of buf
	// and a capacity of at least n. buf is not used any more.
	Grow func(buf []byte, n int) []byte

	buf  []byte
	hint int // size of the last message joined: the peer has shown that it sends such
}

// minRoom is the smallest rest of a frame that is worth a read of its own; what
// is smaller comes through the read buffer, together with what follows it.
const minRoom = 8 << 10

// Add takes the next chunk of a message from the [Receiver]. When it was the
// last, done is true and p is the message, as it was on the wire: a compressed
// one is still compressed. p lies in ev.Data or in the Assembler: valid until the
// next call of Add, Room or Reset.
func (a *Assembler) Add(ev Event) (p []byte, done bool) {
	if ev.First {
		a.buf = a.buf[:0]
		if ev.Fin {
			return ev.Data, true
		}
	}
	if a.placed(ev.Data) {
		a.buf = a.buf[:len(a.buf)+len(ev.Data)]
	} else {
		a.grow(len(a.buf) + len(ev.Data))
		a.buf = append(a.buf, ev.Data...)
	}
	if p = a.buf; ev.Fin {
		// Nothing is held any more, so nothing of the next message is paid for.
		a.buf, a.hint = p[:0], len(p)
	}
	return p, ev.Fin
}

// Room returns where to read the rest of a frame of which pending bytes are
// still to come ([Receiver.Pending]), or nil if the read buffer will do. What is
// read into it is to be given to [Receiver.Next] as it is, and the chunk that
// comes of it to Add.
//
// Room is not made beyond twice what the message has already brought, or what the
// last message brought: so a peer pays for memory with bytes.
func (a *Assembler) Room(pending uint64) []byte {
	n := len(a.buf)
	if pending < minRoom || n == 0 {
		return nil
	}
	if cap(a.buf)-n < minRoom {
		more := min(pending, uint64(max(n, a.hint-n)))
		if more < minRoom {
			return nil
		}
		a.grow(n + int(more))
	}
	room := a.buf[n:cap(a.buf)]
	return room[:min(uint64(len(room)), pending)]
}

// Held returns what has arrived of a message whose last chunk has not.
func (a *Assembler) Held() []byte { return a.buf }

// Reset forgets the message and returns the buffer it lay in, or nil, so that
// the caller can use it again.
func (a *Assembler) Reset() []byte {
	buf := a.buf
	a.buf = nil
	return buf
}

// placed tells whether p was read into Room.
func (a *Assembler) placed(p []byte) bool {
	n := len(a.buf)
	return len(p) > 0 && cap(a.buf) > n && &a.buf[: n+1 : n+1][n] == &p[0]
}

// grow makes room for n bytes in all.
func (a *Assembler) grow(n int) {
	if n <= cap(a.buf) {
		return
	}
	n = max(n, 2*len(a.buf)) // or else many small fragments are copied over and over
	if a.Grow != nil {
		a.buf = a.Grow(a.buf, n)
		return
	}
	a.buf = append(make([]byte, 0, n), a.buf...)
}
