// `bench open`: what a message costs when it does not come behind an answer, but when
// it pleases, one of a hundred connections at a time, as in a chat. Most of it is then
// what it takes to fall asleep and be woken; the closed loop of `echo` hides that.
//
// The clients live in the process that directs, as in tls.go, and the server's
// processor time is read from outside.

package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

func openMain(args []string) error {
	fs := flag.NewFlagSet("open", flag.ContinueOnError)
	peers := fs.String("peers", "serve,next,gws,gobwas,coder,gorilla,raw", "servers")
	rates := fs.String("rates", "200,2000,10000,30000", "messages a second, all together")
	window := fs.Duration("time", 2*time.Second, "length of each window")
	conns := fs.Int("conns", 100, "connections")
	reps := fs.Int("reps", 3, "repetitions, of which the median is shown")
	if err := fs.Parse(args); err != nil {
		return err
	}
	names, steps := strings.Split(*peers, ","), strings.Split(*rates, ",")
	cost := map[[2]string][]float64{}
	for range *reps {
		for _, name := range names {
			p, err := peerNamed(name)
			if err != nil {
				return err
			}
			if err := openLoop(p, *conns, steps, *window, cost); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	fmt.Printf("%v, commit %s: processor time of the server, µs a message\n\n| messages a second | %s |\n|%s\n",
		thisMachine(), commit(), strings.Join(steps, " | "), strings.Repeat("--:|", 1+len(steps)))
	for _, name := range names {
		fmt.Printf("| %s |", name)
		for _, step := range steps {
			fmt.Printf(" %.1f |", spreadOf(cost[[2]string{name, step}]).median)
		}
		fmt.Println()
	}
	return nil
}

// openLoop measures p at each rate, and adds to cost.
func openLoop(p peer, conns int, rates []string, window time.Duration, cost map[[2]string][]float64) error {
	c := &config{server: 0, load: -1}
	return c.withServer(p, serveOptions{Size: openSize}, func(server *child, addr string) error {
		var echoed tally
		var open []net.Conn
		defer func() { hangUp(open) }()
		for range conns {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				return err
			}
			open = append(open, conn)
			if err := echoOnce(conn, p.raw); err != nil {
				return err
			}
			go io.Copy(&echoed, conn)
		}
		sent := 0
		for _, step := range rates {
			rate, err := strconv.ParseFloat(step, 64)
			if err != nil || rate <= 0 {
				return fmt.Errorf("%q is no rate", step)
			}
			before, err := cpuTime(server.pid())
			if err != nil {
				return err
			}
			n, err := sendAtRandom(open, p.raw, rate, window)
			if err != nil {
				return err
			}
			after, err := cpuTime(server.pid())
			if err != nil {
				return err
			}
			if sent += n; !echoed.reaches(int64(sent * echoSize(p.raw))) {
				return fmt.Errorf("%d bytes of echoes came for %d messages", echoed.Load(), sent)
			}
			at := [2]string{p.name, step}
			cost[at] = append(cost[at], float64((after-before).Nanoseconds())/1e3/float64(n))
		}
		return nil
	})
}

// tally counts what is written to it.
type tally struct{ atomic.Int64 }

func (t *tally) Write(b []byte) (int, error) {
	t.Add(int64(len(b)))
	return len(b), nil
}

// reaches waits until the tally is n.
func (t *tally) reaches(n int64) bool {
	for end := time.Now().Add(5 * time.Second); t.Load() < n && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	return t.Load() == n
}

// echoSize is how long the echo of a message is.
func echoSize(raw bool) int {
	if raw {
		return openSize
	}
	return 2 + openSize
}

const openSize = 16

// sendAtRandom sends messages of openSize bytes for as long as window, the time between two of
// them being exponentially distributed, and returns how many.
func sendAtRandom(open []net.Conn, raw bool, rate float64, window time.Duration) (n int, err error) {
	const nap = 200 * time.Microsecond // what a sleep may be late by
	message := make([]byte, openSize)
	if !raw {
		message = appendMasked(nil, 0x82, [4]byte{1, 2, 3, 4}, message)
	}
	random := rand.New(rand.NewPCG(6455, 7692))
	begin := time.Now()
	next := begin
	for next.Sub(begin) < window {
		for wait := time.Until(next); wait > 0; wait = time.Until(next) {
			if wait > 2*nap {
				time.Sleep(wait - nap)
			}
		}
		if _, err := open[random.IntN(len(open))].Write(message); err != nil {
			return n, err
		}
		n++
		next = next.Add(time.Duration(random.ExpFloat64() / rate * 1e9))
	}
	return n, nil
}
