package middleware

// Routers, and middleware that wraps http.ResponseWriter: an upgrade gets through
// each of them, and a session works behind it.

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/felixge/httpsnoop"
	"github.com/gin-contrib/gzip"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chimw "github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/handlers"
	"github.com/labstack/echo/v4"
	echomw "github.com/labstack/echo/v4/middleware"
	"github.com/seed9f1f0156/websocket"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// echoServer answers every message with itself, and the first one with what came
// in the header X-Seen before it.
func echoServer(ctx context.Context, c *websocket.Conn) error {
	if err := c.Write(ctx, websocket.Text, []byte(c.Handshake().Header.Get("X-Seen"))); err != nil {
		return err
	}
	return c.Serve(ctx, func(op websocket.Opcode, p []byte) error { return c.Write(ctx, op, p) })
}

// newServer returns what every test here puts behind something.
func newServer(t *testing.T) *websocket.Server {
	srv := &websocket.Server{Handler: echoServer}
	srv.Subprotocols = []string{"echo.v1"}
	srv.Compression = &websocket.Compression{}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		forced, err := srv.Shutdown(ctx)
		require.NoError(t, err)
		require.Zero(t, forced)
	})
	return srv
}

// session connects to addr, "host:port", and does what clients do.
func session(t *testing.T, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	opts := &websocket.DialOptions{
		Subprotocols: []string{"echo.v1"},
		// Like a page of the same origin: what is in between must not change Host.
		Header: http.Header{"X-Seen": {"yes"}, "Origin": {"http://" + addr}},
	}
	opts.Compression = &websocket.Compression{}
	c, err := websocket.Dial(ctx, "ws://"+addr+"/ws/room", opts)
	require.NoError(t, err)
	defer c.CloseNow()
	require.Equal(t, "echo.v1", c.Subprotocol())
	require.Contains(t, c.Handshake().Extensions, "permessage-deflate")
	_, p, err := c.Read(ctx)
	require.NoError(t, err)
	require.Equal(t, "yes", string(p))
	for _, n := range []int{0, 1, 125, 126, 65536, 1 << 20} {
		want := bytes.Repeat([]byte{'x'}, n)
		require.NoError(t, c.Write(ctx, websocket.Binary, want))
		op, got, err := c.Read(ctx)
		require.NoError(t, err)
		require.Equal(t, websocket.Binary, op)
		require.True(t, bytes.Equal(want, got))
	}
	done := c.CloseRead(ctx)
	require.NoError(t, c.Ping(ctx))
	require.NoError(t, c.Close(4000, "done"))
	<-done.Done()
}

func TestUpgradeBehind(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for name, wrap := range map[string]func(t *testing.T, ws http.Handler) http.Handler{
		"net/http": func(t *testing.T, ws http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("GET /ws/{room}", ws)
			return mux
		},
		"chi": func(t *testing.T, ws http.Handler) http.Handler {
			r := chi.NewRouter()
			quiet := &chimw.DefaultLogFormatter{Logger: discard{}, NoColor: true}
			r.Use(chimw.RequestID, chimw.RequestLogger(quiet), chimw.Recoverer, chimw.Compress(5), chimw.Timeout(time.Minute))
			r.Mount("/ws", http.StripPrefix("/ws", ws))
			return r
		},
		"gin": func(t *testing.T, ws http.Handler) http.Handler {
			r := gin.New()
			r.Use(gin.LoggerWithWriter(io.Discard), gin.RecoveryWithWriter(io.Discard))
			r.GET("/ws/:room", gin.WrapH(ws))
			return r
		},
		"gin with gzip": func(t *testing.T, ws http.Handler) http.Handler {
			r := gin.New()
			r.Use(gzip.Gzip(gzip.DefaultCompression))
			r.GET("/ws/:room", gin.WrapH(ws))
			return r
		},
		"echo": func(t *testing.T, ws http.Handler) http.Handler {
			e := echo.New()
			e.Use(echomw.Recover(), echomw.Gzip(), echomw.RequestID())
			e.GET("/ws/:room", echo.WrapHandler(ws))
			return e
		},
		"gorilla/handlers": func(t *testing.T, ws http.Handler) http.Handler {
			h := handlers.CompressHandler(ws)
			h = handlers.RecoveryHandler()(h)
			h = handlers.CORS()(h)
			h = handlers.ProxyHeaders(h)
			return handlers.CombinedLoggingHandler(io.Discard, h)
		},
		"httpsnoop": func(t *testing.T, ws http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				m := httpsnoop.CaptureMetricsFn(w, func(w http.ResponseWriter) {
					_, plain := w.(interface{ Unwrap() http.ResponseWriter })
					if !plain {
						t.Error("httpsnoop has wrapped nothing, so nothing was tested")
					}
					ws.ServeHTTP(w, r)
				})
				if m.Code != http.StatusOK { // it does not see the 101, which is not written through it
					t.Errorf("status %d", m.Code)
				}
			})
		},
		"otelhttp": func(t *testing.T, ws http.Handler) http.Handler {
			spans := tracetest.NewSpanRecorder()
			t.Cleanup(func() {
				if len(spans.Ended()) == 0 {
					t.Error("there is no span, so nothing was tested")
				}
			})
			return otelhttp.NewHandler(ws, "ws",
				otelhttp.WithTracerProvider(trace.NewTracerProvider(trace.WithSpanProcessor(spans))),
				otelhttp.WithMeterProvider(metric.NewMeterProvider()))
		},
		"wrappers that only unwrap": func(t *testing.T, ws http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ws.ServeHTTP(unwrapper{unwrapper{w}}, r)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := wrap(t, newServer(t))
			srv := httptest.NewServer(h)
			defer srv.Close()
			session(t, strings.TrimPrefix(srv.URL, "http://"))
		})
	}
}

type discard struct{}

func (discard) Print(...any) {}

// unwrapper is what middleware should be at least.
type unwrapper struct{ http.ResponseWriter }

func (u unwrapper) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// http.TimeoutHandler cannot let an upgrade through, since it buffers responses;
// neither can wrappers that hide what they wrap. The client is told that much, and
// the server which type it was.
func TestUpgradeCannotGetThrough(t *testing.T) {
	type opaque struct{ http.ResponseWriter }
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"*http.timeoutWriter": func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Minute, "too late") },
		"middleware.opaque": func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(opaque{w}, r) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			failed := make(chan error, 1)
			srv := httptest.NewServer(wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err := websocket.Accept(w, r, nil)
				failed <- err
			})))
			defer srv.Close()
			_, err := websocket.Dial(context.Background(), srv.URL, nil)
			var refused *websocket.HandshakeError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, http.StatusInternalServerError, refused.Status)
			require.Contains(t, string(refused.Body), "http.TimeoutHandler")
			require.NotContains(t, string(refused.Body), name, "types are not for strangers")

			err = <-failed
			require.ErrorAs(t, err, &refused)
			require.ErrorContains(t, err, name+", which has neither Hijack nor Unwrap")
			require.ErrorIs(t, err, http.ErrNotSupported)
		})
	}
}
