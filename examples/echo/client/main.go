// The echo client sends each line of its input as a message and prints what comes back. At the end of the input it
// closes the connection properly, which waits for the server's answer.
//
//	go run ./examples/echo/client                        (beside a running echo server)
//	echo hello | go run ./examples/echo/client wss://example.com/echo
package main

import (
	"bufio"
	"context"
	"errors"
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
	answers, ended := make(chan string), make(chan error, 1)
	go func() { // somebody has to read all the time, or pings are not answered while nobody types
		ended <- c.Serve(c.Context(), func(_ websocket.Opcode, msg []byte) error {
			select {
			case answers <- string(msg):
			case <-c.Context().Done():
			}
			return nil
		})
	}()
	lines, typed := bufio.NewScanner(in), make(chan string)
	go func() { // nothing ends a read of the terminal
		defer close(typed)
		for lines.Scan() {
			select {
			case typed <- lines.Text():
			case <-c.Context().Done():
				return
			}
		}
	}()
	var sent time.Time
	for next := typed; ; { // nil while an answer is missing
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return c.Close(websocket.StatusGoingAway, "")
		case line, more := <-next:
			if !more {
				return errors.Join(lines.Err(), c.Close(websocket.StatusNormalClosure, ""))
			}
			sent, next = time.Now(), nil
			if err := c.Write(ctx, websocket.Text, []byte(line)); err != nil {
				return err
			}
		case msg := <-answers:
			fmt.Fprintf(out, "%s  (%v)\n", msg, time.Since(sent).Round(time.Microsecond))
			next = typed
		}
	}
}
