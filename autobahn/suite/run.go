package suite

// This file runs cases: one connection each, many at a time. Cases that wait run
// beside each other; those that move megabytes come after them, as many at a time as
// there are CPUs.

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// Config says how cases are run. Its zero value is the original's.
type Config struct {
	Agent        string  // the name of the peer in reports
	TimeoutScale float64 // stretches every time limit; 0 is 1
	Parallel     int     // light cases at a time; 0 is 32
	Messages     int     // at most so many messages in a case of 9.7, 9.8, 12 and 13; 0 is 1000
	Insecure     bool    // do not verify the certificate of a wss:// server

	// Done is called after every case, one call at a time. May be nil.
	Done func(*result.Case)
}

func (c *Config) scale() float64 {
	if c.TimeoutScale <= 0 {
		return 1
	}
	return c.TimeoutScale
}

// RunServer plays the cases, as a client, against the server at url, a ws:// or
// wss:// address, and returns their reports in the order of the cases, without those
// that cannot be put to a server. It returns early only if ctx ends.
func RunServer(ctx context.Context, address string, cases []*Case, cfg Config) ([]*result.Case, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		return nil, fmt.Errorf("autobahn: %q is not a ws:// or wss:// address", address)
	}
	var done sync.Mutex
	byCase := map[*Case]*result.Case{}
	err = eachCase(ctx, cases, cfg.Parallel, func(c *Case) {
		r := playServer(ctx, u, c, &cfg)
		done.Lock()
		defer done.Unlock()
		if byCase[c] = r; cfg.Done != nil {
			cfg.Done(r)
		}
	})
	var reports []*result.Case
	for _, c := range cases {
		if r := byCase[c]; r != nil {
			reports = append(reports, r)
		}
	}
	return reports, err
}

// InOrder returns the cases in the order in which they are best played: those that
// wait, then those that move megabytes; light tells how many the former are.
func InOrder(cases []*Case) (ordered []*Case, light int) {
	ordered = slices.Clone(cases)
	slices.SortStableFunc(ordered, func(a, b *Case) int {
		switch {
		case a.Heavy != b.Heavy && b.Heavy:
			return -1
		case a.Heavy != b.Heavy:
			return 1
		}
		return cmp.Compare(a.order, b.order)
	})
	light = slices.IndexFunc(ordered, func(c *Case) bool { return c.Heavy })
	if light < 0 {
		light = len(ordered)
	}
	return ordered, light
}

// eachCase calls play for every case that can be put to a server.
func eachCase(ctx context.Context, cases []*Case, parallel int, play func(*Case)) error {
	if parallel <= 0 {
		parallel = 32
	}
	ordered, light := InOrder(cases)
	for i, part := range [][]*Case{ordered[:light], ordered[light:]} {
		n := parallel
		if i > 0 {
			n = min(parallel, runtime.GOMAXPROCS(0)+1)
		}
		slots := make(chan struct{}, n)
		var wg sync.WaitGroup
		for _, c := range part {
			if c.NoServer {
				continue
			}
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				break
			}
			wg.Go(func() {
				defer func() { <-slots }()
				play(c)
			})
		}
		wg.Wait()
	}
	return ctx.Err()
}

// playServer plays one case against a server.
func playServer(ctx context.Context, u *url.URL, c *Case, cfg *Config) *result.Case {
	started := time.Now()
	conn, err := dial(ctx, u, cfg)
	if err != nil {
		s := &session{play: c.play(), log: newRecorder()}
		s.wasNotCleanReason = err.Error()
		r := s.report(c, cfg.Agent, started)
		r.Result, r.WasNotCleanReason = "No connection: "+err.Error(), &s.wasNotCleanReason
		return r
	}
	s := newSession(conn, false, cfg, uint64(c.Number))
	s.play = c.play()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	req := newRequest(u, handshakeKey(0x6175746f6261686e, uint64(c.Number)), c.offers)
	req.edit, req.slow = c.edit, c.slow
	leftover, err := s.clientHandshake(req)
	if err != nil {
		s.refused(err)
	} else {
		s.begin(leftover)
		s.loop()
	}
	<-s.out.done
	return s.report(c, cfg.Agent, started)
}

// refused ends a session whose opening handshake failed.
func (s *session) refused(err error) {
	if r, ok := s.play.(refuser); ok {
		r.refused(s.log.response, err)
	}
	s.openTimedOut = errors.Is(err, os.ErrDeadlineExceeded)
	s.wasNotCleanReason = "opening handshake: " + err.Error()
	s.drop()
}

func dial(ctx context.Context, u *url.URL, cfg *Config) (net.Conn, error) {
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), map[string]string{"ws": "80", "wss": "443"}[u.Scheme])
	}
	var d net.Dialer
	d.Timeout = 10 * time.Second
	conn, err := d.DialContext(ctx, "tcp", host)
	if err != nil || u.Scheme == "ws" {
		return conn, err
	}
	secure := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: cfg.Insecure, NextProtos: []string{"http/1.1"}})
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}
