package middleware

// Reverse proxies, as they are installed from a distribution's packages, with the
// configurations in testdata, of which only addresses and times are changed. Each
// is started on loopback and stopped again.

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/stretchr/testify/require"
)

const (
	confFront = "127.0.0.1:8080" // what the configurations listen on
	confBack  = "127.0.0.1:9000" // and forward to
	confIdle  = "75s"            // after so much silence they cut a connection
)

// program returns the path of a proxy that has to be installed.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, file := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if path, err := exec.LookPath(file); err == nil {
			return path
		}
	}
	if testing.Short() {
		t.Skipf("%s is not installed, and -short was given", name)
	}
	t.Fatalf("%s is not installed (on Debian: apt-get install %s); -short does without", name, name)
	return ""
}

// configure copies a file of testdata to dir, with other values in it.
func configure(t *testing.T, dir, name string, replace map[string]string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	conf := string(b)
	for from, to := range replace {
		require.Contains(t, conf, from, "the test changes what is not there")
		conf = strings.ReplaceAll(conf, from, to)
	}
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(conf), 0o644))
	return path
}

// start runs a proxy until the test ends, and returns when addr answers.
func start(t *testing.T, addr string, cmd *exec.Cmd) {
	t.Helper()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	require.NoError(t, cmd.Start())
	exited := make(chan struct{})
	go func() {
		cmd.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
			<-exited
			t.Errorf("%s did not end", cmd.Path)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", cmd.Path, output.String())
		}
	})
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-tick.C:
		case <-exited:
			t.Fatalf("%s ended:\n%s", cmd.Path, output.String())
		case <-deadline:
			t.Fatalf("%s does not answer: %v", cmd.Path, err)
		}
	}
}

// freeAddr returns an address on loopback that nobody listens on.
func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// nginxMain is what surrounds the file in testdata; a distribution has its own.
const nginxMain = `
daemon off;
pid nginx.pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	include nginx.conf;
	server { # as many have it
		listen FORGETFUL;
		location / {
			proxy_pass http://websocket_servers;
		}
	}
}
`

// startNginx returns the address of nginx, and of one without the settings for
// upgrades.
func startNginx(t *testing.T, back, idle string) (front, forgetful string) {
	t.Helper()
	nginx := program(t, "nginx")
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) // its workers are another user
	front, forgetful = freeAddr(t), freeAddr(t)
	configure(t, dir, "nginx.conf", map[string]string{confFront: front, confBack: back, confIdle: idle})
	conf := strings.Replace(nginxMain, "FORGETFUL", forgetful, 1)
	path := filepath.Join(dir, "main.conf")
	require.NoError(t, os.WriteFile(path, []byte(conf), 0o644))
	start(t, front, exec.Command(nginx, "-e", "stderr", "-p", dir, "-c", path))
	return front, forgetful
}

func startHAProxy(t *testing.T, back, idle string) (front string) {
	t.Helper()
	haproxy := program(t, "haproxy")
	front = freeAddr(t)
	path := configure(t, t.TempDir(), "haproxy.cfg", map[string]string{confFront: front, confBack: back, confIdle: idle})
	start(t, front, exec.Command(haproxy, "-db", "-f", path))
	return front
}

// listen serves h and returns its address.
func listen(t *testing.T, h http.Handler) string {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

func TestNginx(t *testing.T) {
	front, forgetful := startNginx(t, listen(t, newServer(t)), confIdle)
	session(t, front)

	// What happens to most people first, and what they are told then.
	_, err := websocket.Dial(context.Background(), "ws://"+forgetful+"/ws/room", nil)
	var refused *websocket.HandshakeError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusUpgradeRequired, refused.Status)
	require.Contains(t, string(refused.Body), "proxy_set_header Upgrade $http_upgrade")
}

func TestHAProxy(t *testing.T) {
	session(t, startHAProxy(t, listen(t, newServer(t)), confIdle))
}

// What Go gateways are made of.
func TestReverseProxy(t *testing.T) {
	to := &url.URL{Scheme: "http", Host: listen(t, newServer(t))}
	session(t, listen(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // as the check of Origin needs it
	}}))
}

// A proxy cuts a connection on which nothing is said. The server's pings keep it,
// and that it is they is seen without them.
func TestKeepaliveThroughProxies(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, back string) string{
		"nginx": func(t *testing.T, back string) string {
			front, _ := startNginx(t, back, "1s")
			return front
		},
		"haproxy": func(t *testing.T, back string) string { return startHAProxy(t, back, "1s") },
	} {
		for keepalive, interval := range map[string]time.Duration{"pinged": 300 * time.Millisecond, "not pinged": -1} {
			t.Run(name+", "+keepalive, func(t *testing.T) {
				srv := newServer(t)
				srv.KeepaliveInterval = interval
				front := start(t, listen(t, srv))
				c, err := websocket.Dial(context.Background(), "ws://"+front+"/ws/room", nil)
				require.NoError(t, err)
				defer c.CloseNow()
				_, _, err = c.Read(context.Background())
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
				defer cancel()
				_, _, err = c.Read(ctx)
				if interval > 0 {
					require.ErrorIs(t, err, context.DeadlineExceeded)
					require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
					return
				}
				var ce *websocket.CloseError
				require.ErrorAs(t, err, &ce)
				require.Equal(t, websocket.StatusAbnormalClosure, ce.Code)
			})
		}
	}
}
