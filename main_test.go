package websocket

// What every test of the package stands on: no test leaves a goroutine behind.
// TestMain looks once, at the end; leakCheck looks at the end of one test, so
// that the culprit has a name.

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// leakGrace is how long a goroutine that is on its way out may take.
const leakGrace = 5 * time.Second

func TestMain(m *testing.M) {
	code := m.Run()
	if left := leaked(nil); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "goroutines left behind by the tests: %d\n\n%s\n", len(left), strings.Join(left, "\n\n"))
		code = 1
	}
	os.Exit(code)
}

// leakCheck fails t if at its end a goroutine runs that did not run when
// leakCheck was called. It is the first line of a test; it is not for tests that
// run in parallel with others, whose goroutines it would see.
func leakCheck(t testing.TB) {
	t.Helper()
	before := goroutines()
	t.Cleanup(func() {
		if left := leaked(before); len(left) > 0 {
			t.Errorf("goroutines left behind: %d\n\n%s", len(left), strings.Join(left, "\n\n"))
		}
	})
}

// leaked returns the stacks of the goroutines that are not in before and do not
// end within leakGrace.
func leaked(before map[string]string) (left []string) {
	deadline := time.NewTimer(leakGrace)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		left = nil
		for id, stack := range goroutines() {
			if _, ok := before[id]; !ok {
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return left
		}
	}
}

// goroutines returns the stacks of all goroutines but the one that asks and
// those of the testing machinery, by their number.
func goroutines() map[string]string {
	buf := make([]byte, 64<<10)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	all := map[string]string{}
	for i, stack := range strings.Split(string(bytes.TrimSpace(buf)), "\n\n") {
		if i == 0 || machinery(stack) {
			continue
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		all[id] = stack
	}
	return all
}

// machinery tells whether a stack belongs to package testing, or to what the
// flags of go test start.
func machinery(stack string) bool {
	for _, f := range []string{
		"testing.tRunner(",         // a test that waits, or that runs in parallel
		"testing.(*M).",            // the main goroutine
		"testing.runFuzzing(",      // -fuzz
		"os/signal.signal_recv(",   // -fuzz listens for an interrupt
		"os/signal.loop(",          //
		"runtime/pprof.profileWri", // -cpuprofile
		"runtime.ReadTrace(",       // -trace
	} {
		if strings.Contains(stack, f) {
			return true
		}
	}
	return false
}

// TestMainSeesLeaks is the test of the check: a goroutine that stays is seen, and
// one that ends is not.
func TestMainSeesLeaks(t *testing.T) {
	leakCheck(t)
	before := goroutines()
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-stop
	}()
	seen := 0
	for id := range goroutines() {
		if _, ok := before[id]; !ok {
			seen++
		}
	}
	close(stop)
	<-stopped
	if seen != 1 {
		t.Fatalf("%d goroutines seen, 1 runs", seen)
	}
	if left := leaked(before); len(left) != 0 {
		t.Fatalf("seen although it has ended:\n%s", strings.Join(left, "\n\n"))
	}
}
