package suite

// This file makes the compression cases fast without making them weaker. What the
// suite sends is compressed once for all cases that send the same, and an echo that
// is, octet by octet, one that was inflated and compared before is not inflated again.

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/seed9f1f0156/websocket/autobahn/deflate"
)

// streamKey is everything that the compressed messages of a case depend on.
type streamKey struct {
	data    *dataset
	size    int
	bits    int
	context bool
}

// stream is the messages of one key, compressed as they are asked for.
type stream struct {
	key  streamKey
	mu   sync.Mutex
	out  *deflate.Compressor
	msgs [][]byte

	bytes int // of msgs
	held  int // sessions that use it
}

var streams = struct {
	sync.Mutex
	all  map[streamKey]*stream
	idle int // octets of those that no session uses
}{all: map[streamKey]*stream{}}

// bytesKept bounds the streams that no session uses but another soon may.
const bytesKept = 64 << 20

// openStream returns the stream of a key; release gives it back.
func openStream(key streamKey) *stream {
	streams.Lock()
	defer streams.Unlock()
	st := streams.all[key]
	if st == nil {
		st = &stream{key: key, out: deflate.NewCompressor(key.bits, key.context)}
		streams.all[key] = st
	}
	if st.held == 0 {
		streams.idle -= st.bytes
	}
	st.held++
	return st
}

func (st *stream) release() {
	streams.Lock()
	defer streams.Unlock()
	if st.held--; st.held > 0 {
		return
	}
	streams.idle += st.bytes
	for key, other := range streams.all {
		if streams.idle <= bytesKept {
			return
		}
		if other.held == 0 {
			streams.idle -= other.bytes
			delete(streams.all, key)
		}
	}
}

// message returns the compressed form of message k. The slice must not be changed.
func (st *stream) message(k int) []byte {
	st.mu.Lock()
	defer st.mu.Unlock()
	for len(st.msgs) <= k {
		plain := st.key.data.message(len(st.msgs), st.key.size)
		m := st.out.Append(nil, plain)
		st.msgs, st.bytes = append(st.msgs, m), st.bytes+len(m)
	}
	return st.msgs[k]
}

// fingerprint identifies a series of octets, with 128 bits.
type fingerprint [2]uint64

var fingerprintSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// verified holds the fingerprints of echoes, each with all that came before it on its
// connection, that were found to be right.
var verified = struct {
	sync.RWMutex
	all map[fingerprint]struct{}
}{all: map[fingerprint]struct{}{}}

// echoCheck checks the compressed echoes of one connection, in order.
type echoCheck struct {
	data *dataset
	size int
	sum  fingerprint
	// past lists the last messages that were echoed compressed: what is sent plain
	// does not enter the window (RFC 7692, section 7.2.1, is about compressed messages).
	past   []int
	window []byte
}

func newEchoCheck(e *extension, data *dataset, size int) *echoCheck {
	c := &echoCheck{data: data, size: size}
	c.add(fmt.Appendf(nil, "%s %d %d %v", data.name, size, e.recvBits, e.recvContext))
	return c
}

// add makes b part of the fingerprint.
func (c *echoCheck) add(b []byte) {
	for i, seed := range fingerprintSeeds {
		c.sum[i] = maphash.Bytes(seed, b) ^ (c.sum[i]*0x9e3779b97f4a7c15 + 1)
	}
}

// fault tells why p is not the compressed echo of message k; "" means that it is.
func (c *echoCheck) fault(e *extension, k int, p []byte) string {
	c.sum[0] ^= uint64(k)
	c.add(p)
	verified.RLock()
	_, known := verified.all[c.sum]
	verified.RUnlock()
	if !known {
		if fault := c.inflate(e, k, p); fault != "" {
			return fault
		}
		verified.Lock()
		verified.all[c.sum] = struct{}{}
		verified.Unlock()
	}
	if most := windowSize/c.size + 1; len(c.past) >= 2*most {
		c.past = c.past[:copy(c.past, c.past[most:])]
	}
	c.past = append(c.past, k)
	return ""
}

const windowSize = 32 << 10

// inflate does the work for an echo that is not known.
func (c *echoCheck) inflate(e *extension, k int, p []byte) string {
	if e.in == nil {
		e.in = deflate.NewInflater(e.recvBits, e.recvContext, messageLimit)
	}
	if e.recvContext {
		c.window = c.window[:0]
		for _, old := range c.past[max(0, len(c.past)-windowSize/c.size-1):] {
			m := c.data.message(old, c.size)
			c.window = append(c.window, m[max(0, len(m)-windowSize):]...)
		}
		e.in.SetHistory(c.window)
	}
	got, err := e.in.Message(p)
	want := c.data.message(k, c.size)
	switch {
	case err != nil:
		return "An echo does not inflate: " + err.Error() + "."
	case len(got) != len(want):
		return fmt.Sprintf("Echo'ed message length differs from what I sent (got length %d, expected length %d).", len(got), len(want))
	case !bytes.Equal(got, want):
		return "Echo'ed message contents differs from what I sent."
	}
	return ""
}
