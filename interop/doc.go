// Package interop has only tests: the library against peers that others wrote, in
// both roles, byte for byte. Messages of nine sizes from nothing to 16 MiB go
// there and back as text and as binary, whole and in fragments, with and without
// compression.
//
//	go test ./interop/...
//
// The peers are Chromium, npm's ws, Python's websockets, libwebsockets and
// java.net.http.WebSocket (these two without compression), gorilla, coder and gws.
// What is not on the machine makes its test fail, and say what to install; -short
// leaves out everything but the Go libraries.
package interop
