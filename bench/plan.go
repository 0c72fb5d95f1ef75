// The order of a run: which cells, which servers, how often, and how one
// server meets one load.
//
// Repetitions are the outermost loop and servers the innermost, so that a slow
// minute of the machine falls on all servers of a cell alike; the order of the
// servers is shuffled anew (constant seed) in each repetition. Every figure is
// written to the CSV file as it arrives.

package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// config is the command line of a run.
type config struct {
	quick   bool
	cells   []cell
	peers   []peer
	kinds   []string
	reps    int
	window  time.Duration
	conns   int // of the idle measurement
	out     string
	server  int // processors
	load    int
	quiet   bool
	tries   int // of a measurement that something disturbs
	failed  int
	csv     *csvWriter
	current int // repetition
}

// cell is one shape of load.
type cell struct {
	size, conns, inFlight int
	text                  bool
}

// tableCells are the cells of the default table; fullCells the whole matrix.
const (
	tableCells = "16B-c1-p1,16B-c64-p1,16B-c64-p16,128B-c1000-p1,1KiB-c64-p1,1KiB-c64-p16,16KiB-c64-p1,1MiB-c2-p1"
	quickCells = "16B-c64-p1,16B-c64-p16,16KiB-c64-p1"
	quickPeers = "raw,serve,next,gobwas,gobwas-batch,gws"
	quickKinds = "echo,deflate,idle,handshake,broadcast"
	allKinds   = "echo,deflate,takeover,idle,idle-takeover,handshake,broadcast,client"
)

func fullCells() string {
	var names []string
	for _, size := range []string{"16B", "125B", "1KiB", "16KiB", "64KiB", "1MiB"} {
		for _, conns := range []int{1, 64, 1000} {
			for _, inFlight := range []int{1, 16} {
				// A thousand connections with 16 MiB each on the way measure swap.
				if size != "1MiB" || conns*inFlight <= 64 {
					names = append(names, fmt.Sprintf("%s-c%d-p%d", size, conns, inFlight))
				}
			}
		}
	}
	return strings.Join(names, ",")
}

var sizeUnits = []struct {
	suffix string
	factor int
}{{"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// parseCell reads names like 16B-c64-p16: payload, connections, messages in
// flight on each; a trailing -text makes them text messages.
func parseCell(name string) (c cell, err error) {
	bad := fmt.Errorf("cell %q is not of the form 16B-c64-p16 or 1KiB-c64-p1-text", name)
	rest, text := strings.CutSuffix(name, "-text")
	parts := strings.Split(rest, "-")
	if len(parts) != 3 {
		return c, bad
	}
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(parts[0], u.suffix); ok {
			c.size, err = strconv.Atoi(n)
			c.size *= u.factor
			break
		}
	}
	if err != nil || c.size <= 0 || c.size > 64<<20 {
		return c, bad
	}
	for i, into := range []*int{&c.conns, &c.inFlight} {
		n, ok := strings.CutPrefix(parts[i+1], []string{"c", "p"}[i])
		if *into, err = strconv.Atoi(n); !ok || err != nil || *into <= 0 {
			return c, bad
		}
	}
	c.text = text
	return c, nil
}

func (c cell) String() string {
	name := fmt.Sprintf("-c%d-p%d", c.conns, c.inFlight)
	if c.text {
		name += "-text"
	}
	return c.sizeName() + name
}

// sizeName is the payload's size in the largest unit that divides it.
func (c cell) sizeName() string {
	for _, u := range sizeUnits {
		if c.size%u.factor == 0 {
			return strconv.Itoa(c.size/u.factor) + u.suffix
		}
	}
	return ""
}

func parseCells(list string) ([]cell, error) {
	if list == "full" {
		list = fullCells()
	}
	var cells []cell
	for name := range strings.SplitSeq(list, ",") {
		c, err := parseCell(name)
		if err != nil {
			return nil, err
		}
		cells = append(cells, c)
	}
	return cells, nil
}

func parsePeers(list string) ([]peer, error) {
	if list == "all" {
		return allPeers(), nil
	}
	var peers []peer
	for name := range strings.SplitSeq(list, ",") {
		p, err := peerNamed(name)
		if err != nil {
			return nil, err
		}
		peers = append(peers, p)
	}
	return peers, nil
}

func parseFlags(args []string) (*config, error) {
	c := &config{}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.BoolVar(&c.quick, "quick", false, "few cells, few servers, short windows: about a minute")
	cells := fs.String("cells", tableCells, "comma-separated cells, or full")
	peers := fs.String("peers", "all", "comma-separated servers (see `bench peers`), or all")
	kinds := fs.String("kinds", allKinds, "which measurements")
	fs.IntVar(&c.reps, "reps", 12, "interleaved repetitions")
	fs.DurationVar(&c.window, "time", time.Second, "length of one timed window")
	fs.IntVar(&c.conns, "idle", 10000, "idle connections")
	fs.StringVar(&c.out, "out", filepath.Join("bench", "out"), "directory for CSV and charts")
	fs.IntVar(&c.server, "server-cpu", 0, "processor of the server, -1 = any")
	fs.IntVar(&c.load, "load-cpu", 1, "processor of the load generator, -1 = any")
	fs.IntVar(&c.tries, "tries", 3, "how often a disturbed or failed window is taken at most")
	fs.BoolVar(&c.quiet, "quiet", false, "no progress lines")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if c.quick {
		set := map[string]bool{}
		fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
		c.makeQuick(set, cells, peers, kinds)
	}
	if c.reps < 1 || c.tries < 1 || c.window <= 0 || c.conns < 1 {
		return nil, errors.New("reps, tries, time and idle must be positive")
	}
	if runtime.NumCPU() < 2 {
		c.server, c.load = -1, -1
	}
	c.kinds = strings.Split(*kinds, ",")
	var err1, err2 error
	c.cells, err1 = parseCells(*cells)
	c.peers, err2 = parsePeers(*peers)
	return c, errors.Join(err1, err2)
}

// makeQuick shortens whatever the user did not set.
func (c *config) makeQuick(set map[string]bool, cells, peers, kinds *string) {
	if !set["kinds"] {
		*kinds = quickKinds
	}
	if !set["cells"] {
		*cells = quickCells
	}
	if !set["peers"] {
		*peers = quickPeers
	}
	if !set["tries"] {
		c.tries = 1
	}
	if !set["reps"] {
		c.reps = 2
	}
	if !set["time"] {
		c.window = 250 * time.Millisecond
	}
	if !set["idle"] {
		c.conns = 1000
	}
}

// measurement is one kind of figure: for one server in one cell it calls emit
// for each metric. Kinds without cells of their own are called once per
// server, with the zero cell.
type measurement struct {
	name  string
	cells func(*config) []cell // nil = one zero cell
	fits  func(peer) bool
	take  func(c *config, p peer, at cell, emit func(metric string, v float64)) error
	label func(*config, cell) string
}

// measurements in the order in which they run.
func measurements() []measurement {
	return []measurement{
		echoMeasurement(), deflateMeasurement(), takeoverMeasurement(),
		idleMeasurement("idle", false), idleMeasurement("idle-takeover", true),
		handshakeMeasurement(), broadcastMeasurement(), clientMeasurement(),
	}
}

func runMain(args []string) error {
	c, err := parseFlags(args)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return err
	}
	name := filepath.Join(c.out, time.Now().UTC().Format("20060102-150405")+".csv")
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if c.csv, err = newCSVWriter(f, runInfo(c)); err != nil {
		return err
	}
	if err := c.runAll(); err != nil {
		return err
	}
	if err := reportMain([]string{name}); err != nil {
		return err
	}
	if c.failed > 0 {
		return fmt.Errorf("%d measurements failed", c.failed)
	}
	return nil
}

// runInfo is the header of the CSV file.
func runInfo(c *config) map[string]string {
	m := thisMachine()
	info := map[string]string{
		"machine": m.fingerprint(), "host": m.String(), "go": runtime.Version(),
		"commit": commit(), "started": time.Now().UTC().Format(time.RFC3339),
		"pinned": fmt.Sprintf("server %d, load %d", c.server, c.load),
		"window": c.window.String(), "reps": strconv.Itoa(c.reps),
	}
	for mod, v := range moduleVersions() {
		if mod != "" && mod != ourModule {
			info["module "+mod] = v
		}
	}
	return info
}

// commit names the source the run was made from; a trailing + means that it
// had changes that are not committed.
func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	id := strings.TrimSpace(string(out))
	if dirty, _ := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output(); len(dirty) > 0 {
		id += "+"
	}
	return id
}

//go:embed go.mod
var goMod string

// moduleVersions maps import path to version for every peer's module.
func moduleVersions() map[string]string {
	v := map[string]string{"": runtime.Version()}
	bi, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, p := range allPeers() {
		if _, rest, ok := strings.Cut(goMod, p.module+" v"); ok && p.module != "" { // it may be in another binary
			v[p.module] = "v" + strings.Fields(rest)[0]
		}
		for _, d := range bi.Deps {
			if p.module == d.Path {
				v[p.module] = d.Version
			}
		}
	}
	return v
}

func (c *config) runAll() error {
	rng := rand.New(rand.NewPCG(6455, 1))
	for c.current = range c.reps {
		for _, m := range measurements() {
			if !slices.Contains(c.kinds, m.name) {
				continue
			}
			cells := []cell{{}}
			if m.cells != nil {
				cells = m.cells(c)
			}
			for _, at := range cells {
				peers := slices.Clone(c.peers)
				rng.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
				for _, p := range peers {
					if !m.fits(p) {
						continue
					}
					if err := c.runOne(m, p, at); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// quietEnough is the fraction of a window that a process may wait for its
// processor before the window counts as disturbed.
const quietEnough = 0.05

// runOne takes one measurement, again if the machine was not quiet, and keeps
// the least disturbed. A server that fails is reported and counted, and the run
// goes on: only a file that cannot be written ends it.
func (c *config) runOne(m measurement, p peer, at cell) error {
	label := m.name
	if m.label != nil {
		label = m.label(c, at)
	}
	var best []sample
	least := 0.0
	for try := range c.tries {
		var got []sample
		waited := 0.0
		err := m.take(c, p, at, func(metric string, v float64) {
			got = append(got, sample{c.current, m.name, label, p.name, metric, v})
			if metric == "waited" {
				waited = v
			}
		})
		if err != nil && try+1 == c.tries && best == nil {
			c.failed++
			fmt.Fprintf(os.Stderr, "bench: %s %s %s: %v\n", m.name, label, p.name, err)
		}
		if err == nil && (best == nil || waited < least) {
			best, least = got, waited
		}
		if err == nil && waited <= quietEnough {
			break
		}
	}
	if len(best) > 0 && !c.quiet {
		fmt.Fprintf(os.Stderr, "%d/%d %-9s %-22s %-14s %s %.3f\n", c.current+1, c.reps, m.name, label, p.name, best[0].Metric, best[0].Value)
	}
	for _, s := range best {
		if err := c.csv.write(s); err != nil {
			return err
		}
	}
	return nil
}

// withServer starts p, calls use with the running server and its address, and
// stops it.
func (c *config) withServer(p peer, o serveOptions, use func(server *child, addr string) error) error {
	arg, err := json.Marshal(o)
	if err != nil {
		return err
	}
	path, err := binaryOf(p)
	if err != nil {
		return err
	}
	server, err := startBinary(path, c.server, "serve", p.name, "127.0.0.1:0", string(arg))
	if err != nil {
		return err
	}
	defer server.stop()
	var l listening
	if err := server.receive(10*time.Second, &l); err != nil {
		return err
	}
	return use(server, l.Addr)
}

// startLoad starts the generator with a plan.
func (c *config) startLoad(p loadPlan) (*child, error) {
	p.Spin = c.load >= 0 && c.load != c.server
	arg, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return startChild(c.load, "load", string(arg))
}
