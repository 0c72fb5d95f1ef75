// The ticker as people meet it: the program itself, stopped and started again, and its page in headless Chromium.
//
//	go test ./examples/ticker -run TestInBrowser -screenshots "$PWD/pictures"

package main

import (
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

	p := browser.Open(t, server.URL, 1180, 760, "light")
	moves := func() {
		t.Helper()
		prices := `[...document.querySelectorAll("#cards .price")].map(e => e.textContent).join()`
		p.WaitFor(`document.body.dataset.state === "online" && document.querySelectorAll("#cards .price").length === 4`)
		shown, ok := p.Eval(prices).(string)
		require.True(t, ok)
		p.WaitFor(prices + ` !== "` + shown + `"`)
	}
	moves()
	p.Click("#cards button:nth-child(2)")
	p.WaitFor(`document.getElementById("chart").ariaLabel === "ELM over the last two minutes"`)
	p.Picture("ticker-light")

	server.Interrupt()
	p.WaitFor(`document.body.dataset.state === "waiting"`)
	server = e2e.Start(t, path, server.Addr)
	moves()

	p.Emulate(390, 844, true, "dark")
	p.WaitFor(`innerWidth === 390 && document.documentElement.scrollWidth === 390`)
	p.Eval(`document.getElementById("chart").dispatchEvent(new PointerEvent("pointermove", { clientX: 150, clientY: 500 }))`)
	p.Picture("ticker-phone-dark")
	p.Emulate(1180, 760, false, "dark")
	p.Picture("ticker-dark")
	server.Interrupt()
}
