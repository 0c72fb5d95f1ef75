package main

// Each guard is taken away, and the test that shows what it is for must fail. The
// guards are switches in one binary for each package of tests, so that this takes
// seconds.

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestGuards(t *testing.T) {
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	files, err := guardsOff(dir)
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	binaries := map[string]string{}
	b := builder{dir, work}
	for _, a := range attacks {
		key := a.pkg + " " + a.tags
		if binaries[key] != "" {
			continue
		}
		binaries[key] = filepath.Join(work, fmt.Sprintf("%d.test", len(binaries)))
		if out, err := b.build(a.pkg, binaries[key], files, "-tags="+a.tags); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		r := runner{filepath.Join(dir, a.pkg), 2 * cpuSeconds}
		if res, by := r.try(binaries[key], 0, "-test.run="+named(a.pkg, a.tags), "-test.timeout=1m"); res != survived {
			t.Fatalf("with all guards: %s, %s", res, by)
		}
	}
	for _, a := range attacks {
		t.Run(fmt.Sprintf("%d %s: %s", a.input, a.what, a.test), func(t *testing.T) {
			r := runner{filepath.Join(dir, a.pkg), 2 * cpuSeconds}
			res, by := r.try(binaries[a.pkg+" "+a.tags], number(a.guard), "-test.run=^"+a.test+"$", "-test.timeout=4s")
			if res == survived {
				t.Errorf("the test passes without the guard %q", a.guard)
			}
			t.Log(res, by)
		})
	}
}

// named returns an expression for the tests of attacks in pkg.
func named(pkg, tags string) string {
	var names []string
	for _, a := range attacks {
		if a.pkg == pkg && a.tags == tags {
			names = append(names, a.test)
		}
	}
	return "^(" + strings.Join(names, "|") + ")$"
}

// Every input has an attack, every guard is taken away, and every test is there.
func TestGuardsAreAll(t *testing.T) {
	used := map[string]bool{}
	inputs := map[int]bool{}
	for _, a := range attacks {
		if number(a.guard) == 0 {
			t.Errorf("there is no guard %q", a.guard)
		}
		used[a.guard], inputs[a.input] = true, true
	}
	for i := range 30 {
		if !inputs[i+1] {
			t.Errorf("nothing is tried of input %d", i+1)
		}
	}
	for _, g := range guards {
		if !used[g.name] {
			t.Errorf("the guard %q is never taken away", g.name)
		}
	}
	if !slices.IsSortedFunc(attacks, func(a, b attack) int { return a.input - b.input }) {
		t.Error("attacks are not in the order of the inputs")
	}
}
