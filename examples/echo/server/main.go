// The echo server sends every message back. It is complete: foreign origins are refused, text is validated, sizes
// are bounded, dead peers are found, and Ctrl-C says goodbye (close code 1001).
//
//	go run ./examples/echo/server
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/seed9f1f0156/websocket"
)

// echo is the life of one connection. Returning the error of a normal close ends it quietly.
func echo(ctx context.Context, c *websocket.Conn) error {
	for {
		op, msg, err := c.Read(ctx)
		if err != nil {
			return err
		}
		if err := c.Write(ctx, op, msg); err != nil {
			return err
		}
	}
}

func main() {
	addr := flag.String("addr", "localhost:8082", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	ws := &websocket.Server{Handler: echo}
	mux := http.NewServeMux()
	mux.Handle("/echo", ws)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(l)
	fmt.Printf("Echo is at ws://%s/echo (Ctrl-C ends it)\n", l.Addr())

	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ws.Shutdown(ctx)
	server.Shutdown(ctx)
}
