// Behaviour of the report: theme, filters, and the drawer that shows one case. The table is already in the
// page; a case's details are JSON in a script element of their own and are parsed when somebody opens the case.
// All text from a log goes through textContent: nothing a peer sent is ever markup. html.go embeds this file.
"use strict";
(function () {
  const $ = (id) => document.getElementById(id);
  const all = (sel, root) => [...(root || document).querySelectorAll(sel)];
  const agents = JSON.parse($("agents").textContent);
  const meanings = JSON.parse($("meanings").textContent);
  const rows = all(".case");

  // el builds an element; a class, then children (strings become text, null is left out).
  function el(tag, cls, ...kids) {
    const e = document.createElement(tag);
    if (cls) e.className = cls;
    for (const k of kids.flat()) if (k !== null && k !== undefined) e.append(k);
    return e;
  }

  // Theme: the system's until the reader chooses; the choice is kept where the browser allows it.
  const theme = $("theme");
  const showTheme = () => {
    theme.textContent = document.documentElement.dataset.theme === "dark" ? "☀ Light" : "☾ Dark";
  };
  theme.hidden = false;
  showTheme();
  theme.addEventListener("click", () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try { localStorage.setItem("autobahn-theme", next); } catch (e) { /* not kept, still shown */ }
    showTheme();
  });

  // Filters: a row stays when it has any of the chosen results and every word searched for.
  const chips = all("[data-filter]");
  const search = $("search");
  $("filters").hidden = $("tools").hidden = false;
  const text = rows.map((r) => (r.dataset.id + " " + r.querySelector(".about").textContent).toLowerCase());
  const results = rows.map((r) => new Set(r.dataset.results.split("|")));

  function wanted(i, verdicts, flags, words) {
    const has = rows[i].dataset.flags.split(" ");
    if (flags.some((f) => !has.includes(f))) return false;
    if (verdicts.length && !verdicts.some((v) => results[i].has(v))) return false;
    return words.every((w) => /^\d[\d.]*$/.test(w) && w.includes(".")
      ? rows[i].dataset.id === w || rows[i].dataset.id.startsWith(w.endsWith(".") ? w : w + ".") || text[i].includes(" " + w)
      : text[i].includes(w));
  }

  function apply() {
    const on = chips.filter((c) => c.getAttribute("aria-pressed") === "true").map((c) => c.dataset.filter);
    const flags = on.filter((f) => f === "problems" || f === "differ");
    const verdicts = on.filter((f) => !flags.includes(f));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const filtering = on.length > 0 || words.length > 0;
    let n = 0;
    rows.forEach((r, i) => { r.hidden = !wanted(i, verdicts, flags, words); if (!r.hidden) n++; });
    for (const b of all(".block")) b.hidden = !b.querySelector(".case:not([hidden])");
    for (const c of all(".cat")) {
      c.hidden = !c.querySelector(".case:not([hidden])");
      if (filtering) c.open = true;
      else if (c.dataset.was !== undefined) c.open = c.dataset.was === "true";
    }
    $("nothing").hidden = n > 0 || rows.length === 0;
    $("shown").textContent = filtering ? n + " of " + rows.length + " cases shown" : rows.length + " cases; a click on one shows its wire log";
  }
  const remember = () => { for (const c of all(".cat")) c.dataset.was = String(c.open); };
  remember();
  for (const c of chips) c.addEventListener("click", () => {
    c.setAttribute("aria-pressed", c.getAttribute("aria-pressed") === "true" ? "false" : "true");
    apply();
  });
  search.addEventListener("input", apply);
  $("clear").addEventListener("click", () => {
    for (const c of chips) c.setAttribute("aria-pressed", "false");
    search.value = "";
    apply();
  });
  const openAll = (open) => { for (const c of all(".cat")) c.open = open; remember(); };
  $("open-all").addEventListener("click", () => openAll(true));
  $("close-all").addEventListener("click", () => openAll(false));
  apply();

  // The drawer.
  const dialog = $("detail");
  let current = null, shownAgents = [], octets = true;

  function details(id) {
    const s = all("script[data-case]").find((s) => s.dataset.case === id);
    return s ? JSON.parse(s.textContent) : null;
  }

  const opNames = { 0: "CONT", 1: "TEXT", 2: "BINARY", 8: "CLOSE", 9: "PING", 10: "PONG" };
  const opName = (n) => opNames[n] || "OPCODE " + n;
  const size = (n) => n < 1024 ? n + " B" : n % 1024 === 0 && n < 1048576 ? n / 1024 + " KiB" : n < 1048576 ? (n / 1024).toFixed(1) + " KiB" : +(n / 1048576).toFixed(2) + " MiB";
  const seconds = (t) => t + (t === 1 ? " second" : " seconds");

  // hex bytes of a payload as the log writes it ("0x…", or null when it is text).
  function bytesOf(payload) {
    if (typeof payload !== "string" || !/^0x[0-9a-f]*( \.\.\.)?$/.test(payload)) return null;
    return payload.slice(2).replace(/ \.\.\.$/, "").match(/../g) || [];
  }

  // A close payload is a code and a reason (RFC 6455 5.5.1): shown as such.
  function closeText(payload) {
    let b = bytesOf(payload);
    if (!b && typeof payload === "string") {
      b = [];
      for (const ch of payload.replace(/ \.\.\.$/, "")) {
        const c = ch.codePointAt(0);
        if (c > 255) return null;
        b.push(c.toString(16).padStart(2, "0"));
      }
    }
    if (!b || b.length < 2) return null;
    const code = parseInt(b[0] + b[1], 16);
    const raw = Uint8Array.from(b.slice(2), (x) => parseInt(x, 16));
    const reason = new TextDecoder().decode(raw);
    const cut = typeof payload === "string" && payload.endsWith(" ...") ? " …" : "";
    return "code " + code + (reason ? ", reason “" + reason + cut + "”" : "");
  }

  function payloadText(op, len, payload) {
    if (op === 8) { const t = closeText(payload); if (t) return t; }
    if (payload === null || payload === undefined || payload === "") return null;
    if (bytesOf(payload)) return payload.replace(/ \.\.\.$/, " …");
    return "“" + String(payload).replace(/ \.\.\.$/, " …") + "”";
  }

  function frameLine(e) {
    const tx = e[0] === "TF", [len, payload] = e[1], [, , op, fin, rsv] = e;
    const mask = tx ? e[5] : e[6], repeat = tx ? e[6] : null, chop = tx ? e[7] : null;
    const flags = [];
    const flag = (t, hot) => flags.push(el("span", "flag" + (hot ? " hot" : ""), t));
    flag(fin ? "FIN" : "not final");
    for (const [bit, name] of [[4, "RSV1"], [2, "RSV2"], [1, "RSV3"]]) if (rsv & bit) flag(name, bit !== 4);
    if (mask && mask !== true) flag("mask " + mask);
    if (repeat) flag("repeated to " + size(repeat));
    if (chop) flag("in writes of " + size(chop));
    const pay = payloadText(op, len, payload);
    return line(tx ? "tx" : "rx", tx ? "→" : "←", el("span", "", el("b", "", opName(op)), " " + size(len), flags, pay === null ? null : el("span", "pay", pay)));
  }

  function line(cls, mark, ...body) {
    const sign = el("span", "", mark);
    sign.setAttribute("aria-hidden", "true");
    const who = cls.startsWith("tx") ? "sent: " : cls.startsWith("rx") ? "received: " : "";
    return el("li", cls, sign, el("span", "", who ? el("span", "vh", who) : null, ...body));
  }

  const timers = {
    CT: (e) => "waits " + seconds(e[1]) + " (timer " + e[2] + ")",
    CTE: (e) => "timer " + e[1] + " ran out",
    KL: (e) => "fails the connection if nothing settles it within " + seconds(e[1]),
    KLE: () => "time is up: fails the connection",
    TI: (e) => "closes the connection if nothing settles it within " + seconds(e[1]),
    TIE: () => "time is up: sends a close",
    WLM: (e) => e[1] ? "log goes on" : "log paused: bulk traffic follows",
  };

  // Only entries this page knows are drawn as frames; any other is shown as it stands in the file.
  function logLine(e) {
    if (e[0] === "TF" || e[0] === "RF") return frameLine(e);
    if (e[0] === "TO" || e[0] === "RO") {
      const tx = e[0] === "TO";
      const hex = String(e[1][1]).replace(/ \.\.\.$/, " …");
      const http = /^(474554|48545450)/.test(hex); // "GET", "HTTP": told below, under Opening handshake
      return line((tx ? "tx" : "rx") + " octets", tx ? "→" : "←", size(e[1][0]) + " on the wire: " + (http ? "opening handshake" : hex));
    }
    return line("timer", "·", timers[e[0]] ? timers[e[0]](e) : JSON.stringify(e));
  }

  function wirelog(d) {
    const log = (d.wirelog || []).map(logLine);
    if (d.wirelogCut) log.push(line("end", "·", d.wirelogCut + " further entries are in the case's JSON file"));
    log.push(line("end", "■", d.droppedByMe ? "the suite dropped TCP" : "the peer ended TCP"));
    const list = el("ol", "log" + (octets ? "" : " no-octets"), log);
    const box = el("input");
    box.type = "checkbox";
    box.checked = octets;
    box.addEventListener("change", () => { octets = box.checked; for (const l of all(".log", dialog)) l.classList.toggle("no-octets", !octets); });
    return [el("div", "log-head", el("p", "k", "Wire log  (→ suite, ← peer)"), el("label", "", box, " octets")), list];
  }

  function event(e) {
    const [kind, p, bin] = e;
    if (kind === "timeout") return "timer " + p + " runs out";
    const text = typeof p === "string" ? p.replace(/ \.\.\.$/, " …") : "";
    const shown = text === "" ? "(empty)" : bytesOf(p) ? text : "“" + text + "”";
    return (kind === "message" ? (bin ? "binary message " : "text message ") : kind + " ") + shown;
  }
  const eventList = (list) => el("ul", "events", list && list.length ? list.map((e) => el("li", "", event(e))) : el("li", "none", "nothing"));

  const key = (t) => el("p", "k", t);
  const pill = (v) => el("span", "pill " + (meanings[v] ? meanings[v].class : "v-none"), v);
  const known = (v) => v !== null && v !== undefined;

  function closing(d) {
    const dl = el("dl", "facts");
    const add = (k, v) => { if (known(v)) dl.append(el("dt", "", k), el("dd", "", String(v))); };
    const want = d.expectedClose || {};
    add("must start the close", known(want.closedByMe) ? (want.closedByMe ? "the suite" : "the peer") : null);
    add("started by", known(d.closedByMe) ? (d.closedByMe ? "the suite" : "the peer") : null);
    add("codes accepted", want.closeCode && want.closeCode.length ? want.closeCode.join(", ") + ", or none" + (want.requireClean ? "" : ", or a TCP drop") : null);
    add("peer's code", known(d.remoteCloseCode) ? d.remoteCloseCode + (d.remoteCloseReason ? " “" + d.remoteCloseReason + "”" : "") : "none");
    add("suite's code", known(d.localCloseCode) ? d.localCloseCode + (d.localCloseReason ? " “" + d.localCloseReason + "”" : "") : "none");
    add("closed cleanly", known(d.wasClean) ? (d.wasClean ? "yes" : "no" + (d.wasNotCleanReason ? ": " + d.wasNotCleanReason : "")) : null);
    for (const [f, t] of [["wasOpenHandshakeTimeout", "opening handshake"], ["wasCloseHandshakeTimeout", "closing handshake"], ["wasServerConnectionDropTimeout", "TCP end after the close"]]) if (d[f]) add(t, "not in time");
    return dl;
  }

  function fold(title, ...body) { return el("details", "", el("summary", "", title), ...body); }

  function traffic(d) {
    const t = d.trafficStats, dl = el("dl", "facts");
    const frames = (m) => Object.entries(m || {}).map(([op, n]) => n + " × " + opName(+op)).join(", ") || "none";
    dl.append(el("dt", "", "frames sent"), el("dd", "", frames(d.txFrameStats)), el("dt", "", "frames received"), el("dd", "", frames(d.rxFrameStats)));
    const pct = (x) => (100 * x).toFixed(1) + " %";
    if (t) dl.append(el("dt", "", "payload sent"), el("dd", "", size(t.outgoingOctetsAppLevel) + ", " + size(t.outgoingOctetsWireLevel) + " on the wire (" + pct(t.outgoingCompressionRatio) + " after compression)"),
      el("dt", "", "payload received"), el("dd", "", size(t.incomingOctetsAppLevel) + ", " + size(t.incomingOctetsWireLevel) + " on the wire (" + pct(t.incomingCompressionRatio) + " after compression)"));
    return dl;
  }

  const side = (me) => me ? "the suite" : "the peer";

  // departure tells where what was received first leaves what was expected, or null.
  function departure(d) {
    const want = (d.expected || {}).OK, got = d.received || [];
    if (!want) return null;
    const i = Array.from({ length: Math.max(want.length, got.length) }, (_, i) => i)
      .find((i) => JSON.stringify(want[i]) !== JSON.stringify(got[i]));
    if (i === undefined) return null;
    const what = (e) => e ? event(e) : "nothing";
    return "Event " + (i + 1) + ": expected " + what(want[i]) + ", received " + what(got[i]) + ".";
  }

  // reasons says what was wrong in this very case, as far as the report tells.
  function reasons(d) {
    const close = d.expectedClose || {}, found = [];
    if (!d.full || d.behavior === "INFORMATIONAL" || d.behavior === "UNIMPLEMENTED") return found;
    if (d.wasOpenHandshakeTimeout) found.push("The opening handshake was not finished in time.");
    const differs = d.behavior === "FAILED" || d.behavior === "NON-STRICT" ? departure(d) : null;
    if (differs) found.push(differs);
    if (d.behaviorClose === "FAILED" && close.closedByMe !== d.closedByMe) found.push("The close had to be begun by " + side(close.closedByMe) + "; " + side(d.closedByMe) + " began it.");
    if (d.behaviorClose === "WRONG CODE") found.push("The peer closed with " + d.remoteCloseCode + "; right are " + (close.closeCode || []).join(", ") + ", or no code.");
    if (d.behaviorClose === "UNCLEAN") found.push("There was no closing handshake" + (d.wasNotCleanReason ? ": " + d.wasNotCleanReason : "") + ".");
    return found;
  }

  // why explains the worst of the two results: what happened here, then what the result
  // means, for a reader who meets it for the first time.
  function why(d) {
    const v = meanings[d.behavior] && meanings[d.behavior].class !== "v-ok" ? d.behavior : d.behaviorClose;
    const m = meanings[v];
    if (!m || m.class === "v-ok") return null;
    return el("div", "why " + m.class, reasons(d).map((t) => el("p", "", t)), el("p", "", m.text));
  }

  function card(i, d) {
    const c = el("section", "d-card", el("h3", "", agents[i]));
    c.append(el("div", "verdicts", pill(d.behavior), el("span", "", d.result || "behaviour"), pill(d.behaviorClose), el("span", "", d.resultClose || "close")));
    const w = why(d);
    if (w) c.append(w);
    if (!d.full) { c.append(key("Peer's close code"), el("p", "", known(d.remoteCloseCode) ? String(d.remoteCloseCode) : "none"), el("p", "role", "There is no " + d.reportfile + " beside the index, so the wire log is not known.")); return c; }
    const exp = Object.entries(d.expected || {});
    if (exp.length) c.append(key("Expected"), ...exp.flatMap(([v, l]) => exp.length > 1 ? [el("div", "", pill(v)), eventList(l)] : [eventList(l)]), key("Received"), eventList(d.received));
    c.append(key("Closing"), closing(d), ...wirelog(d));
    c.append(fold("Opening handshake", el("pre", "", (d.httpRequest || "").trim()), el("pre", "", (d.httpResponse || "no response").trim())));
    if (d.rxFrameStats || d.trafficStats) c.append(fold("Traffic", traffic(d)));
    c.append(el("p", "took", "Took " + d.duration + " ms" + (d.started ? ", started " + d.started : "")));
    return c;
  }

  function plain(html) { return new DOMParser().parseFromString(String(html).replace(/<br\s*\/?>[ \t]*\n?/gi, "\n"), "text/html").body.textContent.trim().replace(/\n{3,}/g, "\n\n"); }

  function rule(r) {
    const a = el("a", "", r.document + ", section " + r.section);
    a.href = "https://www.rfc-editor.org/rfc/" + r.document.replace(/\s/g, "").toLowerCase() + "#section-" + r.section;
    return el("p", "", a, r.sentence ? ": “" + r.sentence + "”" : "");
  }

  function draw() {
    const d = details(current), body = $("d-body");
    const row = rows.find((r) => r.dataset.id === current);
    $("d-title").replaceChildren("Case " + current, el("small", "", d.title || ""));
    body.replaceChildren();
    if (d.description) body.append(key("What the suite does"), el("p", "", plain(d.description)));
    if (d.expectation) body.append(key("What it expects"), el("p", "", plain(d.expectation)));
    if (d.rule) body.append(key("Rule"), rule(d.rule));
    const bar = el("div", "d-agents");
    agents.forEach((name, i) => {
      if (!d.agents[i]) return;
      const b = el("button", "chip", name);
      b.type = "button";
      b.setAttribute("aria-pressed", String(shownAgents.includes(i)));
      b.addEventListener("click", () => {
        shownAgents = shownAgents.includes(i) ? shownAgents.filter((x) => x !== i) : [...shownAgents, i].sort((a, b) => a - b);
        draw();
      });
      bar.append(b);
    });
    if (bar.children.length > 1) body.append(bar);
    body.append(el("div", "d-cols", shownAgents.filter((i) => d.agents[i]).map((i) => card(i, d.agents[i]))));
    const seen = rows.filter((r) => !r.hidden), at = seen.indexOf(row);
    $("d-prev").disabled = at <= 0;
    $("d-next").disabled = at < 0 || at === seen.length - 1;
  }

  function open(id, agent) {
    const d = details(id);
    if (!d) return;
    current = id;
    const have = agents.map((_, i) => i).filter((i) => d.agents[i]);
    if (agent !== undefined) shownAgents = [agent];
    else if (!shownAgents.some((i) => have.includes(i)) || !dialog.open) shownAgents = have.slice(0, 3);
    draw();
    if (!dialog.open) { dialog.showModal(); $("d-close").focus(); }
    dialog.scrollTop = 0;
    history.replaceState(null, "", "#case/" + id);
  }
  function step(by) {
    const seen = rows.filter((r) => !r.hidden), at = seen.findIndex((r) => r.dataset.id === current);
    if (seen[at + by]) open(seen[at + by].dataset.id);
  }
  document.addEventListener("click", (ev) => {
    const b = ev.target.closest("[data-open-case]");
    if (b) open(b.dataset.openCase, b.dataset.agent === undefined ? undefined : +b.dataset.agent);
  });
  $("d-close").addEventListener("click", () => dialog.close());
  $("d-prev").addEventListener("click", () => step(-1));
  $("d-next").addEventListener("click", () => step(1));
  dialog.addEventListener("click", (ev) => { if (ev.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => history.replaceState(null, "", location.pathname + location.search));
  dialog.addEventListener("keydown", (ev) => {
    if (ev.target.matches("input") || ev.altKey || ev.ctrlKey || ev.metaKey) return;
    if (ev.key === "j" || ev.key === "ArrowRight") step(1);
    if (ev.key === "k" || ev.key === "ArrowLeft") step(-1);
  });
  const fromHash = () => { const m = location.hash.match(/^#case\/([\d.]+)$/); if (m) open(m[1]); };
  addEventListener("hashchange", fromHash);
  fromHash();
})();
