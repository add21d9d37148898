// All files that this tab sends: whose turn it is, how fast, how long still. Outlives every page.

const FILES_AT_ONCE = 3;
const SMALL_AT_ONCE = 6;
const SMALL_BYTES = 2 * 1024 * 1024;
const TICK_MS = 500;
const SMOOTHING = 0.25;

class Queue extends EventTarget {
  transfers = [];
  #speed = 0;
  #measured = { at: 0, sent: 0, since: 0 };
  #timer = null;
  #round = 0;
  #announcing = false;

  add(transfer) {
    if (this.unfinished.length === 0) this.#round += 1;
    transfer.round = this.#round;
    this.transfers.push(transfer);
    transfer.addEventListener("change", () => this.#changed(transfer));
    this.dispatchEvent(new CustomEvent("added", { detail: transfer }));
    this.#changed(transfer);
    this.#announceSoon();
  }

  /** Let a file go; `everywhere` removes it on the server too. */
  async remove(transfer, { everywhere = true } = {}) {
    this.transfers = this.transfers.filter((other) => other !== transfer);
    this.dispatchEvent(new CustomEvent("removed", { detail: transfer }));
    if (everywhere) await transfer.remove();
    this.#pump();
  }

  /** Note that a job has taken these keys; they are no longer offered to the next one. */
  take(keys) {
    for (const transfer of this.transfers) if (keys.includes(transfer.key)) transfer.used = true;
    this.dispatchEvent(new Event("taken"));
  }

  find(key) {
    return this.transfers.find((transfer) => transfer.key && transfer.key === key);
  }

  /** Files that would be lost with the page: their bytes are only here. */
  get unfinished() {
    return this.transfers.filter((transfer) => transfer.unfinished);
  }

  get moving() {
    return this.transfers.some((transfer) => transfer.moving);
  }

  pauseAll() {
    for (const transfer of this.transfers) transfer.pause();
  }

  resumeAll() {
    for (const transfer of this.transfers) if (transfer.state === "paused") transfer.queue();
  }

  retryFailed() {
    for (const transfer of this.transfers) if (transfer.state === "failed" && transfer.troubled) transfer.queue();
  }

  /** Names are got ahead of the bytes, so that Start need not wait for them. */
  async #announceSoon() {
    if (this.#announcing) return;
    this.#announcing = true;
    await null; // all files of one drop are added first
    for (let rest = this.#unnamed; rest.length; rest = this.#unnamed) await this.announceAll(rest);
    this.#announcing = false;
  }

  get #unnamed() {
    return this.transfers.filter((transfer) => transfer.moving && !transfer.key);
  }

  /** Give every file its name on the server, a few at a time. */
  async announceAll(transfers) {
    const rest = [...transfers];
    const lane = async () => {
      while (rest.length) await rest.shift().announce();
    };
    await Promise.all(Array.from({ length: SMALL_AT_ONCE }, lane));
  }

  /** Sums over the files of this round, and bytes per second; `left` is null while it would be a guess. */
  totals() {
    const round = this.transfers.filter((transfer) => transfer.round === this.#round && transfer.state !== "failed");
    const size = round.reduce((sum, transfer) => sum + transfer.size, 0);
    const sent = round.reduce((sum, transfer) => sum + transfer.sent, 0);
    const known = this.#speed > 0 && performance.now() - this.#measured.since > 3000;
    return {
      files: this.unfinished.length,
      size,
      sent,
      share: size ? sent / size : 1,
      speed: this.moving ? this.#speed : 0,
      left: this.moving && known ? (size - sent) / this.#speed : null,
      troubled: this.transfers.some((transfer) => transfer.moving && transfer.troubled),
    };
  }

  #changed(transfer) {
    this.dispatchEvent(new CustomEvent("changed", { detail: transfer }));
    this.#pump();
    this.#watch();
  }

  #pump() {
    for (const next of this.transfers) {
      if (next.state !== "waiting") continue;
      const sending = this.transfers.filter((transfer) => transfer.state === "sending");
      const allSmall = next.size <= SMALL_BYTES && sending.every((transfer) => transfer.size <= SMALL_BYTES);
      if (sending.length >= (allSmall ? SMALL_AT_ONCE : FILES_AT_ONCE)) return;
      next.start();
    }
  }

  #watch() {
    if (this.moving && this.#timer === null) {
      const now = performance.now();
      this.#measured = { at: now, sent: this.totals().sent, since: now };
      this.#timer = setInterval(() => this.#tick(), TICK_MS);
    } else if (!this.moving && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
      this.#speed = 0;
      this.dispatchEvent(new Event("tick"));
    }
  }

  #tick() {
    const now = performance.now();
    const { sent } = this.totals();
    const rate = Math.max(0, ((sent - this.#measured.sent) * 1000) / (now - this.#measured.at));
    this.#speed = this.#speed ? this.#speed + SMOOTHING * (rate - this.#speed) : rate;
    Object.assign(this.#measured, { at: now, sent });
    this.dispatchEvent(new Event("tick"));
  }
}

export const queue = new Queue();

addEventListener("online", () => queue.retryFailed());
addEventListener("beforeunload", (event) => {
  if (queue.moving) event.preventDefault();
});
