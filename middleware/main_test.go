package middleware

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain fails if the tests leave a goroutine behind.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	deadline := time.After(5 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	for code == 0 && runtime.NumGoroutine() > before {
		select {
		case <-tick.C:
			continue
		case <-deadline:
		}
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		fmt.Fprintf(os.Stderr, "%d goroutines, %d before the tests\n%s\n", runtime.NumGoroutine(), before, stacks)
		code = 1
	}
	os.Exit(code)
}
