// `bench tls`: what an idle connection over TLS keeps in the server's memory,
// beside a bare TLS echo, which is what crypto/tls itself takes.
//
// As with `idle`, resident memory is read from outside before the first
// connection and after one echo on each and a collection. The clients live in
// the process that directs: nothing of theirs is measured.

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"
)

// tlsPeers are those that take any listener: the others read a socket's
// descriptor, or bring a server of their own.
var tlsPeers = []string{"raw", "serve", "next", "gws-http", "gobwas-http", "coder", "gorilla"}

func tlsMain(args []string) error {
	fs := flag.NewFlagSet("tls", flag.ContinueOnError)
	conns := fs.Int("conns", 2000, "connections")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if _, err := raiseDescriptors(); err != nil {
		return err
	}
	fmt.Printf("%v, commit %s, %d connections over TLS 1.3\n\n| server | KiB each | after free pages went back |\n|---|--:|--:|\n", thisMachine(), commit(), *conns)
	for _, name := range tlsPeers {
		p, err := peerNamed(name)
		if err != nil {
			return err
		}
		rss, trimmed, err := tlsIdle(p, *conns)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Printf("| %s | %.1f | %.1f |\n", name, rss, trimmed)
	}
	return nil
}

// tlsIdle returns the memory of one idle connection, in KiB.
func tlsIdle(p peer, conns int) (rss, trimmed float64, err error) {
	c := &config{server: -1, load: -1}
	err = c.withServer(p, serveOptions{TLS: true, Size: 16}, func(server *child, addr string) error {
		const limit = time.Minute
		// The first handshakes fill caches that are no connection's.
		warm, err := tlsClients(addr, p.raw, 20)
		defer hangUp(warm)
		if err != nil {
			return err
		}
		var s serverStats
		if err := server.ask("trim", limit, &s); err != nil {
			return err
		}
		before, err := memoryOf(server.pid())
		if err != nil {
			return err
		}
		open, err := tlsClients(addr, p.raw, conns)
		defer hangUp(open)
		if err != nil {
			return err
		}
		for _, step := range []struct {
			command string
			per     *float64
		}{{"gc", &rss}, {"trim", &trimmed}} {
			if err := server.ask(step.command, limit, &s); err != nil {
				return err
			}
			m, err := memoryOf(server.pid())
			if err != nil {
				return err
			}
			*step.per = (m.RSS - before.RSS) / kib / float64(conns)
		}
		return nil
	})
	return rss, trimmed, err
}

func hangUp(open []net.Conn) {
	for _, c := range open {
		c.Close()
	}
}

// tlsClients opens n connections and echoes once on each.
func tlsClients(addr string, raw bool, n int) (open []net.Conn, err error) {
	for range n {
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		if err != nil {
			return open, err
		}
		open = append(open, c)
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if err := echoOnce(c, raw); err != nil {
			return open, err
		}
	}
	return open, nil
}

const upgradeRequest = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

func echoOnce(c net.Conn, raw bool) error {
	payload := []byte("sixteen octets..")
	sent, want := payload, payload
	if !raw {
		if _, err := io.WriteString(c, upgradeRequest); err != nil {
			return err
		}
		if err := skipHead(c); err != nil {
			return err
		}
		sent = append([]byte{0x82, 0x80 | 16, 0, 0, 0, 0}, payload...) // masked with 0
		want = append([]byte{0x82, 16}, payload...)
	}
	if _, err := c.Write(sent); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return errors.New("the echo is something else")
	}
	return nil
}

// skipHead reads the head of the answer, and no byte more.
func skipHead(c net.Conn) error {
	var head []byte
	b := make([]byte, 1)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		if _, err := io.ReadFull(c, b); err != nil {
			return err
		}
		head = append(head, b[0])
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		return fmt.Errorf("answered %q", head)
	}
	return nil
}

// withTLS puts a certificate of its own in front of ln.
func withTLS(ln net.Listener) (net.Listener, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(ln, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"http/1.1"},
	}), nil
}
