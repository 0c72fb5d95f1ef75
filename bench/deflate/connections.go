package main

// This file holds what compression costs a connection: the processor time of one
// message sent by a server and received by a client, over memory, and its bytes
// on the wire, without compression and with each setting.

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/seed9f1f0156/websocket"
)

// A setting is a way to compress; nil is none.
type setting struct {
	name   string
	agreed string
	z      *websocket.Compression
}

func settings() []setting {
	const alone = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	return []setting{
		{"plain", "", nil},
		{"fast", alone, &websocket.Compression{}},
		{"better", alone, &websocket.Compression{Level: 2}},
		{"fast, takeover", "permessage-deflate", &websocket.Compression{SendTakeover: true, ReceiveTakeover: true}},
		{"better, takeover", "permessage-deflate", &websocket.Compression{SendTakeover: true, ReceiveTakeover: true, Level: 2}},
	}
}

// A tape keeps what is written until it is read.
type tape struct {
	sink
	written int
}

func (t *tape) Write(p []byte) (int, error) {
	t.in = append(t.in, p...)
	t.written += len(p)
	return len(p), nil
}

// A link is a server and a client that read and write the same tape. The client
// only reads and the server only writes.
type link struct {
	tape           *tape
	server, client *websocket.Conn
}

func newLink(s setting) link {
	t := &tape{}
	opts := &websocket.Options{Compression: s.z, KeepaliveInterval: -1}
	conn := func(role websocket.Role) *websocket.Conn {
		c, err := websocket.NewConn(t, websocket.Handshake{Role: role, Extensions: s.agreed}, opts)
		if err != nil {
			panic(err)
		}
		return c
	}
	return link{t, conn(websocket.RoleServer), conn(websocket.RoleClient)}
}

// pass sends all messages and then receives them, and returns the time of both.
func (l link) pass(messages [][]byte) (send, receive time.Duration) {
	l.tape.in, l.tape.written = l.tape.in[:0], 0
	begun := processorTime()
	for _, m := range messages {
		if err := l.server.Write(context.Background(), websocket.Text, m); err != nil {
			panic(err)
		}
	}
	all := l.tape.in
	sent := processorTime()
	for _, m := range messages {
		_, p, err := l.client.Next(context.Background())
		if err != nil || len(p) != len(m) {
			panic(fmt.Sprint("a message is lost: ", err))
		}
	}
	receive = processorTime() - sent
	l.tape.in = all // its room is used again
	return sent - begun, receive
}

// printConnections prints one line for each corpus and size.
func printConnections(dir string, turns int) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "µs to send, µs to receive, bytes on the wire\t")
	for _, s := range settings() {
		fmt.Fprintf(w, "%s\t\t\t", s.name)
	}
	fmt.Fprintln(w)
	for _, file := range files[:4] {
		for _, size := range sizes {
			fmt.Fprintf(w, "%s/%d\t", file, size)
			messages := cut(corpus(dir, file), size)
			for i, m := range messages { // a cut may be in the middle of a character
				messages[i] = bytes.ToValidUTF8(m, []byte("?"))
			}
			for _, c := range measureLinks(messages, turns) {
				fmt.Fprintf(w, "%.2f\t%.2f\t%.0f\t", c[0], c[1], c[2])
			}
			fmt.Fprintln(w)
		}
	}
	w.Flush()
}

// measureLinks returns, for each setting, the median microseconds to send a
// message and to receive it, and its bytes.
func measureLinks(messages [][]byte, turns int) (all [][3]float64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var links []link
	for _, s := range settings() {
		links = append(links, newLink(s))
		links[len(links)-1].pass(messages) // the first one makes buffers
	}
	sends, receives := make([][]float64, len(links)), make([][]float64, len(links))
	n := float64(len(messages))
	for range turns {
		for i, l := range links {
			send, receive := l.pass(messages)
			sends[i] = append(sends[i], float64(send.Nanoseconds())/n/1000)
			receives[i] = append(receives[i], float64(receive.Nanoseconds())/n/1000)
		}
	}
	for i, l := range links {
		all = append(all, [3]float64{median(sends[i]), median(receives[i]), float64(l.tape.written) / n})
	}
	return all
}
