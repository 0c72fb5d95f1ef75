// Self-contained SVG charts: horizontal bars, one group per cell, no script,
// no font file, readable on light and on dark pages.
//
// Bars start at zero always; whiskers show the quartiles. Called by the report.

package main

import (
	"fmt"
	"html"
	"os"
	"strings"
)

// chartFigures are the figures worth a picture.
var chartFigures = []figure{
	{"echo", "cpu_us", "Server's processor time, µs per echoed message (less is better)", 2},
	{"echo", "p99_us", "Latency, 99th percentile, µs (less is better)", 0},
	{"idle", "trimmed_kib", "Resident memory of an idle connection, KiB (less is better)", 1},
	{"handshake", "cpu_us", "Processor time of a handshake, µs (less is better)", 1},
	{"broadcast", "cpu_us", "Broadcast: processor time per delivered message, µs (less is better)", 2},
	{"deflate", "cpu_us", "Compression: processor time per message, µs (less is better)", 1},
}

// bar is one server in one group.
type bar struct {
	name string
	ours bool
	spread
}

// writeCharts writes prefix-KIND-METRIC.svg for each figure that the run has.
func writeCharts(r *run, prefix string) error {
	ours := map[string]bool{}
	for _, p := range ourPeers() {
		ours[p.name] = true
	}
	for _, f := range chartFigures {
		cells := r.names(f.kind, func(s sample) string { return s.Cell })
		peers := tableOrder(r.names(f.kind, func(s sample) string { return s.Peer }))
		var groups [][]bar
		for _, c := range cells {
			var g []bar
			for _, p := range peers {
				if s := r.spread(f.kind, c, p, f.metric); s.n > 0 {
					g = append(g, bar{p, ours[p], s})
				}
			}
			groups = append(groups, g)
		}
		if len(groups) == 0 {
			continue
		}
		name := fmt.Sprintf("%s-%s-%s.svg", prefix, f.kind, f.metric)
		note := r.Info["host"] + ", " + r.Info["go"] + ", commit " + r.Info["commit"]
		if err := os.WriteFile(name, []byte(chart(f, cells, groups, note)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

const (
	chartWidth = 760
	chartLeft  = 130 // room for names
	chartRight = 90  // room for numbers
	barHeight  = 14
	barStep    = 18
)

// chart draws one figure. Each group has a scale of its own: cells differ by
// orders of magnitude, and only bars of one cell are to be compared.
func chart(f figure, cells []string, groups [][]bar, note string) string {
	var b strings.Builder
	y := 34
	for i, g := range groups {
		y = chartGroup(&b, f, cells[i], g, y)
	}
	fmt.Fprintf(&b, `<text x="10" y="%d" class="n">%s</text>`+"\n", y+14, html.EscapeString(note))
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">
<title>%s</title>
<style>
text{font:12px sans-serif;fill:#222}.t{font-size:14px;font-weight:bold}.c{font-weight:bold}.n{font-size:10px;fill:#666}
.e{text-anchor:end}.p{fill:#9db4c8}.o{fill:#d9822b}.w{stroke:#444;stroke-width:1}
@media(prefers-color-scheme:dark){text{fill:#ddd}.n{fill:#999}.p{fill:#5b7c99}.w{stroke:#ccc}}
</style>
<text x="10" y="18" class="t">%s</text>
`, chartWidth, y+24, html.EscapeString(f.title), html.EscapeString(f.title))
	return head + b.String() + "</svg>\n"
}

// chartGroup draws one cell from y downwards and returns where it ended.
func chartGroup(b *strings.Builder, f figure, title string, bars []bar, y int) int {
	top := 0.0
	for _, x := range bars {
		top = max(top, x.q3, x.median)
	}
	if top == 0 {
		top = 1
	}
	at := func(v float64) float64 { return chartLeft + v/top*(chartWidth-chartLeft-chartRight) }
	fmt.Fprintf(b, `<text x="10" y="%d" class="c">%s</text>`+"\n", y+12, html.EscapeString(title))
	y += 20
	for _, x := range bars {
		class := "p"
		if x.ours {
			class = "o"
		}
		mid := y + barHeight/2
		fmt.Fprintf(b, `<text x="%d" y="%d" class="e">%s</text><rect x="%d" y="%d" width="%.1f" height="%d" class="%s"/>`,
			chartLeft-6, y+11, html.EscapeString(x.name), chartLeft, y, at(x.median)-chartLeft, barHeight, class)
		if x.n > 1 {
			fmt.Fprintf(b, `<path d="M%.1f %dH%.1f" class="w"/>`, at(x.q1), mid, at(x.q3))
		}
		fmt.Fprintf(b, `<text x="%.1f" y="%d">%.*f</text>`+"\n", at(max(x.median, x.q3))+5, y+11, f.digits, x.median)
		y += barStep
	}
	return y + 12
}
