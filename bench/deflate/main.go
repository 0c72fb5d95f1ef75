// Command deflate holds the codec of permessage-deflate against its targets, beside
// the two that other libraries use for it, compress/flate and klauspost/compress:
//
//	go run ./bench/deflate
//	go run ./bench/deflate -connections
//
// The first prints what was measured and a verdict for each target, and exits with
// 1 if one is missed; the second what compression costs a connection. Both run
// from the root of the repository.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	turns := flag.Int("turns", 15, "how often each codec has its turn in a cell")
	slice := flag.Duration("slice", 4*time.Millisecond, "how long a turn is, about")
	only := flag.String("only", "", "only cells whose name contains this, as in page.html/16384, and no connections")
	connections := flag.Bool("connections", false, "instead: what each setting costs a connection")
	dir := flag.String("corpora", corporaDir, "the folder with the corpora")
	flag.Parse()

	if *connections {
		printConnections(*dir, *turns)
		return
	}
	cells := measure(*dir, *only, *turns, *slice)
	printCells(cells)
	verdicts := judgeCells(cells)
	if *only == "" {
		verdicts = append(verdicts, judgeStream(*dir), judgeIdle())
	}
	if !printVerdicts(os.Stdout, verdicts) {
		os.Exit(1)
	}
}

func measure(dir, only string, turns int, slice time.Duration) (cells []*cell) {
	codecs := encoders()
	for _, file := range files {
		for _, size := range sizes {
			if !strings.Contains(fmt.Sprintf("%s/%d", file, size), only) {
				continue
			}
			c := &cell{file: file, size: size, messages: cut(corpus(dir, file), size)}
			c.take(codecs, turns, slice)
			cells = append(cells, c)
		}
	}
	return cells
}

// printCells prints one line for each cell: times and sizes of all, and how ours
// compare with level 1 of the others.
func printCells(cells []*cell) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "µs per message, and its size in %\t")
	for _, z := range encoders() {
		fmt.Fprintf(w, "%s\t\t", z.name)
	}
	fmt.Fprint(w, "fast: × flate1\tsize\t× klauspost1\tsize\t\n")
	for _, c := range cells {
		fmt.Fprintf(w, "%s/%d\t", c.file, c.size)
		for _, z := range encoders() {
			fmt.Fprintf(w, "%.2f\t%.1f\t", c.micros(z.name), 100*c.ratio(z.name))
		}
		for _, other := range []string{"flate1", "klauspost1"} {
			fmt.Fprintf(w, "%.2f\t%.3f\t", c.faster("fast", other), c.ratio("fast")/c.ratio(other))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}
