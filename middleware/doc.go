// Package middleware has nothing but tests: that the opening handshake gets
// through what stands in front of a handler in real deployments. Routers and
// wrappers of http.ResponseWriter are in wrappers_test.go, reverse proxies in
// proxies_test.go, with their configurations in testdata as a starting point for
// yours, and nettest_test.go holds websocket's net.Conn against what a net.Conn is.
//
// It is a module of its own, so that its dependencies are nobody else's.
package middleware
