// Tests of the benchmark's own parts. The test binary re-executes itself as
// server and load generator, like the command does.

package main

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := dispatch(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	removeBuilt()
	os.Exit(code)
}
