// <result-viewer>: looks at results one after another in a dialog; arrow keys, before and after.

import { compare } from "./compare.js";
import "./zoom.js";

class ResultViewer extends HTMLElement {
  connectedCallback() {
    this.dialog = this.querySelector("dialog");
    this.open = (event) => this.#opened(event);
    document.addEventListener("click", this.open, true); // before any navigation sees the click
    this.#on("close", () => this.dialog.close());
    this.#on("previous", () => this.#go(-1));
    this.#on("next", () => this.#go(1));
    this.#on("compare", () => this.#compare());
    this.dialog.onkeydown = (event) => this.#key(event);
    this.dialog.onclose = () => this.#part("stage").replaceChildren();
    this.dialog.onclick = (event) => {
      // Nothing is returned: a handler's `false` would keep links in the dialog from being followed.
      if (event.target === this.dialog) this.dialog.close();
    };
  }

  disconnectedCallback() {
    document.removeEventListener("click", this.open, true);
  }

  #part(name) {
    return this.querySelector(`[data-viewer-${name}]`);
  }

  #on(name, verb) {
    this.#part(name).onclick = verb;
  }

  #opened(event) {
    const link = event.target.closest?.("[data-viewer] a[data-name]");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    this.links = [...link.closest("[data-viewer]").querySelectorAll("a[data-name]")];
    this.place = this.links.indexOf(link);
    this.dialog.showModal();
    this.#show();
  }

  #key(event) {
    if (event.target.matches("input, video, audio")) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) this.#go(step);
  }

  #go(step) {
    const place = this.place + step;
    if (!this.links[place]) return;
    this.place = place;
    this.#show();
  }

  #show() {
    const link = this.links[this.place];
    const { name, size, saved, original, before, rows } = link.dataset;
    this.#part("name").textContent = name;
    this.#part("facts").textContent = [size, saved ? `${saved}% smaller` : ""].filter(Boolean).join(" · ");
    this.#part("place").textContent = `${this.place + 1} of ${this.links.length}`;
    const download = new URL(link.href);
    download.searchParams.set("download", "1");
    this.#part("download").href = download;
    this.#part("compare").hidden = !original;
    Object.assign(this.#part("rows"), { hidden: !rows, href: rows ?? "" });
    this.#part("previous").disabled = this.place === 0;
    this.#part("next").disabled = this.place === this.links.length - 1;
    const made = { src: link.href, words: size };
    const both = original && this.comparing && compare({ src: original, words: before }, made, name);
    this.#part("stage").replaceChildren(both || media(link));
    const next = this.links[this.place + 1];
    if (next?.hasAttribute("data-shows")) new Image().src = next.href;
  }

  #compare() {
    this.comparing = !this.comparing;
    this.#part("compare").setAttribute("aria-pressed", this.comparing);
    this.#show();
  }
}

function media(link) {
  const { kind, name } = link.dataset;
  if (link.hasAttribute("data-shows")) return Object.assign(new Image(), { src: link.href, alt: name });
  if (link.hasAttribute("data-plays")) {
    const player = Object.assign(document.createElement(kind), { src: link.href, controls: true, preload: "metadata" });
    const wave = kind === "audio" && link.querySelector("img");
    if (!wave) return player;
    const heard = Object.assign(document.createElement("figure"), { className: "heard" });
    heard.append(Object.assign(new Image(), { src: wave.src, alt: "" }), player);
    return heard;
  }
  if (link.dataset.zoom) {
    const zoom = document.createElement("deep-zoom");
    Object.assign(zoom.dataset, { src: link.href, facts: link.dataset.zoom, name });
    return zoom;
  }
  if (link.dataset.page) {
    const frame = Object.assign(document.createElement("iframe"), { title: name, className: "sheet-frame" });
    frame.sandbox = "";
    frame.src = link.dataset.page;
    return frame;
  }
  const words = document.createElement("p");
  words.textContent = "This kind of file can't be shown here; download it to open it.";
  return words;
}

customElements.define("result-viewer", ResultViewer);
