package websocket

// Many connections: a Server upgrades requests, runs a handler for each
// connection on a goroutine of its own, knows them all, and ends well.

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

// A Server is an [http.Handler] that answers opening handshakes and runs Handler
// for each connection. It can be used in any mux and behind middleware, and on any
// number of paths. Its fields must not be changed once it is in use.
//
//	http.Handle("/echo", &websocket.Server{Handler: echo})
type Server struct {
	// Handler is run for each connection, on a goroutine of its own, so that
	// nothing of net/http stays in memory behind it. ctx is the connection's
	// [Conn.Context]. When Handler returns, the connection is closed if it is not
	// yet: with 1000 for a nil error, with the code and reason of a [*CloseError]
	// of its own making, with 1001 when ctx or the like ended, and with 1011 for
	// any other error or a panic. The text of an error is not sent. But a nil error
	// of a Handler that has called [Conn.Handle] closes nothing: that does, when it is
	// over. Without Handler every request is refused with 500.
	Handler func(ctx context.Context, c *Conn) error

	// AcceptOptions are those of every connection.
	AcceptOptions

	// MaxConns is how many connections there may be, and MaxConnsPerKey how many
	// for each value of Key, for example an address or a user. Others are refused
	// with 503 and 429. 0 means no limit.
	MaxConns, MaxConnsPerKey int
	Key                      func(*http.Request) string

	// ShutdownSpread is over how much time Shutdown spreads its close frames, so
	// that not all clients come back at the same moment. RetryAfter is what
	// newcomers are told meanwhile, in the header of that name; 0 means 5 seconds.
	ShutdownSpread, RetryAfter time.Duration

	// Panic is called with what Handler panicked with, or a hook, and the stack. The
	// panic is recovered in any case: other connections go on.
	Panic func(c *Conn, v any, stack []byte)

	mu      sync.Mutex
	conns   map[*Conn]struct{}
	keyOf   map[*Conn]string // if there is a Key
	claimed int              // conns, and those whose handshake is under way
	keys    map[string]int   // the same by key
	closing bool
	late    bool          // closing, and the context of a Shutdown has ended
	empty   chan struct{} // closed when closing and claimed is 0
}

// ServeHTTP answers one opening handshake (RFC 6455, section 4.2).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Handler == nil {
		endAfter(w.Header(), r)
		http.Error(w, "this websocket.Server has no Handler", http.StatusInternalServerError)
		return
	}
	var key string
	if s.Key != nil {
		key = s.Key(r)
	}
	if status, why := s.claim(key); status != 0 {
		s.refuse(w, r, status, why)
		return
	}
	entered := false
	defer func() {
		if !entered {
			s.release(key) // Accept has answered, or a hook of it panicked
		}
	}()
	c, err := Accept(w, r, &s.AcceptOptions)
	if err != nil {
		return
	}
	entered = true
	switch closing, late := s.enter(c, key); {
	case late:
		c.CloseNow()
	case closing:
		go s.end(c, StatusGoingAway, "")
	default:
		go s.run(c)
	}
}

// claim takes a place for a connection to come, or says with which status it is
// refused.
func (s *Server) claim(key string) (status int, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return http.StatusServiceUnavailable, "the server is shutting down"
	case s.MaxConns > 0 && s.claimed >= s.MaxConns:
		return http.StatusServiceUnavailable, "the server has as many connections as it takes"
	case s.MaxConnsPerKey > 0 && s.Key != nil && s.keys[key] >= s.MaxConnsPerKey:
		return http.StatusTooManyRequests, "too many connections of the same client"
	}
	s.claimed++
	if s.Key != nil {
		if s.keys == nil {
			s.keys = make(map[string]int)
		}
		s.keys[key]++
	}
	return 0, ""
}

// release gives a place back that no connection has taken.
func (s *Server) release(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.releaseLocked(key)
}

func (s *Server) releaseLocked(key string) {
	if s.claimed--; s.claimed == 0 && s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
	if s.Key == nil {
		return
	}
	if s.keys[key]--; s.keys[key] == 0 {
		delete(s.keys, key)
	}
}

// refuse answers a request without looking at it further.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	after := s.RetryAfter
	if after <= 0 {
		after = 5 * time.Second
	}
	w.Header().Set("Retry-After", strconv.Itoa(int((after+time.Second-1)/time.Second)))
	endAfter(w.Header(), r)
	http.Error(w, why, status)
}

// enter makes the connection known, and tells whether the server began to shut down
// while it was being made, and whether the time for that is over.
func (s *Server) enter(c *Conn, key string) (closing, late bool) {
	s.mu.Lock()
	if s.conns == nil {
		s.conns = make(map[*Conn]struct{})
		s.keyOf = make(map[*Conn]string)
	}
	s.conns[c] = struct{}{} // before join: then the connection may take it out again at once
	if s.Key != nil {
		s.keyOf[c] = key
	}
	closing, late = s.closing, s.late
	s.mu.Unlock()
	if !c.join(s) {
		s.leave(c)
	}
	return closing, late
}

// leave is deferred by a connection that ends, and recovers from what Hooks.Close panics
// with.
func (s *Server) leave(c *Conn) {
	v := recover()
	s.mu.Lock()
	key := s.keyOf[c]
	delete(s.conns, c)
	delete(s.keyOf, c)
	s.releaseLocked(key)
	s.mu.Unlock()
	s.panicked(c, v)
}

// run is the goroutine of one connection.
func (s *Server) run(c *Conn) {
	err := errPanic // if the handler ends the goroutine, as t.FailNow does
	defer func() {
		if err == nil && c.isHandled() {
			return // it closes the connection behind it
		}
		code, reason := handlerCode(err)
		s.end(c, code, reason)
	}()
	err = s.handle(c)
}

// end closes c. Its error is that of the connection, which hooks are told.
func (s *Server) end(c *Conn, code StatusCode, reason string) {
	defer s.recovered(c)
	c.Close(code, reason)
}

// recovered is deferred where a hook may panic on a goroutine of the Server's.
func (s *Server) recovered(c *Conn) { s.panicked(c, recover()) }

// panicked tells of a panic, if v is not nil.
func (s *Server) panicked(c *Conn, v any) {
	switch p, served := v.(*servePanic); {
	case v == nil || s.Panic == nil:
	case served:
		s.Panic(c, p.value, p.stack)
	default:
		s.Panic(c, v, debug.Stack())
	}
}

var errPanic = errors.New("websocket: the handler panicked")

func (s *Server) handle(c *Conn) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errPanic
			s.panicked(c, v)
		}
	}()
	return s.Handler(c.Context(), c)
}

// handlerCode returns what the peer is told when a handler returned err.
func handlerCode(err error) (StatusCode, string) {
	var e *CloseError
	switch {
	case err == nil:
		return StatusNormalClosure, ""
	case errors.As(err, &e) && e.Code.onWire():
		return e.Code, e.Reason
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return StatusGoingAway, ""
	}
	return StatusInternalError, ""
}

const (
	shutdownWorkers = 64                     // how many close frames Shutdown writes at the same time
	shutdownTurn    = 100 * time.Millisecond // and how long one that takes no bytes counts as one of them
)

// Shutdown ends the server well: it refuses newcomers with 503 and Retry-After,
// closes every connection with 1001, and waits for the closing handshakes. What
// is still open when ctx ends is closed without one; forced tells how many that
// were, and err is then ctx.Err(). Handlers see their reads and writes end.
//
// It does not end the http.Server, whose own Shutdown does not know of
// connections that were upgraded. To have both:
//
//	srv.RegisterOnShutdown(func() { ws.Shutdown(ctx) })
//
// That runs it in a goroutine of its own, so wait for it before the program ends.
// Shutdown may be called more than once.
func (s *Server) Shutdown(ctx context.Context) (forced int, err error) {
	s.mu.Lock()
	s.closing = true
	open := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c)
	}
	empty := s.empty
	if s.claimed > 0 && empty == nil {
		empty = make(chan struct{})
		s.empty = empty
	}
	s.mu.Unlock()
	if empty == nil {
		return 0, nil
	}
	s.closeAll(ctx, open, empty)
	select {
	case <-empty:
		return 0, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.late = true
	open = open[:0]
	for c := range s.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		c.abort(&CloseError{Code: StatusAbnormalClosure, Err: ctx.Err()})
	}
	return len(open), ctx.Err()
}

// closeAll starts the closing handshake of each, a few at a time, spread over
// ShutdownSpread, and leaves a goroutine with each that sees it to its end.
func (s *Server) closeAll(ctx context.Context, open []*Conn, empty <-chan struct{}) {
	slots := make(chan struct{}, shutdownWorkers)
	var pause *time.Ticker
	if n := len(open); s.ShutdownSpread > 0 && n > 1 {
		pause = time.NewTicker(max(s.ShutdownSpread/time.Duration(n), 1))
		defer pause.Stop()
	}
	for _, c := range open {
		if pause != nil {
			select {
			case <-pause.C:
			case <-empty:
				return
			case <-ctx.Done():
				return
			}
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		go func() {
			defer s.recovered(c)
			leave := sync.OnceFunc(func() { <-slots })
			turn := time.AfterFunc(shutdownTurn, leave)
			c.step(closeByUser, &CloseError{Code: StatusGoingAway})
			c.awaitCloseWritten()
			turn.Stop()
			leave()
			c.Close(StatusGoingAway, "")
		}()
	}
}
