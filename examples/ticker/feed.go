// The feed: prices, made anew every interval, and the connections that follow them. One mutex guards it.
//
// Nobody has a queue. A connection writes the newest tick, then waits for a newer one: who reads slowly gets fewer
// ticks instead of old ones, and a thousand slow readers cost no memory. A tick is framed once for all of them.

package main

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed9f1f0156/websocket"
)

const (
	interval = 200 * time.Millisecond
	keep     = 600 // ticks that a new page is given: two minutes
)

// tick is the prices at one instant, in the order of the names; a JSON text message of its own.
type tick struct {
	At     int64     `json:"at"` // ms since 1970
	Prices []float64 `json:"prices"`
}

// hello is the first message of a connection.
type hello struct {
	Names   []string `json:"names"`
	History []tick   `json:"history"`
}

type feed struct {
	mu      sync.Mutex
	names   []string
	history []tick
	newest  *websocket.Prepared
	newer   chan struct{} // closed when newest is replaced
}

// newFeed returns a feed with a past, so that the first page has something to draw.
func newFeed(names ...string) *feed {
	now := time.Now()
	first := tick{Prices: make([]float64, len(names))}
	for i := range names {
		first.Prices[i] = 40 + 35*float64(i)
	}
	f := &feed{names: names, history: []tick{first}, newer: make(chan struct{})}
	for i := range keep {
		f.advance(now.Add(time.Duration(i-keep) * interval))
	}
	return f
}

// run makes prices until ctx ends.
func (f *feed) run(ctx context.Context) {
	beat := time.NewTicker(interval)
	defer beat.Stop()
	for {
		select {
		case now := <-beat.C:
			f.advance(now)
		case <-ctx.Done():
			return
		}
	}
}

// advance lets each price take a random step and wakes everybody who waits for it.
func (f *feed) advance(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.history[len(f.history)-1]
	t := tick{At: now.UnixMilli(), Prices: make([]float64, len(last.Prices))}
	for i, price := range last.Prices {
		t.Prices[i] = math.Round(price*math.Exp(rand.NormFloat64()*0.0012)*100) / 100
	}
	f.history = append(f.history[max(0, len(f.history)-keep+1):], t)
	text, _ := json.Marshal(t) // numbers only: it cannot fail
	f.newest, _ = websocket.Prepare(websocket.Text, text)
	close(f.newer)
	f.newer = make(chan struct{})
}

func (f *feed) latest() (*websocket.Prepared, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.newest, f.newer
}

func (f *feed) hello() ([]byte, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, _ := json.Marshal(hello{Names: f.names, History: f.history})
	return text, f.newer
}

// serve is the life of one connection. A page has nothing to say, but somebody must read all the same: CloseRead
// answers pings, drops what comes, and ends the context when the page goes.
func (f *feed) serve(ctx context.Context, c *websocket.Conn) error {
	ctx = c.CloseRead(ctx)
	text, newer := f.hello()
	if err := c.Write(ctx, websocket.Text, text); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-newer:
		}
		var p *websocket.Prepared
		p, newer = f.latest()
		if err := c.WritePrepared(ctx, p); err != nil {
			return err
		}
	}
}
