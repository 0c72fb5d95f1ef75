//go:build !race

package wsjson

const raceDetector = false
