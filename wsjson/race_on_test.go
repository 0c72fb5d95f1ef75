//go:build race

package wsjson

// raceDetector tells tests of allocations that the race detector allocates too.
const raceDetector = true
