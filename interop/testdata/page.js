// A browser's WebSocket as a peer: evaluated in a page, once for each URL. It
// cannot choose fragments, nor compression: it always offers it.
async (url, deflate) => {
  const sizes = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20];
  const ws = new WebSocket(url);
  ws.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => { ws.onopen = resolve; ws.onerror = () => reject(new Error("refused")); });
  if ((ws.extensions !== "") !== deflate) throw new Error("extensions: " + ws.extensions);
  const exchange = (data) => new Promise((resolve, reject) => {
    ws.onmessage = (e) => resolve(e.data);
    ws.onclose = (e) => reject(new Error("closed " + e.code));
    ws.send(data);
  });
  for (const n of sizes) {
    const b = new Uint8Array(n).map((_, i) => i % 251);
    const got = new Uint8Array(await exchange(b));
    if (got.length !== n || !got.every((x, i) => x === b[i])) throw new Error(n + " bytes came back as others");
    const t = new Uint8Array(n).map((_, i) => 97 + (i % 26));
    if (n >= 3) t.set([0xe2, 0x82, 0xac]);
    const s = new TextDecoder().decode(t);
    if (await exchange(s) !== s) throw new Error(n + " bytes of text came back as others");
  }
  const closed = new Promise((resolve) => { ws.onclose = resolve; });
  ws.close(1000, "done");
  const e = await closed;
  if (!e.wasClean || e.code !== 1000) throw new Error("closed uncleanly: " + e.code);
  return "ok";
}
