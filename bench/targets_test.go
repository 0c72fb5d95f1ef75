package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func echoSamples(peer, metric string, values ...float64) []sample {
	var out []sample
	for rep, v := range values {
		out = append(out, sample{rep, "echo", "16B-c64-p1", peer, metric, v})
	}
	return out
}

func TestTargetsAreJudgedByPairedRatios(t *testing.T) {
	r := &run{}
	r.Samples = append(r.Samples, echoSamples("serve", "cpu_us", 4, 8, 4, 4)...)
	r.Samples = append(r.Samples, echoSamples("gws", "cpu_us", 5, 10, 5, 4)...)
	r.Samples = append(r.Samples, echoSamples("coder", "cpu_us", 9, 9, 9, 9)...)
	r.Samples = append(r.Samples, echoSamples("raw", "cpu_us", 1, 1, 1, 1)...)

	v := judge(r, target{"echo", "16B-c64-p1", "cpu_us", "serve", bestAny, 0.9})
	require.Equal(t, "gws", v.rival, "the best of the libraries, and raw TCP is none")
	require.Equal(t, 0.8, v.got.median)
	require.True(t, v.met)
	require.True(t, v.clear)

	v = judge(r, target{"echo", "16B-c64-p1", "cpu_us", "serve", "gws", 0.82})
	require.True(t, v.met)
	require.False(t, v.clear, "the upper quartile is 0.85")

	v = judge(r, target{"echo", "16B-c64-p1", "cpu_us", "serve", "raw", 1.05})
	require.True(t, v.known)
	require.False(t, v.met)
	require.InDelta(t, 4/1.05, v.missed, 1e-9)

	require.False(t, judge(r, target{"echo", "16B-c64-p1", "cpu_us", "next", "gws", 1}).known)
	require.False(t, judge(r, target{"echo", "16B-c64-p1", "cpu_us", "serve", "nbio", 1}).known)
}

func TestAbsoluteTargets(t *testing.T) {
	r := &run{Samples: echoSamples("serve", "allocs", 0, 0, 0.02, 0)}
	v := judge(r, target{"echo", "16B-c64-p1", "allocs", "serve", "", 0.01})
	require.True(t, v.met)
	require.True(t, v.clear)
	v = judge(&run{Samples: echoSamples("serve", "allocs", 1, 1, 0, 1)}, target{"echo", "16B-c64-p1", "allocs", "serve", "", 0.01})
	require.False(t, v.met)
}

func TestBestRivalByKind(t *testing.T) {
	r := &run{}
	for peer, v := range map[string]float64{"gobwas-batch": 1, "gobwas": 2, "gorilla": 3, "serve": 0.5} {
		r.Samples = append(r.Samples, echoSamples(peer, "cpu_us", v)...)
	}
	for against, want := range map[string]string{bestAny: "gobwas-batch", bestPlain: "gobwas", bestHTTP: "gorilla", "raw": "raw"} {
		require.Equal(t, want, resolve(r, target{"echo", "16B-c64-p1", "cpu_us", "serve", against, 1}))
	}
	require.Empty(t, resolve(&run{}, target{"echo", "16B-c64-p1", "cpu_us", "serve", bestAny, 1}))
}

// Every target names cells, servers and figures that the default run has, or it
// could never be judged.
func TestTargetsCanBeMeasured(t *testing.T) {
	cells, err := parseCells(tableCells)
	require.NoError(t, err)
	known := map[string]bool{"10000": true, "32 at once": true}
	for _, c := range cells {
		known[c.String()] = true
	}
	require.Equal(t, tableNames, func() (names []string) {
		for _, c := range cells {
			names = append(names, c.String())
		}
		return names
	}())
	for _, x := range targets() {
		require.True(t, known[x.cell], "%+v", x)
		_, err := peerNamed(x.ours)
		require.NoError(t, err)
		if x.against != "" && x.against != bestAny && x.against != bestPlain && x.against != bestHTTP {
			_, err = peerNamed(x.against)
			require.NoError(t, err)
		}
	}
	var text bytes.Buffer
	writeTargets(&text, &run{})
	require.Empty(t, text.String())
	writeTargets(&text, &run{Samples: append(echoSamples("serve", "cpu_us", 5), echoSamples("raw", "cpu_us", 4)...)})
	require.Contains(t, text.String(), "| serve | echo cpu_us | 16B-c64-p1 | raw | 1.05 | 1.25 (1.25..1.25) | **missed**, ×1.19 |")
}
