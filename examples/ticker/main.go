// Ticker pushes prices to any number of pages, which draw them as they come. The prices are made up.
//
//	go run ./examples/ticker
//
// This file serves; feed.go is the ticker.
package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/seed9f1f0156/websocket"
)

//go:embed page
var files embed.FS

func main() {
	addr := flag.String("addr", "localhost:8081", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	page, err := fs.Sub(files, "page")
	if err != nil {
		log.Fatal(err)
	}
	f := newFeed("OAK", "ELM", "ASH", "FIR")
	go f.run(ctx)
	pages := &websocket.Server{Handler: f.serve}
	mux := http.NewServeMux()
	mux.Handle("/prices", pages)
	mux.Handle("/", http.FileServerFS(page))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(l)
	fmt.Printf("The ticker is at http://%s (Ctrl-C ends it)\n", strings.Replace(l.Addr().String(), "[::]", "localhost", 1))

	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	pages.Shutdown(ctx)
	server.Shutdown(ctx)
}
