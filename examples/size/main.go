// Size tells what the package adds to a program: it builds an empty net/http server without it and with it, and prints
// the difference.
//
//	go run ./examples/size
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is a server of net/http; imports and body are what is added to it.
const program = `package main

import (
	"log"
	"net/http"
%s
)

func main() {
%s
	log.Fatal(http.ListenAndServe("localhost:8080", nil))
}
`

// A variant is a way to write it.
type variant struct {
	name          string
	imports, body string
}

var variants = []variant{
	{"net/http alone", "", ""},
	{"websocket imported", `_ "github.com/seed9f1f0156/websocket"`, ""},
	{"an echo server", `"context"; "github.com/seed9f1f0156/websocket"`, `
	http.Handle("/", &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		return c.Serve(ctx, func(op websocket.Opcode, msg []byte) error { return c.Write(ctx, op, msg) })
	}})`},
	{"and a client", `"context"; "github.com/seed9f1f0156/websocket"`, `
	http.Handle("/", &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
		return c.Serve(ctx, func(op websocket.Opcode, msg []byte) error { return c.Write(ctx, op, msg) })
	}})
	go websocket.Dial(context.Background(), "ws://localhost:8080", nil)`},
}

func main() {
	dir, err := os.MkdirTemp("", "size")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	env, err := exec.Command("go", "env", "GOVERSION", "GOOS", "GOARCH").Output()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Join(strings.Fields(string(env)), " "))
	fmt.Printf("%-32s %12s %10s %12s %10s\n", "", "bytes", "added", "stripped", "added")
	var first [2]int64
	for i, v := range variants {
		var sizes [2]int64
		for j, flags := range []string{"", "-s -w"} {
			if sizes[j], err = build(dir, v, flags); err != nil {
				log.Fatal(err)
			}
		}
		if i == 0 {
			first = sizes
		}
		fmt.Printf("%-32s %12d %10d %12d %10d\n", v.name, sizes[0], sizes[0]-first[0], sizes[1], sizes[1]-first[1])
	}
}

// build returns the size of the executable that v becomes, linked with flags.
func build(dir string, v variant, flags string) (int64, error) {
	source, path := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, fmt.Appendf(nil, program, v.imports, v.body), 0o644); err != nil {
		return 0, err
	}
	out, err := exec.Command("go", "build", "-trimpath", "-ldflags", flags, "-o", path, source).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
