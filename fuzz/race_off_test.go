//go:build !race

package fuzz

// thin is the step of loops that are exhaustive: n under the race detector, which
// makes them ten times as slow and finds nothing in them, else 1.
func thin(int) int { return 1 }
