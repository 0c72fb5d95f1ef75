package suite

// This file is the fuzzing server: any client that was written for the original
// suite works through the cases over the same control URLs.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// ClientServer is the fuzzing server. Its fields are set before Serve.
type ClientServer struct {
	Cases  []*Case // those that clients are put to, in order
	Config Config  // Agent is not used: clients name themselves

	// Update is called when a client asks for the reports to be written, with all
	// reports of that client so far, in the order of the cases. May be nil.
	Update func(agent string, reports []*result.Case)

	mu      sync.Mutex
	done    map[string]map[int]*result.Case // agent, then number of the case
	playing map[string]int                  // connections of an agent in a case
	conns   map[net.Conn]bool
	wg      sync.WaitGroup
}

// Serve serves the connections of l until l is closed or ctx ends, and then waits for
// those that are open, which it closes.
func (f *ClientServer) Serve(ctx context.Context, l net.Listener) error {
	f.mu.Lock()
	f.done, f.playing = map[string]map[int]*result.Case{}, map[string]int{}
	f.conns = map[net.Conn]bool{}
	f.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if err != nil {
			f.closeAll()
			f.wg.Wait()
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		f.mu.Lock()
		f.conns[conn] = true
		f.mu.Unlock()
		f.wg.Go(func() {
			f.serve(conn)
			f.mu.Lock()
			delete(f.conns, conn)
			f.mu.Unlock()
		})
	}
}

func (f *ClientServer) closeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		c.Close()
	}
}

// serve serves one connection.
func (f *ClientServer) serve(conn net.Conn) {
	limit := time.Duration(float64(openTimeout) * f.Config.scale())
	r, err := readRequest(conn, limit)
	if err != nil {
		conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write([]byte(notWebSocket))
		conn.Close()
		return
	}
	query := r.url.Query()
	number, _ := strconv.Atoi(query.Get("case"))
	var c *Case
	if number >= 1 && number <= len(f.Cases) {
		c = f.Cases[number-1]
	}
	switch agent := query.Get("agent"); r.url.Path {
	case "/runCase":
		if c == nil || agent == "" {
			f.command(conn, r, closer(1008, "runCase needs case and agent"))
			return
		}
		f.count(agent, 1)
		r := f.playClient(conn, r, c, agent)
		f.finished(agent, number, r)
		f.count(agent, -1)
	case "/getCaseCount":
		f.command(conn, r, answer(len(f.Cases)))
	case "/getCaseInfo":
		if c == nil {
			f.command(conn, r, closer(1008, "getCaseInfo needs case"))
			return
		}
		f.command(conn, r, answer(map[string]string{"id": c.ID, "description": c.Description}))
	case "/getCaseStatus":
		f.command(conn, r, f.status(agent, number))
	case "/updateReports":
		f.command(conn, r, f.update(agent))
	default:
		f.command(conn, r, closer(1008, "unknown path "+r.url.Path))
	}
}

// playClient plays a case against the client of conn.
func (f *ClientServer) playClient(conn net.Conn, r *clientRequest, c *Case, agent string) *result.Case {
	started := time.Now()
	s := newSession(conn, true, &f.Config, uint64(c.Number))
	s.play = c.play()
	var params *deflateParams
	if c.accept != nil {
		params = c.accept(r.offers)
	}
	s.serverHandshake(r, params, c)
	s.begin(r.rest)
	s.loop()
	<-s.out.done
	return s.report(c, agent, started)
}

// finished keeps a report and wakes those who wait for it.
func (f *ClientServer) finished(agent string, number int, r *result.Case) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done[agent] == nil {
		f.done[agent] = map[int]*result.Case{}
	}
	f.done[agent][number] = r
	if f.Config.Done != nil {
		f.Config.Done(r)
	}
}

func (f *ClientServer) count(agent string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.playing[agent] += n
}

// Reports returns what an agent has done so far, in the order of the cases.
func (f *ClientServer) Reports(agent string) (list []*result.Case) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := range f.Cases {
		if r := f.done[agent][n+1]; r != nil {
			list = append(list, r)
		}
	}
	return list
}

// status answers /getCaseStatus when the case is done.
func (f *ClientServer) status(agent string, number int) func(*session) {
	return func(s *session) {
		s.every(0, func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			r := f.done[agent][number]
			if r != nil {
				answer(map[string]string{"behavior": r.Behavior})(s)
			}
			return r != nil
		})
	}
}

// update answers /updateReports. A client may be here before the suite has noticed
// the end of its last case.
func (f *ClientServer) update(agent string) func(*session) {
	return func(s *session) {
		s.every(0, func() bool {
			f.mu.Lock()
			busy := f.playing[agent] > 0
			f.mu.Unlock()
			if busy {
				return false
			}
			if f.Update != nil && agent != "" {
				f.Update(agent, f.Reports(agent))
			}
			s.sendClose(1000, nil)
			return true
		})
	}
}

// every calls f after d, and then again and again until it returns true.
func (s *session) every(d time.Duration, f func() bool) {
	s.after(d, func() {
		if !f() {
			s.every(20*time.Millisecond, f)
		}
	})
}

// command plays a control URL.
func (f *ClientServer) command(conn net.Conn, r *clientRequest, do func(*session)) {
	s := newSession(conn, true, &f.Config, 0)
	s.play = command(do)
	s.serverHandshake(r, nil, &Case{})
	s.begin(r.rest)
	s.loop()
	<-s.out.done
}

// command is the player of a control URL: it does one thing and wants nothing.
type command func(*session)

func (c command) open(s *session)              { c(s) }
func (command) message(*session, message)      {}
func (command) pong(*session, []byte)          {}
func (command) verdict(s *session) (v verdict) { return v }

// answer sends v as JSON and closes.
func answer(v any) func(*session) {
	return func(s *session) {
		b, err := json.Marshal(v)
		if err != nil {
			panic(fmt.Sprintf("autobahn: %v", err)) // v is a number or a map of strings
		}
		s.sendMessage(opText, b, 0, 0)
		s.sendClose(1000, nil)
	}
}

func closer(code int, reason string) func(*session) {
	return func(s *session) { s.sendClose(code, []byte(reason)) }
}
