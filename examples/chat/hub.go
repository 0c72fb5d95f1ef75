// The rooms: who is where, what was said there last, and who is told of it. One mutex guards it all, and nothing
// blocks while it is held. Each connection calls handle for what it was sent, and once more when it has ended.

package main

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxName  = 24   // characters of a person's or a room's name
	maxText  = 1000 // characters of what is said
	maxRooms = 100  // with so many, rooms without people are forgotten
	keep     = 50   // messages a room remembers
)

type hub struct {
	mu    sync.Mutex
	rooms map[string]*room
	last  int64 // At of the newest message
}

type room struct {
	people  map[string]*client // by name
	history []message
}

func newHub() *hub { return &hub{rooms: map[string]*room{}} }

func (r *room) everyone() []*client { return slices.Collect(maps.Values(r.people)) }

// handle does what m asks for. It alone locks.
func (h *hub) handle(c *client, m message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch r := c.room; {
	case m.Type == "ping":
		pong := message{Type: "pong", Rooms: map[string]int{}}
		for name, r := range h.rooms {
			pong.Rooms[name] = len(r.people)
		}
		pong.send(c)
	case m.Type == "say" && r != nil && m.Text != "":
		h.last = max(h.last+1, time.Now().UnixMilli())
		said := message{Type: "say", Name: c.name, Text: cut(m.Text, maxText), Ref: m.Ref, At: h.last}
		r.history = append(r.history[max(0, len(r.history)-keep+1):], said)
		said.send(r.everyone()...)
	case m.Type == "join":
		h.leave(c)
		h.join(c, cmp.Or(cut(m.Room, maxName), "lobby"), cmp.Or(cut(m.Name, maxName), "Guest"), m.Key)
	case m.Type == "leave":
		h.leave(c)
	}
}

// join brings c into a room, under a name that nobody else has there. A page that is back before the death of its
// old connection was noticed takes its own name over.
func (h *hub) join(c *client, where, name, key string) {
	r := h.rooms[where]
	if r == nil {
		if len(h.rooms) >= maxRooms {
			maps.DeleteFunc(h.rooms, func(_ string, r *room) bool { return len(r.people) == 0 })
		}
		r = &room{people: map[string]*client{}}
		h.rooms[where] = r
	}
	c.room, c.name, c.key = r, name, key
	for n := 2; r.people[c.name] != nil && r.people[c.name].key != key; n++ {
		c.name = name + " " + strconv.Itoa(n)
	}
	if old := r.people[c.name]; old != nil {
		old.room = nil
		old.stop(errReplaced)
	} else {
		message{Type: "join", Name: c.name}.send(r.everyone()...)
	}
	r.people[c.name] = c
	message{Type: "welcome", Name: c.name, People: slices.Collect(maps.Keys(r.people)), History: r.history}.send(c)
}

func (h *hub) leave(c *client) {
	if c.room != nil {
		delete(c.room.people, c.name)
		message{Type: "leave", Name: c.name}.send(c.room.everyone()...)
		c.room = nil
	}
}

// cut returns at most n characters of s, without space around them.
func cut(s string, n int) string {
	r := []rune(strings.TrimSpace(s))
	return strings.TrimSpace(string(r[:min(n, len(r))]))
}
