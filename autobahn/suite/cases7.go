package suite

// This file holds category 7 of the catalogue: the closing handshake.

import (
	"fmt"
	"strings"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

const helloWorld = "Hello World!"

// closesWith is the script of most cases here: the suite closes, nothing else may
// happen, and the peer may answer with the given codes.
func closesWith(steps []step, codes ...int) script {
	return script{
		steps: steps, limit: second, noClose: true, codeMatters: true,
		close: result.ExpectedClose{CloseCode: codes, ClosedByMe: true, RequireClean: true},
	}
}

// badClose is the script whose close frame is wrong: the peer may also drop TCP.
func badClose(steps []step, codes ...int) script {
	p := closesWith(steps, codes...)
	p.close.RequireClean = false
	return p
}

const (
	wantClose = "A clean close with code 1000 or none, and no other frame."
	wantWrong = "A close with code 1002 or none, or a TCP drop."
)

func cases7() (list []*Case) {
	add := func(id, about, want string, p script) { list = append(list, scripted(id, about, want, p)) }
	hi := frame{op: opText, payload: []byte(helloWorld)}
	close1000 := closeFrame(1000, "")

	normal := echoes(sendAll(hi), second, text(helloWorld))
	normal.codeMatters = true
	add("7.1.1", "A text, and after its echo a normal close.", wantEcho, normal)
	add("7.1.2", "Two close frames.", wantClose, closesWith([]step{close1000, send(frame{op: opClose})}, 1000))
	add("7.1.3", "A ping after the close frame.", wantClose+" The ping is not answered.",
		closesWith([]step{close1000, send(frame{op: opPing})}, 1000))
	add("7.1.4", "A text after the close frame.", wantClose+" The text is not echoed.",
		closesWith([]step{close1000, send(hi)}, 1000))
	add("7.1.5", "A close frame between the two fragments of a text.", wantClose+" The text is not echoed.",
		closesWith([]step{send(frame{op: opText, more: true, payload: []byte("fragment1")}), close1000,
			send(frame{op: opCont, payload: []byte("fragment2")})}, 1000))
	big := repeated(textPattern, 256<<10)
	last := closesWith([]step{send(frame{op: opText, payload: big}), send(hi), close1000, send(frame{op: opPing})}, 1000)
	last.ok, last.twoWays, last.informational = []event{text(helloWorld)}, true, true
	add("7.1.6", "A text of 256 KiB, a small text, a close frame and a ping, back to back.",
		"Whether the texts come back before the close is up to the peer.", last)

	add("7.3.1", "A close frame without payload.", wantClose, closesWith([]step{closeFrame(noCode, "")}, 1000))
	add("7.3.2", "A close frame with a payload of 1 octet.", wantWrong, badClose([]step{closeFrame(noCode, "a")}, 1002))
	add("7.3.3", "A close frame with a code.", wantClose, closesWith([]step{close1000}, 1000))
	add("7.3.4", "A close frame with a code and a reason.", wantClose, closesWith([]step{closeFrame(1000, helloWorld)}, 1000))
	add("7.3.5", "A close frame with the longest reason, 123 octets.", wantClose,
		closesWith([]step{closeFrame(1000, strings.Repeat("*", 123))}, 1000))
	add("7.3.6", "A close frame with a reason of 124 octets, one too many.", wantWrong,
		badClose([]step{closeFrame(1000, strings.Repeat("*", 124))}, 1002))
	add("7.5.1", "A close frame whose reason is not UTF-8.", "A close with code 1002, 1007 or none, or a TCP drop.",
		badClose([]step{closeFrame(1000, badText)}, 1002, 1007))
	return append(list, cases7Codes()...)
}

func cases7Codes() (list []*Case) {
	good := []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999}
	for i, code := range good {
		codes := []int{1000, code}
		if code == 1000 {
			codes = codes[:1]
		}
		list = append(list, scripted(fmt.Sprintf("7.7.%d", i+1), fmt.Sprintf("A close frame with the good code %d.", code),
			fmt.Sprintf("A clean close with code 1000, %d or none.", code), closesWith([]step{closeFrame(code, "")}, codes...)))
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		list = append(list, scripted(fmt.Sprintf("7.9.%d", i+1), fmt.Sprintf("A close frame with the bad code %d.", code),
			wantWrong, badClose([]step{closeFrame(code, "")}, 1002)))
	}
	for i, code := range []int{5000, 65535} {
		p := badClose([]step{closeFrame(code, "")}, 1002)
		p.informational = true
		list = append(list, scripted(fmt.Sprintf("7.13.%d", i+1), fmt.Sprintf("A close frame with the code %d, which no one defined.", code),
			"Whatever the peer does is right; it is only noted.", p))
	}
	return list
}
