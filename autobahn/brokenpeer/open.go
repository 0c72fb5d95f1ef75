package brokenpeer

// This file opens the peer's connections, as a server and as a client that works
// through the cases of a fuzzing server.

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/deflate"
)

func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Server is a running echo server.
type Server struct {
	URL  string
	l    net.Listener
	wg   sync.WaitGroup
	mu   sync.Mutex
	live map[net.Conn]bool
}

// Serve starts an echo server with the defect on a port of its own.
func Serve(bad Defect) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{URL: "ws://" + l.Addr().String() + "/", l: l, live: map[net.Conn]bool{}}
	s.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.live[nc] = true
			s.mu.Unlock()
			s.wg.Go(func() {
				serve(nc, bad)
				s.mu.Lock()
				delete(s.live, nc)
				s.mu.Unlock()
			})
		}
	})
	return s, nil
}

// Close stops the server and waits for its connections, which it closes.
func (s *Server) Close() {
	s.l.Close()
	s.mu.Lock()
	for nc := range s.live {
		nc.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func serve(nc net.Conn, bad Defect) {
	defer nc.Close()
	if bad == NeverAnswers {
		_, _ = io.Copy(io.Discard, nc)
		return
	}
	_ = nc.SetReadDeadline(time.Now().Add(5 * time.Second))
	br := bufio.NewReaderSize(nc, 32<<10)
	req, err := http.ReadRequest(br)
	_ = nc.SetReadDeadline(time.Time{})
	if err != nil || !soundRequest(req, bad) {
		_, _ = io.WriteString(nc, "HTTP/1.1 400 Bad Request\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		return
	}
	sum := accept(req.Header.Get("Sec-WebSocket-Key"))
	if bad == WrongAccept {
		sum = accept("")
	}
	c := &conn{Conn: nc, r: br, server: true, bad: bad}
	head := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + sum + "\r\n"
	if ext := c.agree(strings.Join(req.Header.Values("Sec-WebSocket-Extensions"), ",")); ext != "" {
		head += "Sec-WebSocket-Extensions: " + ext + "\r\n"
	}
	if _, err := io.WriteString(nc, head+"\r\n"); err == nil {
		c.echo()
	}
}

func soundRequest(r *http.Request, bad Defect) bool {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	return r.Method == "GET" && r.ProtoAtLeast(1, 1) && r.Host != "" &&
		strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") &&
		(r.Header.Get("Sec-WebSocket-Version") == "13" || bad == AnyVersion) &&
		(err == nil && len(key) == 16 && len(r.Header.Values("Sec-WebSocket-Key")) == 1 || bad == AcceptsNoKey)
}

// params are the parameters of an offer or a response, without those that a sound
// peer must not take.
type params map[string]string

// parseParams reads them; ok is false where RFC 7692, section 7.1, demands refusal.
func parseParams(s string, bad Defect) (p params, ok bool) {
	p, ok = params{}, true
	for param := range strings.SplitSeq(s, ";") {
		key, value, valued := strings.Cut(strings.TrimSpace(param), "=")
		if key == "" {
			continue
		}
		_, twice := p[key]
		bits, err := strconv.Atoi(value)
		sized := err == nil && bits >= 8 && bits <= 15 && strconv.Itoa(bits) == value
		switch key {
		case "server_no_context_takeover", "client_no_context_takeover":
			ok = ok && !valued
		case "server_max_window_bits":
			ok = ok && sized
		case "client_max_window_bits":
			ok = ok && (sized || !valued)
		default:
			ok = false
		}
		ok = ok && !twice
		p[key] = value
	}
	return p, ok || bad == AcceptsParameters
}

func (p params) bits(name string) int {
	if n, err := strconv.Atoi(p[name]); err == nil && n >= 8 && n <= 15 {
		return n
	}
	return 15
}

func (p params) has(name string) bool {
	_, ok := p[name]
	return ok
}

// agree chooses the first offer of permessage-deflate and returns the response.
func (c *conn) agree(offers string) string {
	if c.bad == DeclinesCompression {
		return ""
	}
	for offer := range strings.SplitSeq(offers, ",") {
		name, rest, _ := strings.Cut(offer, ";")
		p, ok := parseParams(rest, c.bad)
		if strings.TrimSpace(name) != "permessage-deflate" || !ok {
			continue
		}
		response := "permessage-deflate"
		if p.has("server_no_context_takeover") && c.bad != OmitsNoContext {
			response += "; server_no_context_takeover"
		}
		if p.has("server_max_window_bits") && c.bad != OmitsWindowBits {
			response += "; server_max_window_bits=" + p["server_max_window_bits"]
		}
		if c.bad == LimitsUnasked {
			response += "; client_max_window_bits=15"
		}
		c.compress(p.bits("server_max_window_bits"), !p.has("server_no_context_takeover"), 15, true)
		return response
	}
	return ""
}

// compress sets both directions up.
func (c *conn) compress(outBits int, outContext bool, inBits int, inContext bool) {
	if c.bad == IgnoresWindowBits || c.bad == OmitsWindowBits {
		outBits = 15
	}
	c.comp = &compression{
		out: deflate.NewCompressor(outBits, outContext || c.bad == KeepsContext),
		in:  deflate.NewInflater(inBits, inContext && c.bad != LosesContext, 64<<20),
	}
}

// RunClient works through all cases of the fuzzing server at url, a ws:// address,
// as many at a time as parallel says, and has the reports written.
func RunClient(ctx context.Context, url, agent string, bad Defect, parallel int) error {
	n := 0
	if err := dial(ctx, url+"/getCaseCount", Sound, func(c *conn) error {
		h, err := c.header()
		if err != nil {
			return err
		}
		p := make([]byte, h.n)
		if _, err := io.ReadFull(c.r, p); err != nil {
			return err
		}
		n, err = strconv.Atoi(string(p))
		if err == nil {
			c.echo()
		}
		return err
	}); err != nil {
		return fmt.Errorf("getCaseCount: %w", err)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i := 1; i <= n && ctx.Err() == nil; i++ {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			// What the case thinks of this connection is in its report.
			_ = dial(ctx, fmt.Sprintf("%s/runCase?case=%d&agent=%s", url, i, agent), bad, func(c *conn) error {
				c.echo()
				return nil
			})
		})
	}
	wg.Wait()
	return dial(ctx, url+"/updateReports?agent="+agent, Sound, func(c *conn) error {
		c.echo()
		return nil
	})
}

// dial opens a connection and hands it to use.
func dial(ctx context.Context, url string, bad Defect, use func(*conn) error) error {
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "ws://"), "/")
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	offer := "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
	if bad == DeclinesCompression {
		offer = ""
	}
	_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(nc, "GET /%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s\r\n", path, host, key, offer); err != nil {
		return err
	}
	c := &conn{Conn: nc, r: bufio.NewReaderSize(nc, 32<<10), bad: bad}
	if err := c.response(key); err != nil {
		return err
	}
	_ = nc.SetDeadline(time.Time{})
	return use(c)
}

// response reads the server's answer and sets the compression up.
func (c *conn) response(key string) error {
	resp, err := http.ReadResponse(c.r, &http.Request{Method: "GET"})
	if err != nil {
		return err
	}
	upgrade := strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") &&
		strings.Contains(strings.ToLower(resp.Header.Get("Connection")), "upgrade")
	if resp.StatusCode != 101 && c.bad != AcceptsAnyStatus || !upgrade ||
		resp.Header.Get("Sec-WebSocket-Accept") != accept(key) && c.bad != AcceptsAnyAccept ||
		resp.Header.Get("Sec-WebSocket-Protocol") != "" {
		return fmt.Errorf("refused: %s", resp.Status)
	}
	ext := strings.Join(resp.Header.Values("Sec-WebSocket-Extensions"), ",")
	if ext == "" {
		return nil
	}
	return c.agreed(ext)
}

// agreed reads the response to the client's offer.
func (c *conn) agreed(ext string) error {
	name, rest, _ := strings.Cut(ext, ";")
	if strings.TrimSpace(name) != "permessage-deflate" || c.bad == DeclinesCompression {
		if c.bad == AcceptsExtensions {
			return nil
		}
		return fmt.Errorf("%q was not offered", ext)
	}
	p, ok := parseParams(rest, c.bad)
	if window, there := p["client_max_window_bits"]; !ok || there && window == "" && c.bad != AcceptsParameters {
		return fmt.Errorf("the parameters are %q", rest)
	}
	c.compress(p.bits("client_max_window_bits"), !p.has("client_no_context_takeover"),
		p.bits("server_max_window_bits"), !p.has("server_no_context_takeover"))
	return nil
}
