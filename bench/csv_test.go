package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func written(t *testing.T, info map[string]string, samples ...sample) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w, err := newCSVWriter(&b, info)
	require.NoError(t, err)
	for _, s := range samples {
		require.NoError(t, w.write(s))
	}
	return &b
}

func TestCSVRoundTrip(t *testing.T) {
	info := map[string]string{"machine": "aa", "host": "a CPU, 2 cores", "commit": "0123+"}
	samples := []sample{
		{0, "echo", "16B-c64-p1", "serve", "cpu_us", 5.0625},
		{1, "echo", `cell with "quotes", and comma`, "raw", "p99_us", 1e-9},
		{2, "idle", "10000", "raw", "rss_kib", 123456789.125},
	}
	r, err := readRun(written(t, info, samples...))
	require.NoError(t, err)
	require.Equal(t, info, r.Info)
	require.Equal(t, samples, r.Samples)

	r, err = readRun(written(t, info))
	require.NoError(t, err, "a run that was interrupted at once")
	require.Empty(t, r.Samples)
}

func TestCSVRefusesWhatItDidNotWrite(t *testing.T) {
	for _, text := range []string{
		"",
		"# machine\nrep,kind,cell,peer,metric,value\n",
		"# machine=aa",
		"rep,kind,cell,peer,value,metric\n",
		"rep,kind,cell,peer,metric,value\nx,echo,c,p,m,1\n",
		"rep,kind,cell,peer,metric,value\n1,echo,c,p,m,fast\n",
		"rep,kind,cell,peer,metric,value\n1,echo,c,p,m\n",
	} {
		_, err := readRun(strings.NewReader(text))
		require.Error(t, err, "%q", text)
	}
	_, err := newCSVWriter(new(bytes.Buffer), map[string]string{"host": "two\nlines"})
	require.Error(t, err)
}

func TestRunsOfDifferentMachinesAreRefused(t *testing.T) {
	read := func(machine string) *run {
		r, err := readRun(written(t, map[string]string{"machine": machine, "commit": machine + "c"},
			sample{0, "echo", "c", "raw", "cpu_us", 1}, sample{1, "echo", "c", "raw", "cpu_us", 2}))
		require.NoError(t, err)
		return r
	}
	_, err := merge([]*run{read("aa"), read("bb")})
	require.ErrorIs(t, err, errOtherMachine)
	_, err = merge([]*run{read("")})
	require.ErrorIs(t, err, errOtherMachine, "a run that does not say where it was made")
	_, err = merge(nil)
	require.Error(t, err)

	both, err := merge([]*run{read("aa"), read("aa")})
	require.NoError(t, err)
	require.Equal(t, map[int]float64{0: 1, 1: 2, 2: 1, 3: 2}, both.byRep("echo", "c", "raw", "cpu_us"),
		"repetitions of one file are not those of the other")
	require.Equal(t, 1.5, both.spread("echo", "c", "raw", "cpu_us").median)
}

// Any difference that makes figures incomparable changes the fingerprint.
func TestFingerprint(t *testing.T) {
	a := machine{CPU: "x 6/1/1", Cores: 2, MemGiB: 24, Kernel: "6.1", Arch: "amd64", ID: "00"}
	seen := map[string]bool{a.fingerprint(): true}
	for _, change := range []func(*machine){
		func(m *machine) { m.CPU = "x 6/1/2" }, func(m *machine) { m.Cores++ }, func(m *machine) { m.MemGiB++ },
		func(m *machine) { m.Kernel = "6.2" }, func(m *machine) { m.Arch = "arm64" }, func(m *machine) { m.ID = "01" },
	} {
		b := a
		change(&b)
		require.False(t, seen[b.fingerprint()])
		seen[b.fingerprint()] = true
	}
	require.Equal(t, thisMachine().fingerprint(), thisMachine().fingerprint())
	require.NotContains(t, thisMachine().String(), "=")
}
