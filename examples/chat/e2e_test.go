// The chat as people meet it: the program itself, stopped and started again, and its page in headless Chromium.
//
//	go test ./examples/chat -run TestInBrowser -screenshots "$PWD/pictures"
//
// keeps the pictures that are taken on the way.

package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket/examples/internal/e2e"
)

func TestInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser, which -short is there to avoid")
	}
	path := e2e.Build(t)
	browser := e2e.StartBrowser(t)
	server := e2e.Start(t, path, "127.0.0.1:0")
	ana := visit(t, browser, server.URL, "Ana", 1180, 760, "light")
	ben := visit(t, browser, server.URL, "Ben", 1180, 760, "dark")

	talk(ana, ben)
	sameName(ana, visit(t, browser, server.URL, "Ana", 1000, 700, "light"))
	ana.Picture("desktop-light")
	ben.Picture("desktop-dark")

	server.Interrupt()
	writeWhileAway(ana, ben)
	server = e2e.Start(t, path, server.Addr)
	comeBack(ana, ben)
	ana.Picture("reconnected-light")

	onPhone(ana)
	ben.WaitFor(`document.querySelectorAll("#people li").length === 1`) // Ana went to another room
	server.Interrupt()
}

// talk: both see each other and what the other says, as text whatever it contains, and how far the server is.
func talk(ana, ben *page) {
	ana.WaitFor(`[...document.querySelectorAll("#people .name")].map(e => e.textContent).join() === "Ana,Ben"`)
	ana.say("Good morning! Is the new build up?")
	ben.waitForText("Good morning! Is the new build up?")
	ben.say("For ten minutes: https://example.com/builds/42")
	ben.say("All green, on the first try.")
	ana.waitForText("All green, on the first try.")
	require.Equal(ana.t, "https://example.com/builds/42", ana.Eval(`document.querySelector(".text a").href`))

	const markup = `<img src=x onerror="window.pwned = 1"> stays text`
	ben.say(markup)
	ana.waitForText(markup)
	require.Equal(ana.t, "0 undefined", ana.Eval(`document.querySelectorAll("#log img").length + " " + typeof window.pwned`))
	for _, p := range []*page{ana, ben} {
		p.WaitFor(`/^(<1|\d+) ms$/.test(document.getElementById("latency").textContent)`)
	}
}

// sameName: a second Ana gets another name, and the history.
func sameName(ana, second *page) {
	second.WaitFor(`document.querySelector("#people .name").textContent === "Ana 2"`)
	second.waitForText("All green, on the first try.")
	second.Close()
	ana.WaitFor(`document.querySelectorAll("#people li").length === 2`)
}

// writeWhileAway: both pages show that the server is gone, and one keeps what is written meanwhile.
func writeWhileAway(ana, ben *page) {
	for _, p := range []*page{ana, ben} {
		p.WaitFor(`["waiting", "connecting"].includes(document.body.dataset.state)`)
		p.WaitFor(`document.getElementById("status").textContent === "Reconnecting…"`)
	}
	ana.say("Written while the server was away.")
	ana.WaitFor(`document.querySelectorAll(".msg.pending").length === 1`)
	ana.Picture("reconnecting-light")
	ana.Emulate(390, 844, true, "dark")
	ana.Picture("reconnecting-phone")
	ana.Emulate(1180, 760, false, "light")
}

// comeBack: both pages find the new server by themselves, nothing is lost and nothing is shown twice.
func comeBack(ana, ben *page) {
	for _, p := range []*page{ana, ben} {
		p.WaitFor(`document.body.dataset.state === "online" && document.querySelectorAll("#people li").length === 2`)
	}
	ben.waitForText("Written while the server was away.")
	ana.WaitFor(`document.querySelectorAll(".msg.pending").length === 0`)
	ben.say("And we are back.")
	ana.waitForText("And we are back.")
	for _, p := range []*page{ana, ben} {
		for _, text := range []string{"All green, on the first try.", "Written while the server was away.", "And we are back."} {
			require.EqualValues(p.t, 1, p.Eval(countOf(text)), "times that %q is shown", text)
		}
	}
}

// onPhone: nothing is wider than the screen; rooms and people are in a drawer.
func onPhone(p *page) {
	for _, scheme := range []string{"light", "dark"} {
		p.Emulate(390, 844, true, scheme)
		p.WaitFor(`innerWidth === 390 && document.documentElement.scrollWidth === 390`)
		p.Picture("phone-" + scheme)
	}
	p.Click("#menu")
	p.WaitFor(`document.activeElement.closest("#side") !== null`)
	p.Picture("phone-drawer")
	p.Click(`#rooms a[href="#ideas"]`)
	p.WaitFor(`document.getElementById("title").textContent === "#ideas" && document.getElementById("count").textContent === "1"`)
	p.Picture("phone-empty-room")
}

// countOf is a script that counts the messages that read exactly text.
func countOf(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".msg .text")].filter(e => e.textContent === %q).length`, text)
}

// page is one person's window.
type page struct {
	*e2e.Page
	t *testing.T
}

// visit shows the chat in a new window and goes in as name.
func visit(t *testing.T, browser *e2e.Browser, url, name string, width, height int64, scheme string) *page {
	t.Helper()
	p := &page{browser.Open(t, url, width, height, scheme), t}
	p.WaitFor(`document.getElementById("door").open`)
	p.Picture("door-" + scheme)
	p.Type("#door input[name=name]", name)
	p.Click("#door button")
	p.WaitFor(`document.body.dataset.state === "online" && document.querySelectorAll("#people li").length > 0`)
	return p
}

func (p *page) say(text string) {
	p.t.Helper()
	p.Type("#text", text)
	p.Enter()
	require.Empty(p.t, p.Eval(`document.getElementById("text").value`))
}

func (p *page) waitForText(text string) {
	p.t.Helper()
	p.WaitFor(countOf(text) + " > 0")
}
