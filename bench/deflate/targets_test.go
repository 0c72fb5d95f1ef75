package main

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	require.Equal(t, 3.0, median([]float64{9, 1, 3}))
	require.Equal(t, 2.5, median([]float64{4, 1, 3, 2}))
}

// made is a cell of which our level takes a microsecond for each message.
func made(file string, size int, flate, klauspost float64, ours, theirs, stored int) *cell {
	return &cell{
		file: file, size: size, messages: make([][]byte, 1),
		nanos: map[string][]float64{"fast": {1000, 1000}, "flate1": {1000 * flate, 1000 * flate}, "klauspost1": {1000 * klauspost, 1000 * klauspost}},
		bytes: map[string]int{"fast": ours, "flate1": theirs, "klauspost1": stored},
	}
}

// Each target is judged by its worst cell, of those that it speaks of.
func TestJudgeCells(t *testing.T) {
	words := func(cells ...*cell) (words []string) {
		for _, v := range judgeCells(cells) {
			words = append(words, v.word)
		}
		return append(words[:2:2], words[10:]...) // of the smallest size, and of all
	}
	good := made("chat.txt", 128, 3, 1, 105, 100, 126)
	require.Equal(t, []string{met, met, met, met}, words(good))
	require.Equal(t, []string{missed, met, met, met}, words(good, made("page.html", 128, 2.9, 1, 90, 100, 100)))
	require.Equal(t, []string{met, missed, met, met}, words(good, made("page.html", 128, 3, 0.9, 90, 100, 100)))
	require.Equal(t, []string{met, moot, met, met}, words(made("page.html", 128, 3, 0.9, 90, 100, 128)), "only stored")
	require.Equal(t, []string{met, met, missed, met}, words(good, made("random.bin", 128, 1, 1, 106, 100, 128)))
	leaky := made("chat.txt", 128, 3, 1, 90, 100, 100)
	leaky.allocs = map[string]float64{"better": 1}
	require.Equal(t, []string{met, met, met, missed}, words(leaky))
	require.True(t, printVerdicts(io.Discard, judgeCells([]*cell{good})))
	require.False(t, printVerdicts(io.Discard, judgeCells([]*cell{leaky})))
}

// What the program measures is there and is what it says.
func TestTake(t *testing.T) {
	c := &cell{file: "ticks.json", size: 512, messages: cut(corpus(testCorpora, "ticks.json"), 512)}
	c.take(encoders(), 3, time.Microsecond)
	for _, z := range encoders() {
		require.Len(t, c.nanos[z.name], 3)
		require.Positive(t, c.micros(z.name))
		require.InDelta(t, 0.43, c.ratio(z.name), 0.03, z.name)
	}
	require.Equal(t, met, judgeStream(testCorpora).word)
	require.Equal(t, met, judgeIdle().word)
}

// A message arrives over every link, smaller where it is compressed and smaller
// still with takeover.
func TestMeasureLinks(t *testing.T) {
	all := measureLinks(cut(corpus(testCorpora, "ticks.json"), 512), 2)
	require.Len(t, all, len(settings()))
	require.Equal(t, 512.0+4, all[0][2])
	require.Less(t, all[1][2], 250.0)
	require.Less(t, all[3][2], all[1][2])
	for _, c := range all {
		require.Positive(t, c[0])
		require.Positive(t, c[1])
	}
}
