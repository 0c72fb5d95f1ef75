// The chat's server, each connection an in-memory pipe, time the bubble's own.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket"
)

// person is a client of the hub and what the hub's side of its connection ended with.
type person struct {
	t     *testing.T
	conn  *websocket.Conn
	ended chan error
}

func connect(t *testing.T, h *hub) *person {
	ours, theirs := net.Pipe()
	server, err := websocket.NewConn(theirs, websocket.Handshake{Role: websocket.RoleServer}, &websocket.Options{ReadLimit: readLimit})
	require.NoError(t, err)
	conn, err := websocket.NewConn(ours, websocket.Handshake{Role: websocket.RoleClient}, nil)
	require.NoError(t, err)
	p := &person{t: t, conn: conn, ended: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := h.serve(server.Context(), server)
		if e := (*websocket.CloseError)(nil); errors.As(err, &e) && !e.Remote {
			server.Close(e.Code, e.Reason)
		}
		server.CloseNow()
		p.ended <- err
	}()
	t.Cleanup(func() {
		conn.CloseNow()
		<-conn.Context().Done()
		<-server.Context().Done()
		<-done
	})
	return p
}

// enter connects and joins, and returns the welcome too.
func enter(t *testing.T, h *hub, join message) (*person, message) {
	t.Helper()
	p := connect(t, h)
	join.Type = "join"
	p.send(join)
	return p, p.next("welcome")
}

func (p *person) send(m message) {
	p.t.Helper()
	text, err := json.Marshal(m)
	require.NoError(p.t, err)
	require.NoError(p.t, p.conn.Write(context.Background(), websocket.Text, text))
}

// next returns the next message, which has to be of that type.
func (p *person) next(what string) (m message) {
	p.t.Helper()
	_, text, err := p.conn.Read(context.Background())
	require.NoError(p.t, err)
	require.NoError(p.t, json.Unmarshal(text, &m))
	require.Equal(p.t, what, m.Type, string(text))
	return m
}

// closed returns the code that the hub closed the connection with.
func (p *person) closed() websocket.StatusCode {
	p.t.Helper()
	_, text, err := p.conn.Read(context.Background())
	var e *websocket.CloseError
	require.ErrorAs(p.t, err, &e, string(text))
	return e.Code
}

func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		ana, welcome := enter(t, h, message{Name: "Ana"})
		require.Equal(t, message{Type: "welcome", Name: "Ana", People: []string{"Ana"}}, welcome)
		ben, welcome := enter(t, h, message{Name: "Ben"})
		require.ElementsMatch(t, []string{"Ana", "Ben"}, welcome.People)
		require.Equal(t, message{Type: "join", Name: "Ben"}, ana.next("join"))

		require.NoError(t, ben.conn.Close(websocket.StatusNormalClosure, ""))
		require.Equal(t, message{Type: "leave", Name: "Ben"}, ana.next("leave"))

		cut, _ := enter(t, h, message{Name: "Cut"})
		require.Equal(t, "Cut", ana.next("join").Name)
		cut.conn.CloseNow() // no close frame
		require.Equal(t, "Cut", ana.next("leave").Name)
	})
}

func TestSayAndHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		ana, _ := enter(t, h, message{Name: "Ana"})
		for i := range keep + 10 {
			ana.send(message{Type: "say", Text: strconv.Itoa(i), Ref: "r" + strconv.Itoa(i), Name: "Somebody else"})
			m := ana.next("say")
			require.Equal(t, []string{"Ana", strconv.Itoa(i), "r" + strconv.Itoa(i)}, []string{m.Name, m.Text, m.Ref})
		}
		_, welcome := enter(t, h, message{Name: "Ben", Key: "secret"})
		require.Len(t, welcome.History, keep)
		for i, m := range welcome.History {
			require.Equal(t, strconv.Itoa(i+10), m.Text)
			require.Empty(t, m.Key)
			if i > 0 {
				require.Greater(t, m.At, welcome.History[i-1].At)
			}
		}
	})
}

func TestNumbersRiseWithinOneInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		ana, _ := enter(t, h, message{Name: "Ana"})
		ben, _ := enter(t, h, message{Name: "Ben"})
		ana.next("join")
		<-time.After(pace) // both may speak again: now they do, in the same millisecond of the bubble
		ana.send(message{Type: "say", Text: "one"})
		ben.send(message{Type: "say", Text: "two"})
		first, second := ana.next("say"), ana.next("say")
		require.Equal(t, first.At+1, second.At)
		ben.next("say")
		ben.next("say")
	})
}

func TestWhatIsSaidIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		ana, welcome := enter(t, h, message{Name: "  " + strings.Repeat("ä", maxName+1), Room: strings.Repeat("r", maxName+1)})
		require.Equal(t, strings.Repeat("ä", maxName), welcome.Name)
		ana.send(message{Type: "say"}) // nothing: nobody is told
		ana.send(message{Type: "say", Text: strings.Repeat("界", maxText+1)})
		require.Equal(t, strings.Repeat("界", maxText), ana.next("say").Text)
		ana.send(message{Type: "ping"})
		require.Equal(t, map[string]int{strings.Repeat("r", maxName): 1}, ana.next("pong").Rooms)

		_, welcome = enter(t, h, message{Name: strings.Repeat("x", maxName-1) + " y"})
		require.Equal(t, strings.Repeat("x", maxName-1), welcome.Name)
		nobody, welcome := enter(t, h, message{Name: " ", Room: " attic"})
		require.Equal(t, "Guest", welcome.Name)
		go nobody.conn.Write(context.Background(), websocket.Text, make([]byte, readLimit+1)) // fails on the way
		require.Equal(t, websocket.StatusMessageTooBig, nobody.closed())
	})
}

func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		ben, _ := enter(t, h, message{Name: "Ben"})
		ana, _ := enter(t, h, message{Name: "Ana", Key: "a"})
		ben.next("join")
		_, welcome := enter(t, h, message{Name: "Ana", Key: "b"})
		require.Equal(t, "Ana 2", welcome.Name)
		require.Equal(t, "Ana 2", ben.next("join").Name)
		require.Equal(t, "Ana 2", ana.next("join").Name)

		// The first Ana is back on a new connection. Nobody is told, because nobody came or left.
		again, welcome := enter(t, h, message{Name: "Ana", Key: "a"})
		require.Equal(t, "Ana", welcome.Name)
		require.ElementsMatch(t, []string{"Ana", "Ana 2", "Ben"}, welcome.People)
		require.EqualValues(t, 4000, ana.closed())
		require.ErrorIs(t, <-ana.ended, errReplaced)
		again.send(message{Type: "say", Text: "back"})
		require.Equal(t, "back", ben.next("say").Text)
	})
}

func TestRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		ana, _ := enter(t, h, message{Name: "Ana"})
		ben, _ := enter(t, h, message{Name: "Ben"})
		ana.next("join")
		ben.send(message{Type: "join", Name: "Ben", Room: "ideas"})
		require.Empty(t, ben.next("welcome").History)
		require.Equal(t, "Ben", ana.next("leave").Name)

		ana.send(message{Type: "say", Text: "only in the lobby"})
		ana.next("say")
		ben.send(message{Type: "ping"})
		require.Equal(t, map[string]int{"lobby": 1, "ideas": 1}, ben.next("pong").Rooms)

		ben.send(message{Type: "join", Name: "Ben", Room: "lobby"})
		require.Equal(t, "only in the lobby", ben.next("welcome").History[0].Text)
		for i := range maxRooms + 5 {
			ben.send(message{Type: "join", Name: "Ben", Room: strconv.Itoa(i)})
			ben.next("welcome")
		}
		ben.send(message{Type: "ping"})
		rooms := ben.next("pong").Rooms
		require.LessOrEqual(t, len(rooms), maxRooms)
		require.Equal(t, 1, rooms["lobby"], "a room with people is not forgotten")
		ana.next("join")
		ana.next("leave")
	})
}

func TestSlowReaderIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		ana, _ := enter(t, h, message{Name: "Ana"})
		slow, _ := enter(t, h, message{Name: "Slow"})
		ana.next("join")
		// Slow reads no more. One message is on its way to it, so many are queued, and the next is one too many.
		started := time.Now()
		for i := range 1 + queue + 1 {
			ana.send(message{Type: "say", Text: strconv.Itoa(i)})
			require.Equal(t, strconv.Itoa(i), ana.next("say").Text)
		}
		require.Equal(t, "Slow", ana.next("leave").Name)
		require.Equal(t, "0", slow.next("say").Text) // and is told, should it read again
		require.Equal(t, websocket.StatusTryAgainLater, slow.closed())
		require.ErrorIs(t, <-slow.ended, errTooSlow)
		require.LessOrEqual(t, time.Since(started), (1+queue+1)*pace+websocketCloseTimeout, "the others were held up")
	})
}

// websocketCloseTimeout is how long a connection may take to end that cannot take the close frame.
const websocketCloseTimeout = 10 * time.Second

func TestFlooderWaits(t *testing.T) {
	for sent, got := range map[string]string{"say": "say", "ping": "pong"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHub()
			ana, _ := enter(t, h, message{Name: "Ana"})
			go func() {
				for range 21 {
					ana.send(message{Type: sent, Text: "buy!"})
				}
			}()
			ana.next(got)
			first := time.Now()
			for range 20 {
				ana.next(got)
			}
			require.Equal(t, 20*pace, time.Since(first))
		})
	}
}

func TestStrangersAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newHub())
		p.send(message{Type: "say", Text: "before a join: nobody hears it"})
		require.NoError(t, p.conn.Write(context.Background(), websocket.Text, []byte("hello?")))
		require.EqualValues(t, 4001, p.closed())
	})
}
