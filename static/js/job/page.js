// <job-page>: keeps a server-rendered job page right while it is open. Numbers are patched in place;
// parts with more markup are fetched from the page itself, so there is one template for both.

import "./log.js";
import "./scrub.js";
import "./viewer.js";
import { Link } from "./link.js";
import { show } from "./show.js";
import { Signs } from "./signs.js";
import { addTiles } from "./tiles.js";

const CALM = 1500;

class JobPage extends HTMLElement {
  connectedCallback() {
    this.shape = null;
    this.held = null;
    this.state = null;
    this.signs = new Signs(this);
    this.link = new Link(this.dataset.key, Number(this.dataset.seq), {
      message: (state, events, snap) => this.#hold(state, events, snap),
      mode: (mode, why) => this.signs.mode(mode, why),
    });
    this.seen = () => document.hidden || this.#release();
    document.addEventListener("visibilitychange", this.seen);
    this.link.start();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.seen);
    clearTimeout(this.timer);
    this.link.stop();
    this.signs.restore();
  }

  // A hidden tab keeps its line but only its title moves; the rest waits for a look.
  #hold(state, events, snap) {
    const held = this.held ?? { events: [], snap: false };
    this.held = { state, events: held.events.concat(events), snap: held.snap || snap };
    this.signs.title(state);
    if (!document.hidden) this.#release();
  }

  #release() {
    const held = this.held;
    this.held = null;
    if (held) this.#apply(held.state, held.events, held.snap);
  }

  #apply(state, events, snap) {
    this.state = state;
    this.dataset.seq = state.seq;
    this.dataset.state = state.state;
    show(this, state);
    this.querySelector("job-log")?.add(events);
    addTiles(this, events);
    this.signs.show(state);
    const shape = [`${state.shown.mark} ${state.state}`, state.paused, state.cancelling, state.notify].join();
    const first = this.shape === null ? this.#loadedShape(state) : this.shape;
    const troubled = events.some(([, , body]) => body.level !== "info");
    if (snap || shape !== first) this.#refresh(0, snap);
    else if (troubled) this.#refresh(CALM, false);
    this.shape = shape;
    this.dispatchEvent(new CustomEvent("job-state", { bubbles: true, detail: { state, events } }));
  }

  // The first message may tell more than the page that was loaded.
  #loadedShape(state) {
    const loaded = this.dataset.shape.split(",");
    return [...loaded.slice(0, 1), ...loaded.slice(1).map((text) => text === "True")].join();
  }

  // One fetch at a time, or an older answer could overwrite a newer one.
  #refresh(wait, whole) {
    this.whole ||= whole;
    if (this.fetching) this.again = true;
    if (this.fetching || (this.timer && wait)) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#fetchParts(), wait);
  }

  async #fetchParts() {
    const whole = this.whole;
    Object.assign(this, { timer: null, whole: false, again: false, fetching: true });
    const fresh = await page();
    this.fetching = false;
    if (!this.isConnected) return;
    if (fresh) this.#put(fresh, whole);
    if (!fresh || this.again) this.#refresh(fresh ? 0 : 4 * CALM, fresh ? false : whole);
  }

  #put(fresh, whole) {
    for (const part of fresh.querySelectorAll("[data-part]")) this.#replace(part, whole);
    if (whole) this.querySelector("job-log")?.reload(fresh.querySelector("[data-lines]"));
    this.toggleAttribute("data-ended", fresh.hasAttribute("data-ended"));
    // It may have been rendered before what the line has told since.
    if (this.state && Number(fresh.dataset.seq) <= this.state.seq) show(this, this.state);
  }

  #replace(part, whole) {
    const old = this.querySelector(`[data-part="${part.dataset.part}"]`);
    const live = part.dataset.part === "tiles" && !whole && old?.querySelector("li") && part.querySelector("li");
    if (!old || live) return;
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    const opened = [...old.querySelectorAll("details")].map((fold) => fold.open);
    old.replaceChildren(...part.childNodes);
    old.querySelectorAll("details").forEach((fold, place) => (fold.open = opened[place] ?? false));
    if (focused) (document.getElementById(focused) ?? old.querySelector("button, a"))?.focus();
  }
}

async function page() {
  const asked = { headers: { Accept: "text/html" }, cache: "no-store" };
  const answer = await fetch(location.href, asked).catch(() => null);
  const text = answer?.ok ? await answer.text().catch(() => "") : "";
  return new DOMParser().parseFromString(text, "text/html").querySelector("job-page");
}

customElements.define("job-page", JobPage);
