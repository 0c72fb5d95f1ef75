// The echo client sends each line of its input as a message and prints what comes back. At the end of the input it
// closes the connection properly, which waits for the server's answer.
//
//	go run ./examples/echo/client                        (beside a running echo server)
//	echo hello | go run ./examples/echo/client wss://example.com/echo
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/seed9f1f0156/websocket"
)

func main() {
	url := "ws://localhost:8082/echo"
	if len(os.Args) > 1 {
		url = os.Args[1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, url, os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url string, in io.Reader, out io.Writer) error {
	c, err := websocket.Dial(ctx, url, nil) // a refusal is a *websocket.HandshakeError that says why
	if err != nil {
		return err
	}
	defer c.CloseNow()
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		sent := time.Now()
		if err := c.Write(ctx, websocket.Text, lines.Bytes()); err != nil {
			return err
		}
		_, msg, err := c.Read(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s  (%v)\n", msg, time.Since(sent).Round(time.Microsecond))
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return c.Close(websocket.StatusNormalClosure, "")
}
