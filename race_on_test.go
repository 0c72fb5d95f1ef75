//go:build race

package websocket

// raceDetector: with it a sync.Pool forgets at random, so allocations cannot be
// counted.
const raceDetector = true
