package main

// This file finds or installs the peers that are not Go: npm's ws, of a version
// pinned here, into a directory that is removed afterwards, and Python's websockets
// as the system has it.

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed scripts
var scripts embed.FS

const npmVersion = "8.23.0"

// contestant is a peer that can be started.
type contestant struct {
	name    string
	version string
	argv    []string // the command; the flags of a role follow
	single  bool     // it has one thread, so a long message holds all connections up
}

// goPeer is a library in this program.
func goPeer(name, version string) (contestant, error) {
	self, err := os.Executable()
	return contestant{name: name, version: version, argv: []string{self, "play", name}}, err
}

// npmPeer installs ws into dir.
func npmPeer(ctx context.Context, dir string) (contestant, error) {
	script, err := unpack("ws.cjs", dir)
	if err != nil {
		return contestant{}, err
	}
	install := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-save", "--no-audit", "--no-fund",
		"--ignore-scripts", "ws@"+npmVersion)
	if out, err := install.CombinedOutput(); err != nil {
		return contestant{}, fmt.Errorf("npm install ws: %w\n%s", err, out)
	}
	return contestant{"ws", npmVersion, []string{"node", script}, true}, nil
}

// pythonPeer takes the first Python that has websockets.
func pythonPeer(ctx context.Context, dir string) (contestant, error) {
	script, err := unpack("websockets.py", dir)
	if err != nil {
		return contestant{}, err
	}
	// Away from dir: the script has the name of the module it imports.
	const ask = "import websockets.version as v; print(v.version)"
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if out, err := exec.CommandContext(ctx, python, "-c", ask).Output(); err == nil {
			return contestant{"websockets", strings.TrimSpace(string(out)), []string{python, script}, true}, nil
		}
	}
	return contestant{}, fmt.Errorf("no python3 has websockets: install Debian's python3-websockets, or the package of that name")
}

// unpack writes a script into dir, under a name that no module has.
func unpack(name, dir string) (string, error) {
	b, err := scripts.ReadFile("scripts/" + name)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "peer-"+name)
	return path, os.WriteFile(path, b, 0o644)
}
