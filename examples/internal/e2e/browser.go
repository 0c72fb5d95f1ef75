// Package e2e lets tests start a program of this module and open its page in headless Chromium.
//
// A page's methods fail the test when the browser does not do as asked. Everything ends with the test.
package e2e

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var screenshots = flag.String("screenshots", "", "directory that keeps the pictures of the pages")

// A Browser is a running Chromium.
type Browser struct{ ctx context.Context }

// A Page is one window of a Browser, with cookies and storage of its own.
type Page struct {
	t   *testing.T
	ctx context.Context
}

// StartBrowser starts Chromium, bounded to three minutes.
func StartBrowser(t *testing.T) *Browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	require.NoError(t, err, "this test needs Chromium (Debian: apt-get install chromium); go test -short leaves it out")
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true))
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	ctx, end := chromedp.NewExecAllocator(ctx, options...)
	ctx, _ = chromedp.NewContext(ctx)
	require.NoError(t, chromedp.Do(ctx), "Chromium does not start")
	t.Cleanup(func() {
		require.NoError(t, chromedp.Cancel(ctx))
		end()
		cancel()
	})
	return &Browser{ctx}
}

// Open shows url in a new window of the given size and colour scheme ("light" or "dark").
func (b *Browser) Open(t *testing.T, url string, width, height int64, scheme string) *Page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &Page{t: t, ctx: ctx}
	p.Emulate(width, height, false, scheme)
	p.run(chromedp.Navigate(url))
	return p
}

// Close closes the window.
func (p *Page) Close() {
	p.t.Helper()
	require.NoError(p.t, chromedp.Cancel(p.ctx))
}

// Emulate gives the page another screen.
func (p *Page) Emulate(width, height int64, phone bool, scheme string) {
	p.t.Helper()
	size := chromedp.EmulateViewport(width, height, chromedp.EmulateScale(2))
	if phone {
		size = chromedp.EmulateViewport(width, height, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	p.run(size, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, media)
		return err
	}))
}

// Click clicks the first element that matches the CSS selector, once it can be seen.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.run(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Type types text into an element.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.run(chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// Enter presses the Enter key.
func (p *Page) Enter() {
	p.t.Helper()
	key := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "Enter", Code: "Enter", Text: "\r", WindowsVirtualKeyCode: 13}
	p.run(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, input.DispatchKeyEvent, key)
		return err
	}))
}

// Eval returns the value of a script.
func (p *Page) Eval(script string) any {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[any](script))
	require.NoError(p.t, err)
	return v
}

// WaitFor waits until script is true; a page that has not come so far after 30 s never will.
func (p *Page) WaitFor(script string) {
	p.t.Helper()
	_, err := chromedp.Run(p.ctx, chromedp.Poll[chromedp.Void](script, chromedp.WithPollingInterval(20*time.Millisecond)))
	if err != nil {
		p.Picture("failed")
	}
	require.NoError(p.t, err, "waiting for %s", script)
}

// Picture keeps what the page looks like, once its animations have ended, as name.png in the directory of the flag
// -screenshots, and else in one that goes with the test.
func (p *Page) Picture(name string) {
	p.t.Helper()
	dir := *screenshots
	if dir == "" {
		dir = p.t.TempDir()
	}
	const still = `document.getAnimations().every(a => a.effect.getComputedTiming().iterations === Infinity || a.playState === "finished")`
	p.run(chromedp.Poll[chromedp.Void](still))
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	require.NoError(p.t, err)
	require.Greater(p.t, len(png), 10_000, "an empty picture")
	require.NoError(p.t, os.MkdirAll(dir, 0o755))
	require.NoError(p.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
}

func (p *Page) run(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, steps...))
}
