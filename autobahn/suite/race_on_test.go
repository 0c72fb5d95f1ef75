//go:build race

package suite

// raceDetector tells that every access to memory costs ten: a sample of the cases
// meets the same code, and time limits that no machine keeps would judge the machine.
const raceDetector = true
