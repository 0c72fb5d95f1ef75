package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Buckets tile the whole range without gap or overlap.
func TestHistBucketsAreContiguous(t *testing.T) {
	h := new(hist)
	require.Equal(t, 0, bucketOf(0))
	for i := range len(h.counts) - 1 {
		edge := upperEdge(i)
		if edge == math.MaxInt64 {
			break
		}
		require.Equal(t, i, bucketOf(uint64(edge)), "upper edge %d", edge)
		require.Equal(t, i+1, bucketOf(uint64(edge)+1), "one above %d", edge)
	}
	require.Less(t, bucketOf(math.MaxInt64), len(h.counts))
}

func TestHistQuantilesAgainstSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	h := new(hist)
	var all []int64
	for range 20000 {
		v := int64(math.Exp(rng.Float64() * 20))
		h.record(v)
		all = append(all, v)
	}
	slices.Sort(all)
	for _, q := range []float64{0.001, 0.5, 0.9, 0.99, 0.999, 1} {
		exact := all[int(math.Ceil(q*float64(len(all))))-1]
		got := h.quantile(q)
		require.GreaterOrEqual(t, got, exact, "quantile %v", q)
		require.LessOrEqual(t, float64(got), float64(exact)*(1+1.0/32), "quantile %v", q)
	}
	require.Equal(t, all[len(all)-1], h.quantile(1))
}

func TestHistEdges(t *testing.T) {
	h := new(hist)
	require.Zero(t, h.quantile(0.5), "an empty histogram")
	h.record(-5)
	require.Zero(t, h.quantile(1), "a clock that went back")
	h.record(math.MaxInt64)
	require.Equal(t, int64(math.MaxInt64), h.quantile(1))
	require.Zero(t, h.quantile(0.5))
	h.reset()
	require.Zero(t, h.n)
	require.Zero(t, testing.AllocsPerRun(100, func() { h.record(12345) }))
}

func TestSpread(t *testing.T) {
	require.Equal(t, spread{}, spreadOf(nil))
	require.Equal(t, spread{7, 7, 7, 1}, spreadOf([]float64{7}))
	xs := []float64{4, 1, 3, 2, 5}
	require.Equal(t, spread{2, 3, 4, 5}, spreadOf(xs))
	require.Equal(t, []float64{4, 1, 3, 2, 5}, xs, "the argument keeps its order")
	require.Equal(t, spread{1.75, 2.5, 3.25, 4}, spreadOf([]float64{1, 2, 3, 4}))
}

// A slow repetition that falls on both sides must not show in the ratios, which
// dividing the medians would not achieve.
func TestRatiosArePaired(t *testing.T) {
	a := map[int]float64{0: 10, 1: 40, 2: 12, 4: 9}
	b := map[int]float64{0: 5, 1: 20, 2: 6, 3: 7, 5: 0}
	require.Equal(t, []float64{2, 2, 2}, ratios(a, b))
	require.Empty(t, ratios(a, map[int]float64{0: 0, 9: 1}), "no common repetition, or division by zero")
	require.Equal(t, spread{2, 2, 2, 3}, spreadOf(ratios(a, b)))
}
