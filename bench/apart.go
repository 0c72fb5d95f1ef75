// Servers in binaries of their own: those of libraries that cost a program something
// before it uses them, which the other servers must not pay.
//
// A peer with a tag is compiled only with that tag. The run builds this package once
// more with it, and starts the server from there. Called by withServer.

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
)

// apart are the servers that this binary has because of its tag.
var apart = map[string]func(net.Listener, serveOptions) error{}

func nbioPeers() []peer {
	return []peer{{name: "nbio", module: "github.com/lesismal/nbio", about: "event loop, handler on the poller", tag: "nbio",
		deflate: true, broadcast: true, serve: apart["nbio"]}}
}

var built struct {
	sync.Mutex
	dir  string
	tags map[string]string // the binary of each
}

// binaryOf returns the path of the binary that serves p.
func binaryOf(p peer) (string, error) {
	if p.serve != nil {
		return os.Executable()
	}
	built.Lock()
	defer built.Unlock()
	if path := built.tags[p.tag]; path != "" {
		return path, nil
	}
	_, source, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(source) {
		return "", errors.New("this binary does not know where its source is: it was built with -trimpath")
	}
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "bench")
		if err != nil {
			return "", err
		}
		built.dir, built.tags = dir, make(map[string]string)
	}
	path := filepath.Join(built.dir, p.tag)
	cmd := exec.Command("go", "build", "-tags", p.tag, "-o", path, ".")
	cmd.Dir = filepath.Dir(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the server of %s: %w\n%s", p.name, err, out)
	}
	built.tags[p.tag] = path
	return path, nil
}

// removeBuilt removes the binaries of this run.
func removeBuilt() {
	built.Lock()
	defer built.Unlock()
	if built.dir != "" {
		os.RemoveAll(built.dir)
		built.dir, built.tags = "", nil
	}
}
