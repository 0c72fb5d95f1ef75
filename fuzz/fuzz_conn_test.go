package fuzz

// Fuzz targets of frames, messages and the closing handshake. What each checks
// stands above it; seeds are in testdata/fuzz, named after the row of CATALOGUE.md
// that they are made from.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// maxInput is the largest input that targets look at: more finds nothing new and
// makes a fuzzer slow.
const maxInput = 4096

// fuzzLimits are small, so that inputs reach them.
var fuzzLimits = websocket.Limits{Message: 1000, Frames: 8, Empty: 3}

// FuzzSplit: the Receiver sees in input what the reference sees, and the same
// whole, byte by byte and cut at two places. flags choose role, extension and
// limits.
func FuzzSplit(f *testing.F) {
	f.Fuzz(func(t *testing.T, input []byte, flags byte, at, again uint16) {
		if len(input) > maxInput {
			return
		}
		role, deflate, lim := websocket.Role(flags&1), flags&2 > 0, websocket.Limits{}
		if flags&4 > 0 {
			lim = fuzzLimits
		}
		want := refEvents(role, deflate, lim, input)
		i, k := int(at)%(len(input)+1), int(again)%(len(input)+1)
		i, k = min(i, k), max(i, k)
		for _, chunks := range [][][]byte{
			{input}, {input[:i], input[i:k], input[k:]}, slices.Collect(slices.Chunk(input, 1)),
		} {
			require.Equal(t, want, recvEvents(role, deflate, lim, chunks), "flags %x, cut at %d and %d", flags, i, k)
		}
	})
}

// FuzzSend: what a Sender is told to send, one byte of script after the other,
// the reference and the Receiver of the other side read back as it was said.
func FuzzSend(f *testing.F) {
	f.Fuzz(func(t *testing.T, script, data []byte, client bool) {
		if len(script) > 64 || len(data) > maxInput {
			return
		}
		role := websocket.RoleServer
		if client {
			role = websocket.RoleClient
		}
		s := &script2wire{data: data}
		s.send.Reset(role)
		for _, step := range script {
			s.step(step)
		}
		require.Equal(t, s.want, refEvents(other(role), true, websocket.Limits{}, s.wire))
		require.Equal(t, s.want, recvEvents(other(role), true, websocket.Limits{}, [][]byte{s.wire}))
		refFrames(t, role, s.wire)
	})
}

// A surprise of a session is what a Conn may never do; the tests of a Conn under
// arbitrary input end with sound.
func sound(t *testing.T, role websocket.Role, err error, sent []refFrame) {
	t.Helper()
	require.Error(t, err)
	var ce *websocket.CloseError
	var pe *websocket.ProtocolError
	var be *websocket.MessageTooBigError
	require.True(t, errors.As(err, &ce) || errors.As(err, &pe) || errors.As(err, &be), "undocumented: %T %v", err, err)
	for i, frame := range sent {
		if frame.op != 8 {
			continue
		}
		require.Equal(t, len(sent)-1, i, "something follows the close frame")
		require.NotEqual(t, 1, len(frame.payload))
		if len(frame.payload) > 0 {
			require.True(t, refCloseCode(frame.code()), "code %d", frame.code())
			require.True(t, utf8.Valid(frame.payload[2:]))
		}
	}
}

// fed returns a Conn whose peer sends input and ends its stream.
func fed(t *testing.T, role websocket.Role, ext string, opts *websocket.Options, input []byte) (*websocket.Conn, net.Conn) {
	t.Helper()
	ours, peer := wstest.NetPipe(len(input) + 1)
	c, err := websocket.NewConn(ours, websocket.Handshake{Role: role, Extensions: ext}, opts)
	require.NoError(t, err)
	peer.Write(input)
	peer.(interface{ CloseWrite() error }).CloseWrite()
	return c, peer
}

// FuzzMessages: a Conn that reads arbitrary bytes delivers only valid text within
// its limit, the same by every way of reading, and ends with a documented error
// and one close frame at most.
func FuzzMessages(f *testing.F) {
	f.Fuzz(func(t *testing.T, input []byte, flags byte) {
		if len(input) > maxInput {
			return
		}
		const limit = 1 << 16
		role := websocket.Role(flags & 1)
		ext := ""
		if flags&2 > 0 {
			ext = takeover
		}
		var first []string
		for way := range 2 {
			opts := deflating()
			opts.ReadLimit, opts.KeepaliveInterval = limit, -1
			c, peer := fed(t, role, ext, &opts, input)
			raw := collect(peer)
			messages, err := readAll(c)
			if way == 1 {
				require.Equal(t, first, messages)
			}
			first = messages
			for _, m := range messages {
				require.LessOrEqual(t, len(m), limit+len("binary:"))
				if m[0] == 't' {
					require.True(t, utf8.ValidString(m))
				}
			}
			_, _, again := c.Read(context.Background())
			require.Equal(t, err, again)
			c.CloseNow()
			sound(t, role, err, refFrames(t, role, <-raw))
			peer.Close()
			if ext == "" {
				require.Equal(t, deliveries(refEvents(role, false, websocket.Limits{Message: limit, Frames: 1 << 17, Empty: 1 << 10}, input)), len(messages))
			}
		}
	})
}

func deliveries(events []string) (n int) {
	for _, e := range events {
		if e[0] == 'm' {
			n++
		}
	}
	return n
}

// FuzzClosing: whatever order the two sides' doings come in, one close frame goes
// out at most, no frame follows it, and reads and writes end with one error.
func FuzzClosing(f *testing.F) {
	f.Fuzz(func(t *testing.T, script []byte, client bool) {
		if len(script) > 24 {
			return
		}
		role := websocket.RoleServer
		if client {
			role = websocket.RoleClient
		}
		opts := websocket.Options{KeepaliveInterval: -1}
		c, peer := open(t, role, "", &opts, 0)
		raw := collect(peer)
		read := make(chan error, 1)
		go func() {
			_, err := readAll(c)
			read <- err
		}()
		over := make(chan struct{}, len(script))
		closing := 0
		for _, step := range script {
			if closing += closingStep(c, peer, role, step, over); closing > 3 {
				break
			}
		}
		peer.(interface{ CloseWrite() error }).CloseWrite()
		err := <-read
		for range closing {
			<-over
		}
		require.Error(t, c.Write(context.Background(), websocket.Text, nil))
		_, _, again := c.Read(context.Background())
		require.Equal(t, err, again)
		c.CloseNow()
		sound(t, role, err, refFrames(t, role, <-raw))
	})
}

// closingStep does what step says and returns how many goroutines it has started
// that will send to over.
func closingStep(c *websocket.Conn, peer net.Conn, role websocket.Role, step byte, over chan<- struct{}) int {
	ctx := context.Background()
	switch step % 12 {
	case 0:
		peer.Write(frames(role, "880203e8"))
	case 1:
		peer.Write(frames(role, "8800"))
	case 2:
		peer.Write(frames(role, "81026869"))
	case 3:
		peer.Write(frames(role, "8900"))
	case 4:
		peer.Write(frames(role, "8300"))
	case 5:
		peer.Write(frames(role, "88010388"))
	case 6:
		peer.Write(frames(role, "010161"))
	case 7:
		c.Write(ctx, websocket.Binary, []byte{step})
	case 8:
		peer.(interface{ CloseWrite() error }).CloseWrite()
	case 9:
		c.CloseNow()
	default:
		go func() {
			c.Close(websocket.StatusCode(1000+int(step)%2), "bye")
			over <- struct{}{}
		}()
		return 1
	}
	return 0
}

// script2wire drives a Sender by steps and notes in the reference's words what the
// other side has to see.
type script2wire struct {
	send    websocket.Sender
	data    []byte
	wire    []byte
	want    []string
	message []byte           // of the fragments so far
	op      websocket.Opcode // of the fragmented message, 0 if there is none
	closed  bool
}

// take returns the next n bytes of data, or what is left of it.
func (s *script2wire) take(n int) (p []byte) {
	n = min(n, len(s.data))
	p, s.data = s.data[:n], s.data[n:]
	return p
}

// step sends something; what the Sender refuses is not on the wire, and has to be
// what it may refuse.
func (s *script2wire) step(step byte) {
	p := s.take(int(step>>3) * 7)
	var err error
	before := len(s.wire)
	var event string
	switch step & 7 {
	case 0, 1:
		op := websocket.Text
		if step&1 > 0 || !utf8.Valid(p) { // a Sender trusts its caller with text
			op = websocket.Binary
		}
		s.wire, err = s.send.AppendMessage(s.wire, op, p)
		event = fmt.Sprintf("message %x:false:%x", uint8(op), p)
	case 2:
		s.wire, err = s.send.AppendCompressed(s.wire, websocket.Binary, p)
		event = fmt.Sprintf("message 2:true:%x", p)
	case 3, 4:
		event, err = s.fragment(p, step&7 == 4)
	case 5:
		s.wire, err = s.send.AppendPing(s.wire, p)
		event = fmt.Sprintf("control 9:%x", p)
	case 6:
		s.wire, err = s.send.AppendPong(s.wire, p)
		event = fmt.Sprintf("control a:%x", p)
	case 7:
		if step>>3 == 31 && !s.closed {
			s.wire = s.send.AppendClose(s.wire, websocket.StatusNormalClosure, "bye")
			s.dropPart()
			event = "close 1000 627965"
			s.closed = true
		}
	}
	if err != nil || len(s.wire) == before {
		return
	}
	if event != "" {
		s.dropPart()
		s.want = append(s.want, event)
	}
	if s.op != 0 && len(s.message) > 0 && !s.closed {
		s.want = append(s.want, s.part())
	}
}

func (s *script2wire) part() string {
	return fmt.Sprintf("part %x:%x", uint8(s.op), s.message)
}

// dropPart takes back the note of an unfinished message: it is the last of all.
func (s *script2wire) dropPart() {
	if n := len(s.want); n > 0 && strings.HasPrefix(s.want[n-1], "part ") {
		s.want = s.want[:n-1]
	}
}

// fragment sends a fragment of the message at hand, or begins one.
func (s *script2wire) fragment(p []byte, fin bool) (event string, err error) {
	op := s.op
	if op == 0 {
		op = websocket.Binary
	}
	if s.wire, err = s.send.AppendFragment(s.wire, op, p, fin); err != nil {
		return "", err
	}
	s.dropPart()
	s.op, s.message = op, append(s.message, p...)
	if !fin {
		return "", nil
	}
	event = fmt.Sprintf("message %x:false:%x", uint8(op), s.message)
	s.op, s.message = 0, nil
	return event, nil
}
