// What this library promises of itself, as inequalities over a run, and the
// verdict on each.
//
// A target is met when the median of the ratios meets it and clearly met when
// the upper quartile does. "best" stands for the server of another library
// with the lowest median in that cell.

package main

import (
	"fmt"
	"io"
)

// target is one inequality: ours ÷ against ≤ limit, or ours ≤ limit when
// against is empty.
type target struct {
	kind, cell, metric string
	ours               string
	against            string // a server, bestAny, bestPlain, bestHTTP or ""
	limit              float64
}

const (
	bestAny   = "best"                // of all other libraries
	bestPlain = "best not coalescing" // of those that write each reply by itself
	bestHTTP  = "best over net/http"
)

var (
	smallCells = []string{"16B-c64-p1", "128B-c1000-p1", "1KiB-c64-p1"}
	tableNames = []string{"16B-c1-p1", "16B-c64-p1", "16B-c64-p16", "128B-c1000-p1", "1KiB-c64-p1", "1KiB-c64-p16", "16KiB-c64-p1", "1MiB-c2-p1"}
)

// targets is the whole list.
func targets() []target {
	var all []target
	for _, ours := range []string{"serve", "next-batch"} {
		add := func(cell, against string, limit float64) {
			all = append(all, target{"echo", cell, "cpu_us", ours, against, limit})
		}
		add("16B-c64-p16", "gobwas-batch", 1)
		add("1KiB-c64-p16", "gobwas-batch", 1)
		add("16B-c64-p16", "raw", 1.35)
		for _, cell := range smallCells {
			add(cell, bestAny, 1)
			add(cell, "raw", 1.05)
			add(cell, "gws", 0.90)
		}
		add("16KiB-c64-p1", bestAny, 0.90)
		add("1MiB-c2-p1", bestAny, 1)
	}
	for _, cell := range tableNames {
		all = append(all,
			target{"echo", cell, "cpu_us", "next", bestPlain, 1.03},
			target{"echo", cell, "cpu_us", "read", "gws", 1})
	}
	for _, cell := range tableNames {
		for _, ours := range []string{"serve", "next-batch", "next"} {
			// A background allocation of the runtime is not one per message.
			all = append(all, target{"echo", cell, "allocs", ours, "", 0.01})
		}
	}
	return append(all,
		target{"idle", "10000", "rss_kib", "serve", "", 5.5},
		target{"idle", "10000", "rss_kib", "server", "", 5.5},
		target{"idle", "10000", "rss_kib", "handle", "", 3.5},
		target{"handshake", "32 at once", "cpu_us", "serve", bestHTTP, 0.90},
		target{"handshake", "32 at once", "cpu_us", "server", bestHTTP, 0.90},
		target{"handshake", "32 at once", "cpu_us", "handle", bestHTTP, 0.90},
		target{"echo", "128B-c1000-p1", "p99_us", "serve", bestAny, 1},
	)
}

// verdict is how a run answers a target.
type verdict struct {
	target
	rival  string // against, resolved
	got    spread
	known  bool // both sides were measured
	met    bool
	clear  bool
	missed float64 // got ÷ limit when not met
}

// judge answers one target.
func judge(r *run, t target) verdict {
	v := verdict{target: t, rival: t.against}
	ours := r.byRep(t.kind, t.cell, t.ours, t.metric)
	if t.against == "" {
		v.got = r.spread(t.kind, t.cell, t.ours, t.metric)
	} else {
		v.rival = resolve(r, t)
		v.got = spreadOf(ratios(ours, r.byRep(t.kind, t.cell, v.rival, t.metric)))
	}
	v.known = v.got.n > 0
	v.met = v.known && v.got.median <= t.limit
	v.clear = v.known && v.got.q3 <= t.limit
	if v.known && !v.met {
		v.missed = v.got.median / t.limit
	}
	return v
}

// resolve names the server that a target is held against.
func resolve(r *run, t target) string {
	if t.against != bestAny && t.against != bestPlain && t.against != bestHTTP {
		return t.against
	}
	best, low := "", 0.0
	for _, p := range foreignPeers() {
		if t.against == bestPlain && p.name == "gobwas-batch" || t.against == bestHTTP && !p.http {
			continue
		}
		s := r.spread(t.kind, t.cell, p.name, t.metric)
		if s.n > 0 && (best == "" || s.median < low) {
			best, low = p.name, s.median
		}
	}
	return best
}

// writeTargets prints the verdicts that the run can give.
func writeTargets(w io.Writer, r *run) {
	var known []verdict
	met := 0
	for _, t := range targets() {
		if v := judge(r, t); v.known {
			known = append(known, v)
			if v.met {
				met++
			}
		}
	}
	if len(known) == 0 {
		return
	}
	fmt.Fprintf(w, "**Targets: %d of %d met**\n\n| form | figure | cell | against | limit | median (quartiles) | |\n|---|---|---|---|--:|--:|---|\n", met, len(known))
	for _, v := range known {
		word := "met"
		switch {
		case v.clear:
			word = "clearly met"
		case !v.met:
			word = fmt.Sprintf("**missed**, ×%.2f", v.missed)
		}
		rival := v.rival
		if rival == "" {
			rival = "–"
		}
		fmt.Fprintf(w, "| %s | %s %s | %s | %s | %.2f | %.2f (%.2f..%.2f) | %s |\n",
			v.ours, v.kind, v.metric, v.cell, rival, v.limit, v.got.median, v.got.q1, v.got.q3, word)
	}
	fmt.Fprintln(w)
}
