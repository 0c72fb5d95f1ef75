// Command mutate makes small changes in the core of the library, one at a time,
// and looks whether a test fails. A change that none notices is either none, and
// survivors.txt says why, or shows what is not tested.
//
// Nothing in the tree is changed. README.md says how to run it.
package main

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

//go:embed survivors.txt
var survivorsTxt string

// A plan is what one run is to do.
type plan struct {
	dir    string
	files  []string
	match  *regexp.Regexp
	sample int
	seed   uint64
	json   string
	list   bool
	quick  bool
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var errSurvivors = errors.New("some mutants survive without a reason in survivors.txt, or do not although they have one")

func run(args []string, w io.Writer) error {
	p, err := planOf(args, w)
	if err != nil {
		return err
	}
	list, sources, err := p.mutants()
	if err != nil {
		return err
	}
	if p.list {
		for _, m := range list {
			fmt.Fprintln(w, m.key())
		}
		return nil
	}
	if err := p.try(list, sources); err != nil {
		return err
	}
	reasons, err := readSurvivors(survivorsTxt)
	if err != nil {
		return err
	}
	stale := explain(list, p.about(reasons))
	left := report(w, p.files, list)
	for _, key := range stale {
		fmt.Fprintf(w, "\nexplained, but no survivor:\n%s\n", key)
	}
	if p.json != "" {
		b, err := json.MarshalIndent(list, "", "\t")
		if err != nil {
			return err
		}
		if err := os.WriteFile(p.json, append(b, '\n'), 0o600); err != nil {
			return err
		}
	}
	if left+len(stale) > 0 {
		return errSurvivors
	}
	return nil
}

func planOf(args []string, w io.Writer) (*plan, error) {
	p := &plan{}
	set := flag.NewFlagSet("mutate", flag.ContinueOnError)
	set.SetOutput(w)
	set.StringVar(&p.dir, "dir", "..", "the `folder` of the package")
	set.IntVar(&p.sample, "sample", 0, "try no more than so `many` mutants of a file; 0 means all")
	set.Uint64Var(&p.seed, "seed", 1, "of the sample")
	set.StringVar(&p.json, "json", "", "write every mutant and its result to this `file`")
	set.BoolVar(&p.list, "list", false, "list the mutants and try none")
	set.BoolVar(&p.quick, "quick", false, "run only the tests about a mutant's file")
	match := set.String("match", "", "try only mutants whose line in survivors.txt would match this `expression`")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if p.files = set.Args(); len(p.files) == 0 {
		p.files = core
	}
	for _, file := range p.files {
		if firstTests[file] == "" {
			return nil, fmt.Errorf("%s is not a file of the core: %s", file, strings.Join(core, " "))
		}
	}
	var err error
	if p.dir, err = filepath.Abs(p.dir); err != nil {
		return nil, err
	}
	p.match, err = regexp.Compile(*match)
	return p, err
}

// mutants returns the mutants that the plan is about, numbered from 1.
func (p *plan) mutants() (list []*mutant, sources []*source, err error) {
	var known []*source // constants may have their group in a file that is not tried
	for _, file := range core {
		text, err := os.ReadFile(filepath.Join(p.dir, file))
		if err != nil {
			return nil, nil, err
		}
		s, err := parse(file, string(text))
		if err != nil {
			return nil, nil, err
		}
		known = append(known, s)
		if slices.Contains(p.files, file) {
			sources = append(sources, s)
		}
	}
	next := successors(known)
	for _, s := range sources {
		found := find(s, next)
		found = slices.DeleteFunc(found, func(m *mutant) bool { return !p.match.MatchString(m.key()) })
		if p.sample > 0 && len(found) > p.sample {
			r := rand.New(rand.NewPCG(p.seed, 0))
			r.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
			found = found[:p.sample]
			slices.SortFunc(found, func(a, b *mutant) int { return cmp.Compare(a.edit.start, b.edit.start) })
		}
		list = append(list, found...)
	}
	for i, m := range list {
		m.ID = i + 1
	}
	return list, sources, nil
}

// about returns the reasons for mutants that the plan tries.
func (p *plan) about(reasons map[string]string) map[string]string {
	some := map[string]string{}
	for key, reason := range reasons {
		file, _, _ := strings.Cut(key, " ")
		if slices.Contains(p.files, file) && p.match.MatchString(key) && p.sample == 0 {
			some[key] = reason
		}
	}
	return some
}

// try runs the tests against every mutant of list.
func (p *plan) try(list []*mutant, sources []*source) error {
	work, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	b, r := builder{p.dir, work}, runner{p.dir, cpuSeconds}
	binary := filepath.Join(work, "all.test")
	if err := b.buildAll(binary, sources, list); err != nil {
		return err
	}
	for i, file := range p.files {
		m := &mutant{File: file}
		if r.run(binary, m, p.quick || i > 0); m.Result != survived {
			return fmt.Errorf("the tests fail without a mutant: %s, %s", m.Result, m.By)
		}
	}
	done := 0
	for _, alone := range []bool{false, true} { // those that take a build last
		for _, m := range list {
			switch {
			case m.inBinary() == alone:
				continue
			case alone:
				p.tryAlone(b, r, sources, m)
			case m.Result != notCompiled:
				r.run(binary, m, p.quick)
			}
			done++
			fmt.Fprintf(os.Stderr, "%d/%d %s %s: %s\n", done, len(list), m.Result, m.By, m.key())
		}
	}
	return nil
}

// tryAlone builds a binary for m, which no schema can hold, and runs the tests.
func (p *plan) tryAlone(b builder, r runner, sources []*source, m *mutant) {
	s := sources[slices.IndexFunc(sources, func(s *source) bool { return s.name == m.File })]
	binary := filepath.Join(b.work, "alone.test")
	if _, err := b.build(".", binary, map[string]string{m.File: apply(s.text, m.edit)}); err != nil {
		m.Result = notCompiled
		return
	}
	r.run(binary, m, p.quick)
}
