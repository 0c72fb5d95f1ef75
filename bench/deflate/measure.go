package main

// This file holds how a cell is measured: all codecs in turn, many times over, so
// that what disturbs the machine disturbs all of them; what counts is the median
// of the ratios within one turn. Time is the processor's, of this thread alone.

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A cell is one corpus cut into messages of one size, and what each codec made
// of it.
type cell struct {
	file     string
	size     int
	messages [][]byte
	nanos    map[string][]float64 // per message, one for each turn
	bytes    map[string]int       // of all payloads
	allocs   map[string]float64   // per message
}

// processorTime is what this thread has used.
func processorTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

// take measures the codecs: turns times, for about slice each.
func (c *cell) take(codecs []codec, turns int, slice time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c.nanos, c.bytes, c.allocs = map[string][]float64{}, map[string]int{}, map[string]float64{}
	dst := make([]byte, 0, 64<<10)
	rounds := map[string]int{}
	for _, z := range codecs {
		once := func() {
			c.bytes[z.name] = 0
			for _, m := range c.messages {
				c.bytes[z.name] += len(z.run(dst, m))
			}
		}
		once() // the first one makes tables
		begun := processorTime()
		once()
		rounds[z.name] = 1 + int(slice/max(processorTime()-begun, 1))
		c.allocs[z.name] = testing.AllocsPerRun(20, once) / float64(len(c.messages))
	}
	for turn := range turns {
		for i := range codecs {
			z := codecs[(i+turn)%len(codecs)]
			begun := processorTime()
			for range rounds[z.name] {
				for _, m := range c.messages {
					z.run(dst, m)
				}
			}
			n := float64(rounds[z.name] * len(c.messages))
			c.nanos[z.name] = append(c.nanos[z.name], float64(processorTime()-begun)/n)
		}
	}
}

// micros is the median time of a codec for a message.
func (c *cell) micros(name string) float64 { return median(c.nanos[name]) / 1000 }

// faster tells how many times as fast as other a codec is.
func (c *cell) faster(name, other string) float64 {
	var all []float64
	for i, n := range c.nanos[name] {
		all = append(all, c.nanos[other][i]/n)
	}
	return median(all)
}

// ratio is what a codec makes of a byte.
func (c *cell) ratio(name string) float64 {
	return float64(c.bytes[name]) / float64(len(c.messages)*c.size)
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2
}
