// Latency histogram with buckets of constant relative width, and the order
// statistics that every table is made of.
//
// A hist never allocates after its creation and forgets nothing: recording is
// one shift and one increment, so the load generator can afford it per message.
// Called by the load generator (hist) and by the report (median, quartiles).

package main

import (
	"math/bits"
	"sort"
)

// subBits is the number of bits kept below the leading one: 32 buckets per
// power of two, so a reported value is at most 1/32 above the true one.
const subBits = 5

// hist counts durations in nanoseconds, from 0 to 2^63-1.
type hist struct {
	counts [(64 - subBits + 1) << subBits]uint64
	n      uint64
	max    int64
}

// record counts one value; negative values count as zero.
func (h *hist) record(ns int64) {
	if ns < 0 {
		ns = 0
	}
	h.counts[bucketOf(uint64(ns))]++
	h.n++
	h.max = max(h.max, ns)
}

// reset forgets all values.
func (h *hist) reset() { *h = hist{} }

// add counts all values of o as well.
func (h *hist) add(o *hist) {
	for i, c := range o.counts {
		h.counts[i] += c
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// bucketOf maps a value to its bucket: values below 32 have one each, above
// that the leading bit chooses the row and the next five bits the column.
func bucketOf(v uint64) int {
	shift := bits.Len64(v) - subBits - 1
	if shift <= 0 {
		return int(v)
	}
	return shift<<subBits + int(v>>shift)
}

// upperEdge is the largest value that falls into bucket i.
func upperEdge(i int) int64 {
	if i < 2<<subBits {
		return int64(i)
	}
	shift := i>>subBits - 1
	return int64(uint64(i-shift<<subBits+1)<<shift - 1)
}

// quantile returns the value that the fraction q of all values does not
// exceed, rounded up to its bucket's edge and never above the maximum seen.
func (h *hist) quantile(q float64) int64 {
	if h.n == 0 {
		return 0
	}
	rank := max(uint64(q*float64(h.n)+0.999999), 1)
	var seen uint64
	for i, c := range h.counts {
		if seen += c; seen >= rank {
			return min(upperEdge(i), h.max)
		}
	}
	return h.max
}

// spread is a median with its quartiles.
type spread struct {
	q1, median, q3 float64
	n              int
}

// spreadOf sorts a copy of xs and takes the quartiles by linear interpolation
// between neighbours. No values give the zero spread, whose n is 0.
func spreadOf(xs []float64) spread {
	if len(xs) == 0 {
		return spread{}
	}
	s := append([]float64(nil), xs...)
	sort.Float64s(s)
	at := func(q float64) float64 {
		pos := q * float64(len(s)-1)
		i := int(pos)
		if i+1 == len(s) {
			return s[i]
		}
		return s[i] + (pos-float64(i))*(s[i+1]-s[i])
	}
	return spread{q1: at(0.25), median: at(0.5), q3: at(0.75), n: len(s)}
}

// ratios divides a by b repetition by repetition. A repetition that either
// side lacks, or in which b is zero, gives no ratio: a slow minute of the
// machine must fall on both sides or on neither.
func ratios(a, b map[int]float64) []float64 {
	reps := make([]int, 0, len(a))
	for r := range a {
		if d, ok := b[r]; ok && d != 0 {
			reps = append(reps, r)
		}
	}
	sort.Ints(reps)
	out := make([]float64, len(reps))
	for i, r := range reps {
		out[i] = a[r] / b[r]
	}
	return out
}
