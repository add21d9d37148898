// One file on its way to the server over tus; knows no page.
//
// States: waiting (for its turn), sending, paused, done, failed, elsewhere (another tab sends it).

import "../../vendor/tus-js-client-4.3.1/tus.min.js";
import { fingerprint } from "./fingerprint.js";
import { mediaType } from "./kinds.js";

const ENDPOINT = "/files/";
const SMALLEST_CHUNK = 256 * 1024;
const DELAYS = [0, 500, 1000, 2000, 4000, 8000, ...Array(5760).fill(15000)];
const WORTH_WAITING_FOR = new Set([0, 409, 423, 429, 500, 502, 503, 504, 507]);
const NO_ROOM = 507;

export function csrfToken() {
  return document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
}

export class Transfer extends EventTarget {
  #upload = null;
  #turn = 0;
  #creation = null;
  #release = null;
  #held = Promise.resolve();

  /** `key` is given when an upload that stopped goes on; `used` when a job waits for it already. */
  constructor(file, { path = "", chunkBytes, key = "", offset = 0, used = false } = {}) {
    super();
    Object.assign(this, { file, path, chunkBytes, key, used });
    this.name = file.name;
    this.size = file.size;
    this.type = mediaType(file);
    this.sent = offset;
    this.state = "waiting";
    this.troubled = false;
    this.full = false; // the server's disk: it goes on by itself
    this.error = "";
  }

  get unfinished() {
    return ["waiting", "sending", "paused"].includes(this.state);
  }

  get moving() {
    return this.state === "waiting" || this.state === "sending";
  }

  #become(state, error = "") {
    this.state = state;
    this.error = error;
    if (state !== "sending") this.#release?.();
    this.dispatchEvent(new Event("change"));
  }

  /**
   * Send. The announcement comes first and once: a job may be started with the name that
   * it brings, so no second one may ever take its place.
   */
  async start() {
    const turn = (this.#turn += 1); // a pause and a resume meanwhile begin another
    const mine = () => this.state === "sending" && turn === this.#turn;
    this.#become("sending");
    if (!this.key) await this.announce();
    if (!mine()) return;
    const locked = await this.#lock();
    if (!mine()) return void (locked && this.#release?.());
    if (!locked) return this.#become("elsewhere");
    this.#upload = new globalThis.tus.Upload(this.file, this.#options());
    this.#upload.start();
  }

  #options() {
    return {
      uploadUrl: ENDPOINT + this.key,
      uploadSize: this.size,
      chunkSize: this.chunkBytes,
      retryDelays: DELAYS,
      storeFingerprintForResuming: false,
      onBeforeRequest: (request) => request.setHeader("X-CSRFToken", csrfToken()),
      onProgress: (sent) => this.#moved(sent),
      onShouldRetry: (error) => this.#retries(error),
      onSuccess: () => {
        this.sent = this.size;
        this.#become("done");
      },
      onError: (error) => this.#failed(error),
    };
  }

  async #metadata() {
    const facts = { filename: this.name, filetype: this.type, lastModified: String(this.file.lastModified) };
    if (this.path) facts.relativePath = this.path;
    const print = await fingerprint(this.file);
    if (print) facts.fingerprint = print;
    return facts;
  }

  /** Make the server's row before any byte, so that a job may be started with it. */
  announce() {
    if (this.key || this.state === "failed") return Promise.resolve();
    this.#creation ??= this.#announce().finally(() => (this.#creation = null));
    return this.#creation;
  }

  async #announce() {
    const facts = Object.entries(await this.#metadata());
    const words = facts.map(([name, value]) => `${name} ${base64(value)}`).join(",");
    const headers = { "Tus-Resumable": "1.0.0", "Upload-Length": String(this.size), "Upload-Metadata": words, "X-CSRFToken": csrfToken() };
    try {
      const answer = await patiently(() => fetch(ENDPOINT, { method: "POST", headers }));
      if (answer.status !== 201) throw new Error(words_of(await answer.text(), answer.status));
      this.#created(answer.headers.get("Location"));
      if (this.size === 0) this.#become("done");
    } catch (error) {
      this.#become("failed", error.message);
    }
  }

  #created(url) {
    this.key = new URL(url, location.href).pathname.split("/").pop();
    this.dispatchEvent(new Event("change"));
  }

  #moved(sent) {
    this.sent = sent;
    this.troubled = false;
    this.dispatchEvent(new Event("change"));
  }

  #retries(error) {
    const status = error.originalResponse?.getStatus() ?? 0;
    this.troubled = WORTH_WAITING_FOR.has(status);
    this.full = status === NO_ROOM;
    this.dispatchEvent(new Event("change"));
    return this.troubled;
  }

  #failed(error) {
    const answer = error.originalResponse;
    const status = answer?.getStatus() ?? 0;
    const refused = parsed(answer?.getBody() ?? "");
    if (status === 413 && !refused && this.chunkBytes > SMALLEST_CHUNK) {
      // A proxy with a body limit of its own.
      this.chunkBytes = Math.max(SMALLEST_CHUNK, Math.floor(this.chunkBytes / 2));
      this.#become("waiting");
      return;
    }
    if (status === 404 || status === 410) this.key = "";
    this.#become("failed", words_of(answer?.getBody() ?? "", status));
  }

  /** Stop sending; what has arrived stays there. */
  pause() {
    if (!this.moving) return;
    this.#become("paused");
    this.#upload?.abort();
  }

  /** Line up again, after a pause or a failure. */
  queue() {
    if (!this.moving && this.state !== "done") this.#become("waiting");
  }

  /** Stop and forget the file, here and on the server. */
  async remove() {
    this.#become("paused");
    await this.#upload?.abort();
    if (this.key) await forget(this.key);
  }

  /** Hold the upload's name while this tab sends it; false when another tab has it. */
  async #lock() {
    if (!navigator.locks) return true;
    await this.#held; // our own earlier hold, let go a moment ago
    return new Promise((answer) => {
      this.#held = navigator.locks.request(lockName(this.key), { ifAvailable: true }, (lock) => {
        answer(lock !== null);
        return lock && new Promise((release) => (this.#release = release));
      });
    });
  }
}

export function lockName(key) {
  return `tidemill upload ${key}`;
}

/** Remove an upload on the server. */
export function forget(key) {
  const headers = { "Tus-Resumable": "1.0.0", "X-CSRFToken": csrfToken() };
  // Whoever leaves the page at once has removed the file all the same.
  return fetch(ENDPOINT + key, { method: "DELETE", headers, keepalive: true });
}

async function patiently(ask) {
  let answer = null;
  for (const delay of DELAYS.slice(0, 8)) {
    await new Promise((resolve) => setTimeout(resolve, delay));
    answer = await ask().catch(() => null);
    if (answer && !WORTH_WAITING_FOR.has(answer.status)) return answer;
  }
  if (answer) return answer; // its own words say why
  throw new Error("The server can't be reached.");
}

function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

function parsed(body) {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

function words_of(body, status) {
  const refusal = parsed(body);
  if (refusal?.message) return `${refusal.message} ${refusal.detail ?? ""}`.trim();
  return status ? `The server answered ${status}.` : "The connection is lost.";
}
