// Chat is a chat server and its page: names, rooms, presence, history, and pages that come back by themselves.
//
//	go run ./examples/chat
//
// Open the address it prints in two windows. This file serves; hub.go is the chat.
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
	addr := flag.String("addr", "localhost:8080", "address to listen on; :8080 lets the phones of the house in")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	page, err := fs.Sub(files, "page")
	if err != nil {
		log.Fatal(err)
	}
	chat := &websocket.Server{Handler: newHub().serve}
	chat.ReadLimit = readLimit
	mux := http.NewServeMux()
	mux.Handle("/ws", chat)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		// Whatever a message may contain, the browser runs nothing but the page's own files.
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
		http.FileServerFS(page).ServeHTTP(w, r)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(l)
	fmt.Printf("Chat is at http://%s (Ctrl-C ends it)\n", strings.Replace(l.Addr().String(), "[::]", "localhost", 1))

	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	chat.Shutdown(ctx) // close code 1001 to everybody: their pages come back when we do
	server.Shutdown(ctx)
}
