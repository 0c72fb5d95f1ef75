//go:build !wspoison

package websocket

// Without the tag wspoison lending costs nothing and checks nothing.

const poisoning = false

type pooled struct{}

func (pooled) taken()       {}
func (pooled) given([]byte) {}

// expire marks the end of the time for which p was lent.
func expire([]byte) {}
