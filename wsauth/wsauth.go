// Package wsauth takes tokens from where browsers can put them.
//
// A page cannot set header fields on a WebSocket's opening handshake, so there is
// no Authorization. What is left, and what it costs:
//
//   - A cookie is sent by itself, and by pages of other sites too: origins have to
//     be checked, as [websocket.Accept] does unless told not to. The best choice
//     where page and server share a site.
//   - A subprotocol with the token in it: new WebSocket(url, ["bearer.v1", token]).
//     It works across sites, needs nothing on the server before, and is what
//     Kubernetes does. But header fields are logged by some proxies, so the token
//     should be short-lived; and its characters are limited. [Subprotocol] is for
//     this.
//   - A ticket in the query string: an ordinary, authenticated request gets a
//     random string that is good for one handshake within seconds. URLs are logged
//     everywhere, so anything that lives longer than that does not belong there.
//   - The first message: nothing to log, but strangers hold connections until they
//     have sent it, or a timer of yours has passed.
//
// Programs that are not browsers should send an Authorization field, which
// [Bearer] reads; [Subprotocol.Authenticate] takes either.
package wsauth

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/seed9f1f0156/websocket"
)

// Subprotocol reads tokens from the list of offered subprotocols. Marker says
// which of them is the token, in one of two forms:
//
//   - A Marker without a dot at its end, as "bearer.v1", is a subprotocol of its
//     own; the token is the one right behind it.
//   - A Marker with a dot at its end, as "base64url.bearer.authorization.k8s.io.",
//     begins the subprotocol, and the rest of that is the token.
//
// The token itself is never chosen, so never sent back. A browser that offered
// subprotocols closes the connection unless one of them is chosen, which is what
// the first form's marker is there for. With the second form the client has to
// offer a real subprotocol too, and Protocols the same.
type Subprotocol struct {
	// Marker is compared byte for byte.
	Marker string

	// Protocols are the subprotocols that the server speaks, the best first. If the
	// client offers none of them, a Marker of the first form is chosen.
	Protocols []string

	// Base64 tells that the token is in unpadded URL-safe base64 (RFC 4648, section
	// 5), because what a subprotocol may be made of, the tchar of RFC 9110, section
	// 5.6.2, leaves out = and / and more. A token that is not is no token. A JWT is
	// good as it is.
	Base64 bool

	// Verify is given the token, and returns the context whose values the connection
	// will have, or an error, as of [websocket.AcceptOptions].Authenticate: status 401
	// unless it says otherwise, for example as a [*websocket.HandshakeError] with 403.
	Verify func(r *http.Request, token string) (context.Context, error)
}

// Install sets the hooks Authenticate and SelectSubprotocol of opts.
//
// It panics if Marker or Verify is missing.
func (s Subprotocol) Install(opts *websocket.AcceptOptions) {
	if strings.Trim(s.Marker, ".") == "" || s.Verify == nil {
		panic("wsauth: Subprotocol needs a Marker and Verify")
	}
	opts.Authenticate = s.Authenticate
	opts.SelectSubprotocol = s.Select
}

// Authenticate is for [websocket.AcceptOptions]. It takes the token from the
// subprotocols, or from the Authorization field if it is not there; a request with
// neither is refused with 401, one with two tokens with 400.
func (s Subprotocol) Authenticate(r *http.Request) (context.Context, error) {
	token, found, unique := s.token(offered(r.Header))
	unique = unique && len(r.Header["Authorization"]) <= 1
	if fromHeader, ok := Bearer(r); ok {
		// Whoever put one of them there did not know of the other: two tokens are two
		// opinions on who this is.
		unique = unique && !found
		token, found = fromHeader, true
	}
	switch {
	case !unique:
		return nil, &websocket.HandshakeError{
			Status: http.StatusBadRequest,
			Reason: "the request has more than one token",
			Body:   []byte("send one token, as a subprotocol or in the Authorization field\n"),
		}
	case !found:
		return nil, &websocket.HandshakeError{
			Status: http.StatusUnauthorized,
			Reason: "the request has no token",
			Body:   []byte("send a token, as a subprotocol or in the Authorization field\n"),
		}
	}
	return s.Verify(r, token)
}

// Select is for [websocket.AcceptOptions].SelectSubprotocol.
func (s Subprotocol) Select(offered []string) (string, error) {
	rest, marker := s.strip(offered)
	for _, p := range s.Protocols {
		if slices.Contains(rest, p) {
			return p, nil
		}
	}
	if marker {
		return s.Marker, nil
	}
	return "", nil
}

// Token returns the token in the subprotocols that r offers. ok is false if there
// is none, or more than one.
func (s Subprotocol) Token(r *http.Request) (token string, ok bool) {
	token, found, unique := s.token(offered(r.Header))
	return token, found && unique
}

// Offer returns what a client offers to send token: the subprotocols that carry
// it, before those of Protocols. It is what a page gives to new WebSocket, and a
// Go program to [websocket.DialOptions], if it must.
func (s Subprotocol) Offer(token string) []string {
	if s.Base64 {
		token = base64.RawURLEncoding.EncodeToString([]byte(token))
	}
	if s.prefix() {
		return append([]string{s.Marker + token}, s.Protocols...)
	}
	return append([]string{s.Marker, token}, s.Protocols...)
}

func (s Subprotocol) prefix() bool { return strings.HasSuffix(s.Marker, ".") }

// token finds the token in a list.
func (s Subprotocol) token(offered []string) (token string, found, unique bool) {
	unique = true
	take := func(t string) {
		unique = unique && !found
		token, found = t, true
	}
	for i, p := range offered {
		switch {
		case s.prefix() && strings.HasPrefix(p, s.Marker):
			take(strings.TrimPrefix(p, s.Marker))
		case !s.prefix() && p == s.Marker && i+1 < len(offered):
			take(offered[i+1])
		}
	}
	if found && s.Base64 {
		b, err := base64.RawURLEncoding.Strict().DecodeString(token)
		token, found = string(b), err == nil
	}
	return token, found && token != "", unique
}

// strip returns the list without the marker and the token, and whether the marker
// was there as a subprotocol of its own.
func (s Subprotocol) strip(offered []string) (rest []string, marker bool) {
	for i, p := range offered {
		switch {
		case s.prefix() && strings.HasPrefix(p, s.Marker):
		case !s.prefix() && p == s.Marker:
			marker = true
		case !s.prefix() && i > 0 && offered[i-1] == s.Marker:
		default:
			rest = append(rest, p)
		}
	}
	return rest, marker
}

// offered returns the elements of the request's list, which Accept has found to
// be well-formed when it calls Authenticate.
func offered(h http.Header) (list []string) {
	for _, line := range h["Sec-Websocket-Protocol"] {
		for p := range strings.SplitSeq(line, ",") {
			if p = strings.Trim(p, " \t"); p != "" {
				list = append(list, p)
			}
		}
	}
	return list
}

// Bearer returns the token of the request's Authorization field (RFC 6750,
// section 2.1). ok is false if there is none, or more than one such field.
func Bearer(r *http.Request) (token string, ok bool) {
	if len(r.Header["Authorization"]) > 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimLeft(token, " ")
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}
