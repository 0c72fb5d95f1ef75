package websocket

// Tests of the Assembler: what it hands out, where that lies, and that a peer
// pays for memory with bytes. Most drive it together with a Receiver, as a driver
// does: with reads of any size, into the room it offers where it offers one.

import (
	"bytes"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// chunk is an event as a Receiver would make it.
func chunk(first bool, data string, fin bool) Event {
	return Event{Kind: KindChunk, Op: Binary, First: first, Fin: fin, Data: []byte(data)}
}

// at is where p lies, even if it is empty.
func at(p []byte) *byte {
	if cap(p) == 0 {
		return nil
	}
	return &p[:1][0]
}

func TestMessageOfOneChunk(t *testing.T) {
	var a Assembler
	for _, data := range []string{"", "Hello", strings.Repeat("x", 1<<20)} {
		ev := chunk(true, data, true)
		p, done := a.Add(ev)
		require.True(t, done)
		require.Equal(t, data, string(p))
		require.Same(t, at(ev.Data), at(p), "it is left where it lies")
		require.Empty(t, a.Held())
		require.Nil(t, a.Reset(), "and costs no buffer")
	}
}

func TestMessageOfChunks(t *testing.T) {
	var a Assembler
	for range 3 { // a message is not heard in the next
		p, done := a.Add(chunk(true, "Hel", false))
		require.False(t, done)
		require.Equal(t, "Hel", string(p))
		require.Equal(t, "Hel", string(a.Held()))
		p, done = a.Add(chunk(false, "l", false))
		require.False(t, done)
		require.Equal(t, "Hell", string(p))
		p, done = a.Add(chunk(false, "o", true))
		require.True(t, done)
		require.Equal(t, "Hello", string(p))
		require.Empty(t, a.Held(), "a message that is complete is not held any more")

		a.Add(chunk(true, "only", false))
		p, done = a.Add(chunk(false, "", true))
		require.True(t, done)
		require.Equal(t, "only", string(p))

		p, done = a.Add(chunk(true, "whole", true))
		require.True(t, done)
		require.Equal(t, "whole", string(p))
		require.Empty(t, a.Held())
	}
}

func TestMessageReset(t *testing.T) {
	var a Assembler
	require.Nil(t, a.Reset())
	a.Add(chunk(true, "abandoned", false))
	a.Add(chunk(true, "a new ", false))
	p, done := a.Add(chunk(false, "message", true))
	require.True(t, done)
	require.Equal(t, "a new message", string(p), "a first chunk begins anew")

	a.Add(chunk(true, "abandoned", false))
	buf := a.Reset()
	require.Equal(t, "abandoned", string(buf))
	require.Empty(t, a.Held())
	require.Nil(t, a.Room(1<<20))
	p, done = a.Add(chunk(true, "next", true))
	require.True(t, done)
	require.Equal(t, "next", string(p))
	p, _ = a.Add(chunk(true, "ne", false))
	require.NotSame(t, at(buf), at(p), "the buffer was given away")
}

// There is no room before a message has begun to arrive, for a rest that the read
// buffer takes as well, and where the room would be too small to be worth a read.
func TestMessageRoom(t *testing.T) {
	var a Assembler
	require.Nil(t, a.Room(1<<40), "a header alone buys nothing")
	a.Add(chunk(true, "x", false))
	require.Nil(t, a.Room(1<<40), "one byte buys no read of one byte")
	a.Reset()

	begin := strings.Repeat("x", minRoom)
	a.Add(chunk(true, begin, false))
	require.Nil(t, a.Room(0))
	require.Nil(t, a.Room(minRoom-1))
	room := a.Room(minRoom)
	require.Len(t, room, minRoom)
	require.Same(t, at(room), at(a.Room(minRoom)), "asking twice gives the same")
	require.Equal(t, begin, string(a.Held()))
	copy(room, "in place")
	p, done := a.Add(Event{Kind: KindChunk, Data: room[:8], Fin: true})
	require.True(t, done)
	require.Equal(t, begin+"in place", string(p))
	require.Same(t, at(room), at(p[minRoom:]))

	require.Nil(t, a.Room(1<<40), "the message is complete: there is no room behind it")
}

// A room is never larger than what arrived, or than the message before.
func TestMessageRoomIsPaidFor(t *testing.T) {
	for _, had := range []int{0, 100, minRoom, 100 << 10, 1 << 20} {
		for _, got := range []int{1, 100, minRoom - 1, minRoom, minRoom + 1, 64 << 10, 1 << 20} {
			for _, pending := range []uint64{minRoom, minRoom + 1, 100 << 10, 1 << 20, 1 << 62} {
				name := fmt.Sprintf("%d before, %d arrived, %d claimed", had, got, pending)
				var a Assembler
				if had > 0 {
					a.Add(chunk(true, strings.Repeat("h", had-1), false))
					a.Add(chunk(false, "h", true))
					a.Reset()
				}
				a.Add(chunk(true, strings.Repeat("g", got), false))
				room := a.Room(pending)
				require.LessOrEqual(t, cap(a.buf), max(2*got, had), name)
				require.LessOrEqual(t, uint64(len(room)), pending, name)
				require.True(t, room == nil || len(room) >= minRoom, "%d bytes of room: %s", len(room), name)
				if max(got, had-got) >= minRoom {
					require.NotNil(t, room, name)
				}
			}
		}
	}
}

// Fragments of one byte, empty ones in between, never a last one: what is held is
// one buffer of at most twice what arrived.
func TestMessageOfTinyFragments(t *testing.T) {
	var a Assembler
	const frames = 131_000
	grown := 0
	last := 0
	for i := range frames {
		a.Add(chunk(i == 0, "x", false))
		require.Nil(t, a.Room(0))
		if c := cap(a.buf); c != last {
			grown, last = grown+1, c
		}
		if n := i + 1; cap(a.buf) > 2*n {
			t.Fatalf("%d bytes held for %d that arrived", cap(a.buf), n)
		}
	}
	require.Len(t, a.Held(), frames)
	require.LessOrEqual(t, grown, 18, "it doubles")
}

func TestMessageGrow(t *testing.T) {
	var grown []int
	var handed []byte
	a := Assembler{Grow: func(buf []byte, n int) []byte {
		require.Greater(t, n, cap(buf))
		if buf != nil {
			require.Same(t, at(handed), at(buf), "it is asked to grow what it gave")
		}
		grown = append(grown, n)
		handed = append(make([]byte, 0, n+100), buf...)
		for i := range buf {
			buf[i] = canary // as if it were used again at once
		}
		return handed
	}}
	var want string
	for i := range 300 {
		part := strings.Repeat(string(rune('a'+i%26)), i)
		want += part
		if part == "" {
			part = "-"
			want += part
		}
		p, done := a.Add(chunk(i == 0, part, i == 299))
		require.Equal(t, i == 299, done)
		require.Equal(t, len(want), len(p))
	}
	p := a.Reset()
	require.Same(t, at(handed), at(p), "Reset gives back what Grow gave")
	require.Equal(t, want, string(p[:len(want)]))
	require.LessOrEqual(t, len(grown), 17)
	for i := 1; i < len(grown); i++ {
		require.GreaterOrEqual(t, grown[i], grown[i-1])
	}

	handed = nil
	a.Add(chunk(true, strings.Repeat("x", minRoom), false))
	grown = nil
	room := a.Room(1 << 40)
	require.Len(t, grown, 1, "room is made by Grow, too")
	require.Len(t, room, cap(handed)-minRoom, "and what Grow gave beyond is used")
}

// wireOf returns messages of these sizes as a peer sends them to role, cut into
// fragments of at most most bytes, with a ping between them.
func wireOf(role Role, sizes []int, most int) (wire []byte, messages [][]byte) {
	for _, size := range sizes {
		p := ascending(size)
		messages = append(messages, p)
		for i := 0; ; i += most {
			part := p[i:min(i+most, len(p))]
			b0 := byte(0)
			if i == 0 {
				b0 = 2
			}
			if i+len(part) == len(p) {
				b0 |= 0x80
			}
			frame := []byte{b0, byte(len(part))}
			if len(part) > 125 {
				frame = append([]byte{b0, 126}, byte(len(part)>>8), byte(len(part)))
			}
			if len(part) > 65535 {
				frame = append([]byte{b0, 127}, unhex(be64(uint64(len(part))))...)
			}
			frame = append(frame, part...)
			ping := unhex("89 03 706970")
			if role == RoleServer {
				frame, _ = maskFrame(frame, testKeys[i%3])
				ping, _ = maskFrame(ping, testKeys[1])
			}
			wire = append(wire, frame...)
			if b0 >= 128 {
				break
			}
			wire = append(wire, ping...)
		}
	}
	return wire, messages
}

// driven is what a loop as in a driver did with a wire.
type driven struct {
	messages [][]byte
	pings    int
	reads    int // of any kind
	placed   int // bytes that were read to where the user saw them
}

// drive reads wire with a Receiver and an Assembler: into room if there is any,
// else into a read buffer of size bytes that is overwritten for each read. read
// says how many bytes a read brings at most.
func drive(t *testing.T, r *Receiver, a *Assembler, wire []byte, size int, read func() int) (d driven) {
	buf, stale := make([]byte, size), bytes.Repeat([]byte{canary}, size)
	held := 0 // of the message at hand
	for len(wire) > 0 {
		b := buf
		copy(buf, stale)
		room := a.Room(r.Pending())
		if room != nil {
			b = room
			if uint64(len(room)) > r.Pending() || len(room) < minRoom {
				t.Fatalf("room for %d bytes, %d pending", len(room), r.Pending())
			}
		}
		n := copy(b[:min(len(b), read())], wire)
		b, wire = b[:n], wire[n:]
		d.reads++
		for len(b) > 0 {
			ev, n := r.Next(b)
			b = b[n:]
			switch ev.Kind {
			case KindFail:
				t.Fatal(r.Err())
			case KindPing:
				d.pings++
			case KindChunk:
				held += len(ev.Data)
				p, done := a.Add(ev)
				if room != nil {
					if at(ev.Data) != at(p[len(p)-len(ev.Data):]) {
						t.Fatal("read in place, but copied")
					}
					d.placed += n
				}
				if done {
					d.messages = append(d.messages, bytes.Clone(p))
					held = 0
				} else if len(a.Held()) != held {
					t.Fatalf("%d bytes held, %d arrived", len(a.Held()), held)
				}
			}
		}
	}
	return d
}

// Random messages through random reads come out as they went in.
func TestMessageDriven(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	placed := 0
	for _, role := range bothRoles {
		for round := range 40 {
			var sizes []int
			for range 1 + rnd.Intn(8) {
				sizes = append(sizes, rnd.Intn(1<<rnd.Intn(20)))
			}
			wire, messages := wireOf(role, sizes, 1+rnd.Intn(1<<(5+rnd.Intn(16))))
			most := 1 + rnd.Intn(1<<(6+rnd.Intn(14)))
			var r Receiver
			r.Reset(role, false, Limits{})
			var a Assembler
			if round%2 == 1 {
				a.Grow = func(buf []byte, n int) []byte {
					bigger := append(make([]byte, 0, n+rnd.Intn(n+1)), buf...)
					copy(buf, bytes.Repeat([]byte{canary}, len(buf)))
					return bigger
				}
			}
			d := drive(t, &r, &a, wire, 4<<10, func() int { return 1 + rnd.Intn(most) })
			require.Equal(t, len(messages), len(d.messages), "%s, sizes %d", roleName(role), sizes)
			for i := range messages {
				require.True(t, bytes.Equal(messages[i], d.messages[i]), "%s, message %d of sizes %d", roleName(role), i, sizes)
			}
			placed += d.placed
		}
	}
	require.Greater(t, placed, 1<<20, "the way in place has not been taken")
}

// A large message is read to where it is seen, in few reads: all of it but what
// came before the Assembler had any reason to believe in it.
func TestMessageInPlace(t *testing.T) {
	const size = 1 << 20
	for _, role := range bothRoles {
		wire, messages := wireOf(role, []int{size, size, size}, size)
		var r Receiver
		r.Reset(role, false, Limits{})
		var a Assembler
		for i := range messages {
			end := (i + 1) * len(wire) / 3
			d := drive(t, &r, &a, wire[i*len(wire)/3:end], 4<<10, func() int { return size })
			require.Len(t, d.messages, 1)
			require.True(t, bytes.Equal(messages[i], d.messages[0]))
			if i == 0 {
				require.LessOrEqual(t, d.reads, 12)
				require.GreaterOrEqual(t, d.placed, size-16<<10)
			} else {
				require.Equal(t, 2, d.reads, "the header, and the rest: the peer has shown that it sends such")
				require.GreaterOrEqual(t, d.placed, size-4<<10)
			}
			require.LessOrEqual(t, cap(a.buf), 2*size)
		}
	}
}

// A thousand connections that claim 2^62 bytes and send none.
func TestMessageClaimed(t *testing.T) {
	for _, role := range bothRoles {
		in, _ := draw("82 7F 4000000000000000", role)
		begun, _ := draw("82 7F 4000000000000000 00", role)
		for range 1000 {
			var r Receiver
			r.Reset(role, false, Limits{})
			var a Assembler
			ev, _ := r.Next(bytes.Clone(in))
			require.Equal(t, KindNone, ev.Kind)
			require.Equal(t, uint64(1<<62), r.Pending())
			require.Nil(t, a.Room(r.Pending()))
			r.Reset(role, false, Limits{})
			ev, _ = r.Next(bytes.Clone(begun))
			a.Add(ev)
			require.Nil(t, a.Room(r.Pending()))
			require.LessOrEqual(t, cap(a.buf), 2)
		}
	}
}

// In steady state nothing is allocated for a message, whole or in parts.
func TestMessageAllocatesNothing(t *testing.T) {
	for _, role := range bothRoles {
		for _, size := range []int{0, 16, 1 << 10, 64 << 10, 1 << 20} {
			for _, most := range []int{size + 1, size/3 + 1} {
				wire, messages := wireOf(role, []int{size}, most)
				in := make([]byte, len(wire))
				var r Receiver
				r.Reset(role, false, Limits{Message: 1 << 20, Frames: 10, Empty: 10})
				var a Assembler
				bad := 0
				allocs := testing.AllocsPerRun(20, func() {
					copy(in, wire)
					for b := in; len(b) > 0; {
						piece := b[:min(4<<10, len(b))]
						b = b[len(piece):]
						for len(piece) > 0 {
							ev, n := r.Next(piece)
							piece = piece[n:]
							if ev.Kind != KindChunk {
								continue
							}
							if p, done := a.Add(ev); done && !bytes.Equal(p, messages[0]) {
								bad++
							}
						}
					}
				})
				require.Zero(t, bad)
				require.NoError(t, r.Err())
				require.Zero(t, allocs, "%s, %d bytes in frames of %d", roleName(role), size, most)
			}
		}
	}
}
