package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// One repetition of everything with two servers, from the command line to the
// charts, in processes of their own.
func TestWholeRun(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, runMain([]string{"-quick", "-quiet", "-kinds", allKinds, "-out", dir, "-peers", "gobwas,gorilla", "-reps", "2",
		"-time", "30ms", "-idle", "50", "-cells", "16B-c4-p16,64KiB-c2-p1", "-server-cpu", "-1", "-load-cpu", "-1"}))
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	r, err := readFile(files[0])
	require.NoError(t, err)
	for _, m := range measurements() {
		if !strings.Contains(allKinds, m.name) {
			continue
		}
		for _, p := range []string{"gobwas", "gorilla"} {
			known, err := peerNamed(p)
			require.NoError(t, err)
			if !m.fits(known) {
				continue
			}
			found := map[int]bool{}
			for _, s := range r.Samples {
				if s.Kind == m.name && s.Peer == p {
					found[s.Rep] = true
					require.GreaterOrEqual(t, s.Value, 0.0, "%+v", s)
				}
			}
			require.Len(t, found, 2, "%s of %s", m.name, p)
		}
	}
	require.Positive(t, r.spread("echo", "64KiB-c2-p1", "gorilla", "msgs_per_s").median)
	require.Positive(t, r.spread("echo", "16B-c4-p16", "gobwas", "cpu_us").median)
	charts, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	require.NoError(t, err)
	require.NotEmpty(t, charts)

	var text bytes.Buffer
	writeReport(&text, r, []string{"gobwas"})
	require.Contains(t, text.String(), "| gobwas | 1.00 (1.00..1.00) | 1.00 (1.00..1.00) |")
}

// A server whose echo is wrong must fail the measurement, not slow it: here the
// hundredth byte of each connection has one bit turned.
func TestGeneratorRefusesWrongEchoes(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer c.Close()
				var b [1]byte
				for i := 1; ; i++ {
					if _, err := c.Read(b[:]); err != nil {
						return
					}
					if i == 100 {
						b[0] ^= 1
					}
					if _, err := c.Write(b[:]); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { ln.Close(); open.Wait() })
	p := loadPlan{Addr: ln.Addr().String(), PID: os.Getpid(), Raw: true, Size: 64, Conns: 2, InFlight: 2, Window: time.Second}
	_, err = loadEcho(p, func(any) error { return nil })
	require.ErrorIs(t, err, errDiffers)
}

func TestCellNames(t *testing.T) {
	for _, name := range strings.Split(fullCells()+","+tableCells+",100B-c2-p3-text,1025B-c1-p1", ",") {
		c, err := parseCell(name)
		require.NoError(t, err)
		require.Equal(t, name, c.String())
	}
	for _, name := range []string{"", "16B", "16-c1-p1", "16B-c0-p1", "16B-p1-c1", "0B-c1-p1", "16B-c1-p1-x", "65MiB-c1-p1", "xB-c1-p1"} {
		_, err := parseCell(name)
		require.Error(t, err, "%q", name)
	}
}

func TestLoadStaysOnLoopback(t *testing.T) {
	_, err := newDestination("127.0.0.5:80", false, "")
	require.NoError(t, err)
	for _, addr := range []string{"10.0.0.1:80", "8.8.8.8:80", "[::1]:80", "localhost:80", "127.0.0.1"} {
		_, err := newDestination(addr, false, "")
		require.Error(t, err, addr)
	}
}

func TestReportReplacesItsPart(t *testing.T) {
	name := filepath.Join(t.TempDir(), "r.md")
	require.NoError(t, os.WriteFile(name, []byte("a\n"+reportBegin+"old\n"+reportEnd+"z\n"), 0o644))
	require.NoError(t, replaceReport(name, []byte("new\n")))
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "a\n"+reportBegin+"new\n"+reportEnd+"z\n", string(b))
	require.NoError(t, os.WriteFile(name, []byte("no markers"), 0o644))
	require.Error(t, replaceReport(name, nil))
}

func TestChartIsWellFormed(t *testing.T) {
	svg := chart(chartFigures[0], []string{"<cell>"}, [][]bar{{{"a&b", true, spread{1, 2, 3, 4}}, {"zero", false, spread{}}}}, "note")
	require.Contains(t, svg, "&lt;cell&gt;")
	require.Contains(t, svg, "a&amp;b")
	require.NotContains(t, svg, "NaN")
	require.Equal(t, 1, strings.Count(svg, "</svg>"))
}

func TestParseStatus(t *testing.T) {
	m, err := parseStatus("Name:\tx\nVmHWM:\t  200 kB\nVmRSS:\t  100 kB\nRssAnon:\t   40 kB\nRssFile:\t 60 kB\n")
	require.NoError(t, err)
	require.Equal(t, memory{RSS: 100 << 10, Anon: 40 << 10, Peak: 200 << 10}, m)
	_, err = parseStatus("VmHWM:\t  200 kB\n")
	require.Error(t, err)
}

// The clock of another process counts that process, not this one.
func TestCPUTime(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	require.NoError(t, err)
	x := uint64(1)
	for range 1 << 22 {
		x = x*6364136223846793005 + 1
	}
	require.NotZero(t, x)
	after, err := cpuTime(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, after, before)
	_, err = cpuTime(1 << 22)
	require.Error(t, err)
	_, err = waitTime(os.Getpid())
	require.NoError(t, err)
	_, err = waitTime(1 << 22)
	require.Error(t, err)
}

func TestSyscallsPerMessage(t *testing.T) {
	text := "# started on Mon\n\n2000,,syscalls:sys_enter_read,1,100.00,,\n1000,,syscalls:sys_enter_write,1,100.00,,\n" +
		"0,,syscalls:sys_enter_open,1,100.00,,\n<not counted>,,syscalls:sys_enter_x,0,0.00,,\n"
	require.Equal(t, []string{"read             2.000", "write            1.000"}, perMessage(text, 1000))
	require.Len(t, perMessage("", 1000), 1)
}

// A library whose package does something when a program starts is in a binary of its
// own, made when it is asked for, and in no other.
func TestApart(t *testing.T) {
	p, err := peerNamed("nbio")
	require.NoError(t, err)
	require.Nil(t, p.serve)
	require.ErrorContains(t, serveMain([]string{"nbio", "127.0.0.1:0"}), "-tags nbio")
	dir := t.TempDir()
	require.NoError(t, runMain([]string{"-quiet", "-kinds", "echo", "-out", dir, "-peers", "nbio", "-reps", "1",
		"-time", "30ms", "-cells", "16B-c4-p16", "-server-cpu", "-1", "-load-cpu", "-1"}))
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	r, err := readFile(files[0])
	require.NoError(t, err)
	require.Positive(t, r.spread("echo", "16B-c4-p16", "nbio", "cpu_us").median)
	path, err := binaryOf(p)
	require.NoError(t, err)
	require.FileExists(t, path)
	removeBuilt()
	require.NoFileExists(t, path)
}
