// The page's line to its job: the socket while it works, else the state URL. Events come once and
// in order, whatever is lost, repeated or late. Knows nothing of the page.

import { Socket } from "./socket.js";

const POLL = 2000, POLL_HIDDEN = 5000, RETRY_WHILE_POLLING = 30000, QUIET = 30000;

export class Link {
  // `on.message(state, events, snap)` gets the news, `on.mode(mode)` live, reconnecting, polling or ended.
  constructor(key, seq, on) {
    Object.assign(this, { key, have: seq, on, failures: 0, timers: {}, etag: "", fetching: null });
    this.wake = () => this.#wake();
  }

  start() {
    this.stopped = false;
    for (const [target, name] of this.#wakers()) target.addEventListener(name, this.wake);
    this.#connect();
  }

  stop() {
    this.stopped = true;
    for (const [target, name] of this.#wakers()) target.removeEventListener(name, this.wake);
    Object.values(this.timers).forEach(clearTimeout);
    this.socket?.close();
  }

  #wakers() {
    return [[window, "online"], [window, "offline"], [document, "visibilitychange"]];
  }

  #wake() {
    if (document.hidden || this.stopped) return;
    if (!navigator.onLine || this.socket?.good) this.catchUp();
    else this.#connect();
  }

  #later(name, wait, what) {
    clearTimeout(this.timers[name]);
    this.timers[name] = setTimeout(what, wait);
  }

  #connect() {
    if (this.stopped) return;
    this.socket?.close();
    this.socket = new Socket(this.key, this.have, {
      message: (message) => this.#heard(message),
      seen: () => this.have,
      closed: (code) => this.#closed(code),
    });
  }

  // A connection counts as good at its first message: some proxies accept and then close.
  #heard(message) {
    if (message.t === "bye") return void this.#take(message);
    this.failures = 0;
    clearTimeout(this.timers.poll);
    clearTimeout(this.timers.retry);
    this.#take(message);
    if (this.stopped) return;
    this.on.mode("live");
    this.#later("quiet", QUIET, () => this.catchUp());
  }

  #closed(code) {
    if (this.stopped) return;
    if (code === 4401 || code === 4404) return this.#end(code === 4401 ? "signed out" : "gone");
    this.failures += 1;
    if (this.failures >= 2) {
      this.on.mode("polling");
      this.#poll();
      this.#later("retry", RETRY_WHILE_POLLING, () => this.#connect());
      return;
    }
    this.on.mode("reconnecting");
    const wait = Math.min(8000, 200 * 2 ** this.failures) * (0.5 + Math.random());
    this.#later("retry", Math.max(wait, this.patience ?? 0), () => this.#connect());
  }

  #end(why) {
    this.stop();
    this.on.mode("ended", why);
  }

  #poll() {
    this.#later("poll", document.hidden ? POLL_HIDDEN : POLL, async () => {
      await this.catchUp();
      if (!this.stopped && !this.socket?.good) this.#poll();
    });
  }

  #take(message) {
    if (message.t === "bye") {
      this.patience = message.retry_ms;
      return;
    }
    const snap = message.t === "snap";
    if (!snap && message.seq < this.have) return;
    if (!snap && message.prev > this.have) return this.catchUp();
    const events = message.ev.filter(([seq]) => seq > this.have);
    this.have = message.seq;
    this.on.message(message.state, events, snap);
  }

  // Fetches what the socket would have said; one request at a time.
  catchUp() {
    this.fetching ??= this.#fetch().finally(() => (this.fetching = null));
    return this.fetching;
  }

  async #fetch() {
    try {
      const headers = { Accept: "application/json", "If-None-Match": this.etag };
      const answer = await fetch(`/jobs/${this.key}/state?after=${this.have}`, { headers, cache: "no-store" });
      if (answer.status === 401) return this.#end("signed out");
      if (answer.status === 404) return this.#end("gone");
      this.etag = answer.headers.get("ETag") ?? "";
      if (answer.ok) this.#take(await answer.json());
    } catch {
      if (this.socket?.good) this.#connect(); // the line may be dead without having noticed
      else if (!this.stopped) this.on.mode("reconnecting");
    }
  }
}
