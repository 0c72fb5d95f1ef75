// What the kernel tells about processes and the machine: processor time,
// resident memory, pinning, descriptor limits, and the fingerprint that keeps
// runs of different machines apart.
//
// Called by the plan (pinning, fingerprint) and by the load generator, which
// reads the clock of the server's process without the server's help.

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the processor time that process pid has used, all threads,
// ended ones included, user and kernel together, in nanoseconds of the
// scheduler's clock rather than in ticks. clock_getcpuclockid(3) is a formula,
// not a system call: the complement of the pid above, the clock's kind below.
func cpuTime(pid int) (time.Duration, error) {
	const schedClock = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|schedClock, &ts); err != nil {
		return 0, fmt.Errorf("cpu clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// waitTime returns how long the threads of process pid have been ready to run
// and were not running, because something else had the processor.
func waitTime(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("process %d has no scheduler statistics", pid)
	}
	var sum time.Duration
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // the thread ended
		}
		var ran, waited, slices int64
		if _, err := fmt.Sscan(string(b), &ran, &waited, &slices); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		sum += time.Duration(waited)
	}
	return sum, nil
}

// memory is a process's resident memory in bytes.
type memory struct {
	RSS  float64 // now
	Anon float64 // the part that no file backs
	Peak float64 // the highest RSS so far
}

// memoryOf reads the memory of process pid.
func memoryOf(pid int) (memory, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, err
	}
	return parseStatus(string(b))
}

// parseStatus takes the figures of memoryOf from a /proc/PID/status text.
func parseStatus(text string) (memory, error) {
	var m memory
	want := map[string]*float64{"VmRSS:": &m.RSS, "RssAnon:": &m.Anon, "VmHWM:": &m.Peak}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || want[f[0]] == nil {
			continue
		}
		kb, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			return memory{}, fmt.Errorf("%s %w", f[0], err)
		}
		*want[f[0]] = kb * 1024
		delete(want, f[0])
	}
	if len(want) != 0 {
		return memory{}, fmt.Errorf("process status lacks %d of the memory lines", len(want))
	}
	return m, nil
}

// resetPeak makes the highest RSS of process pid start again from now.
func resetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// pinned runs start with the calling thread bound to the processor cpu, so
// that a process started there inherits the binding and Go's runtime in it
// counts one processor. A negative cpu binds nothing.
func pinned(cpu int, start func() error) error {
	if cpu < 0 {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("pinning to processor %d: %w", cpu, err)
	}
	err := start()
	if back := unix.SchedSetaffinity(0, &before); err == nil {
		err = back
	}
	return err
}

// raiseDescriptors lifts the soft limit of open files to the hard one and
// returns it.
func raiseDescriptors() (int, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	l.Cur = l.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	return int(min(l.Cur, 1<<30)), nil
}

// machine describes where a run took place. Two runs may be compared only if
// their fingerprints are equal.
type machine struct {
	CPU    string
	Cores  int
	MemGiB int
	Kernel string
	Arch   string
	ID     string // hash of the installation's id: a twin of this machine is another machine
}

// thisMachine reads the description of the machine it runs on.
func thisMachine() machine {
	m := machine{CPU: cpuModel(), Cores: runtime.NumCPU(), Arch: runtime.GOARCH, ID: "unknown"}
	var si unix.Sysinfo_t
	if unix.Sysinfo(&si) == nil {
		m.MemGiB = int((uint64(si.Totalram)*uint64(si.Unit) + 1<<29) >> 30)
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if id, err := os.ReadFile("/etc/machine-id"); err == nil {
		sum := sha256.Sum256(id)
		m.ID = hex.EncodeToString(sum[:4])
	}
	return m
}

// cpuModel names the processor, with family, model and stepping, because
// virtual machines like to call all of them by one name.
func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	var name, sig string
	for line := range strings.Lines(string(b)) {
		k, v, ok := strings.Cut(line, ":")
		switch k, v = strings.TrimSpace(k), strings.TrimSpace(v); {
		case k == "" && name != "":
			return strings.TrimSpace(name + " " + strings.TrimPrefix(sig, "/"))
		case !ok:
		case k == "model name":
			name = v
		case k == "cpu family" || k == "model" || k == "stepping":
			sig += "/" + v
		}
	}
	return strings.TrimSpace(name + " " + strings.TrimPrefix(sig, "/"))
}

// fingerprint is the machine in one short word.
func (m machine) fingerprint() string {
	// Each field by itself: String leaves the identity out.
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %d %q %q %q", m.CPU, m.Cores, m.MemGiB, m.Kernel, m.Arch, m.ID))
	return hex.EncodeToString(sum[:6])
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %d GiB, Linux %s, %s", m.CPU, m.Cores, m.MemGiB, m.Kernel, m.Arch)
}
