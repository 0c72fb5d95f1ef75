// A WebSocket that comes back, and knows how far away the server is.
//
// States: "connecting", "online", "waiting" (for the next try), "stopped" (for good, with a `reason`).
// A code of 4000 and more is the server's word not to come back. Everything else is tried again, after a
// random part of a delay that doubles: thousands of pages that lost one server do not return in one instant.

const PING_EVERY = 5_000; // ms. A browser cannot send protocol pings, so these are messages.
const PING_LIMIT = 10_000; // ms without an answer, after which the connection is taken for dead
const FIRST_DELAY = 1_000, MOST_DELAY = 30_000;
const STABLE = 10_000; // ms a connection must have lived for the delay to start over

export class Link {
  latency = null; // ms of the last ping and its answer
  state = "stopped";
  retries = 0; // since the last connection that was stable
  reason = "";
  #socket = null;
  #openedAt = 0;
  #pingAt = 0; // when the ping was sent that has no answer yet; 0 = none
  #retryTimer = 0;

  // on.open() after every connect, on.message(m) for every message, on.change() when a field above changed.
  constructor(url, on) {
    this.url = url;
    this.on = on;
    setInterval(() => this.#ping(), PING_EVERY);
    addEventListener("online", () => this.#wake());
    addEventListener("offline", () => this.#lost());
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake());
  }

  // retry connects now, unless there is a connection or one is being made.
  retry() {
    if (this.#socket) return;
    clearTimeout(this.#retryTimer);
    this.#become("connecting");
    const socket = this.#socket = new WebSocket(this.url);
    socket.onopen = () => {
      this.#openedAt = performance.now();
      this.#become("online");
      this.#ping();
      this.on.open();
    };
    socket.onmessage = (event) => {
      const m = JSON.parse(event.data);
      if (m.type === "pong") this.#pong();
      this.on.message(m);
    };
    socket.onclose = (event) => socket === this.#socket && this.#lost(event.code, event.reason);
  }

  // send says whether the message was handed to an open connection; that it arrived, only an answer tells.
  send(m) {
    if (this.state !== "online") return false;
    this.#socket.send(JSON.stringify(m));
    return true;
  }

  #lost(code = 1006, reason = "") {
    if (!this.#socket) return;
    this.#socket.close();
    this.#socket = null;
    this.#pingAt = 0;
    this.latency = null;
    this.reason = reason;
    if (code >= 4000) return this.#become("stopped");
    if (this.#openedAt && performance.now() - this.#openedAt > STABLE) this.retries = 0;
    this.#openedAt = 0;
    const delay = Math.random() * Math.min(MOST_DELAY, FIRST_DELAY * 2 ** this.retries++);
    this.#retryTimer = setTimeout(() => this.retry(), delay);
    this.#become("waiting");
  }

  #ping() {
    if (this.#pingAt && performance.now() - this.#pingAt > PING_LIMIT) return this.#lost();
    if (this.#pingAt || document.hidden) return; // a page nobody looks at does not wake the phone's radio
    if (this.send({ type: "ping" })) this.#pingAt = performance.now();
  }

  #pong() {
    if (!this.#pingAt) return;
    this.latency = performance.now() - this.#pingAt;
    this.#pingAt = 0;
    this.on.change();
  }

  // wake: the network is back or the page is looked at again; its timers may have slept.
  #wake() {
    if (this.state === "waiting") return this.retry();
    if (this.#pingAt) this.#pingAt = performance.now();
    this.#ping();
  }

  #become(state) {
    this.state = state;
    this.on.change();
  }
}
