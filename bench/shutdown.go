// `bench shutdown`: thousands of connections, a server that shuts down, and
// whether every client saw status 1001 in time.
//
// The clients answer the close frame as a browser does and wait for the end of
// the TCP connection; one of them counts only if it saw both, in that order.

package main

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// shutdownPatience bounds the server's Shutdown and the clients' waiting.
const shutdownPatience = 20 * time.Second

// shutdownTarget is how long it may take.
const shutdownTarget = 5 * time.Second

// shutdownAnswer is what the server says of its shutdown.
type shutdownAnswer struct {
	Forced  int
	Seconds float64
	Err     string
}

// goodbye is what the clients saw.
type goodbye struct {
	Seconds  float64     // from the word until the last connection ended
	Codes    map[int]int // close codes
	Ended    int         // connections whose end came after the close frame
	Abrupt   int         // connections that ended without one, or with a reset
	LastCode float64     // seconds until the last close frame
}

func shutdownMain(args []string) error {
	fs := flag.NewFlagSet("shutdown", flag.ContinueOnError)
	conns := fs.Int("conns", 10000, "connections")
	if err := fs.Parse(args); err != nil {
		return err
	}
	p, err := peerNamed("server")
	if err != nil {
		return err
	}
	c := &config{server: -1, load: -1}
	return c.withServer(p, serveOptions{}, func(server *child, addr string) error {
		load, err := c.startLoad(loadPlan{Mode: "shutdown", Addr: addr, Conns: *conns, InFlight: 1, Size: 16})
		if err != nil {
			return err
		}
		defer load.stop()
		if err := load.receive(2*time.Minute, &ready{}); err != nil {
			return err
		}
		var a shutdownAnswer
		var g goodbye
		answered := make(chan error, 1)
		go func() { answered <- server.ask("shutdown", 2*shutdownPatience, &a) }()
		if err := load.ask("watch", 2*shutdownPatience, &g); err != nil {
			return err
		}
		if err := <-answered; err != nil {
			return err
		}
		fmt.Printf("%v, commit %s\n%d connections: close codes %v, last one after %.2f s; %d ended in order, %d abruptly, last one after %.2f s; Shutdown returned after %.2f s, forced %d %s\n",
			thisMachine(), commit(), *conns, g.Codes, g.LastCode, g.Ended, g.Abrupt, g.Seconds, a.Seconds, a.Forced, a.Err)
		if g.Codes[1001] != *conns || g.Ended != *conns || g.Seconds > shutdownTarget.Seconds() || a.Forced != 0 || a.Err != "" {
			return errors.New("not every client saw 1001 and the end within " + shutdownTarget.String())
		}
		return nil
	})
}

// loadShutdown opens the connections, echoes once on each, and then watches
// them end.
func loadShutdown(p loadPlan, wait func(any) error) (any, error) {
	g, err := newGenerator(p)
	if err != nil {
		return nil, err
	}
	if err := g.round(); err != nil {
		return nil, err
	}
	if err := wait(ready{true}); err != nil {
		return nil, err
	}
	return g.watchEnd()
}

// watchEnd answers close frames and counts how the connections end.
func (g *generator) watchEnd() (goodbye, error) {
	r := goodbye{Codes: map[int]int{}}
	start := time.Now()
	closed := make([]bool, len(g.conns))
	for left := len(g.conns); left > 0 && time.Since(start) < shutdownPatience; {
		n, err := unix.EpollWait(g.ep, g.events, 100)
		if err != nil && err != unix.EINTR {
			return r, err
		}
		for _, ev := range g.events[:max(n, 0)] {
			code, over := g.farewell(&g.conns[ev.Fd])
			if code != 0 {
				r.Codes[code]++
				closed[ev.Fd] = true
				r.LastCode = time.Since(start).Seconds()
			}
			if over == nil {
				continue
			}
			left--
			r.Seconds = time.Since(start).Seconds()
			if over == errEnd && closed[ev.Fd] {
				r.Ended++
			} else {
				r.Abrupt++
			}
		}
	}
	return r, nil
}

var errEnd = errors.New("the server ended the connection")

// farewell reads from one connection. It returns the code of a close frame,
// after answering it, and how the connection ended, if it did.
func (g *generator) farewell(c *loadConn) (code int, over error) {
	n, err := unix.Read(c.fd, g.buf)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return 0, nil
	case err != nil || n == 0:
		unix.Close(c.fd)
		if err == nil {
			err = errEnd
		}
		return 0, err
	}
	for b := g.buf[:n]; len(b) > 0; {
		used, _, err := c.v.next(b, g.s, c.recvAt)
		var seen *closeSeen
		if errors.As(err, &seen) {
			reply := appendMasked(nil, 0x80|opClose, [4]byte{3, 1, 4, 1}, binary.BigEndian.AppendUint16(nil, uint16(seen.code)))
			if _, err := unix.Write(c.fd, reply); err != nil {
				return seen.code, err
			}
			return seen.code, nil
		}
		if err != nil {
			unix.Close(c.fd)
			return 0, err
		}
		b = b[used:]
	}
	return 0, nil
}
