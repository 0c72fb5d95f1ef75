package main

// This file holds the targets and the verdicts on them.

import (
	"bytes"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/internal/deflate"
)

const (
	flateSpeed     = 3.0  // times as fast as compress/flate level 1
	flateSize      = 1.05 // times its size
	klauspostSpeed = 1.0  // times as fast as klauspost/compress level 1, where that compresses
	klauspostSmall = 0.99 // of a message, or else it has only been stored
	streamSize     = 1.05 // times zlib's level 6, with takeover
	idleBytes      = 2*32<<10 + 1<<10

	// zlibTicks is what zlib 1.2.13 makes of the lines of ticks.json at level 6
	// in one stream that is flushed after each, less four bytes a line.
	zlibTicks = 10183
)

// A verdict is what was found in the worst place of those that a target speaks
// of.
type verdict struct {
	target string
	found  string
	word   string // met, missed or moot
}

const (
	met    = "met"
	missed = "MISSED"
	moot   = "moot"
)

func judge(target, found string, ok bool) verdict {
	if ok {
		return verdict{target, found, met}
	}
	return verdict{target, found, missed}
}

// printVerdicts reports whether no target is missed.
func printVerdicts(to io.Writer, all []verdict) bool {
	ok := true
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w)
	for _, v := range all {
		ok = ok && v.word != missed
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.word, v.target, v.found)
	}
	w.Flush()
	return ok
}

// judgeCells gives the verdicts on what holds for each cell. Random bytes, which
// no codec compresses, are compared in size only, and with klauspost/compress
// only cells in which it makes messages smaller.
func judgeCells(cells []*cell) []verdict {
	var all []verdict
	for _, size := range sizes {
		var speed, kspeed worst
		for _, c := range cells {
			if c.size != size || c.file == "random.bin" {
				continue
			}
			speed.least(c, c.faster("fast", "flate1"))
			if c.ratio("klauspost1") <= klauspostSmall {
				kspeed.least(c, c.faster("fast", "klauspost1"))
			}
		}
		all = append(all,
			speed.verdict(fmt.Sprintf("%5d bytes: × compress/flate level 1 ≥ %.1f", size, flateSpeed), flateSpeed, true),
			kspeed.verdict(fmt.Sprintf("%5d bytes: × klauspost level 1 ≥ %.1f", size, klauspostSpeed), klauspostSpeed, true))
	}
	var ratio, allocs worst
	for _, c := range cells {
		ratio.most(c, c.ratio("fast")/c.ratio("flate1"))
		allocs.most(c, max(c.allocs["fast"], c.allocs["better"]))
	}
	return append(all,
		ratio.verdict(fmt.Sprintf("size ÷ compress/flate level 1 ≤ %.2f", flateSize), flateSize, false),
		allocs.verdict("allocations per message, both levels", 0, false))
}

// worst is the worst of the cells seen.
type worst struct {
	cell  *cell
	value float64
}

func (w *worst) least(c *cell, v float64) {
	if w.cell == nil || v < w.value {
		w.cell, w.value = c, v
	}
}

func (w *worst) most(c *cell, v float64) {
	if w.cell == nil || v > w.value {
		w.cell, w.value = c, v
	}
}

func (w *worst) verdict(target string, limit float64, atLeast bool) verdict {
	if w.cell == nil {
		return verdict{target, "no cell: not measured, or stored by the other", moot}
	}
	ok := w.value <= limit
	if atLeast {
		ok = w.value >= limit
	}
	return judge(target, fmt.Sprintf("%.3f (%s/%d)", w.value, w.cell.file, w.cell.size), ok)
}

// judgeStream compares a stream of ticks with takeover with zlib's.
func judgeStream(dir string) verdict {
	data, size, at := corpus(dir, "ticks.json"), 0, 0
	for _, p := range bytes.SplitAfter(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")) {
		size += len(deflate.AppendDeflate(nil, data[max(0, at-32<<10):at], p, 15, deflate.Better))
		at += len(p)
	}
	v := float64(size) / zlibTicks
	return judge(fmt.Sprintf("ticks with takeover, size ÷ zlib level 6 ≤ %.2f", streamSize), fmt.Sprintf("%.3f", v), v <= streamSize)
}

// judgeIdle finds what an idle connection with takeover on both sides keeps
// beyond one without compression, after a large message each way.
func judgeIdle() verdict {
	takeover := &websocket.Compression{SendTakeover: true, ReceiveTakeover: true}
	more := idle("permessage-deflate", takeover) - idle("", nil)
	return judge(fmt.Sprintf("bytes per idle connection with takeover ≤ %d", idleBytes), fmt.Sprint(more), more <= idleBytes)
}
