// <deep-zoom data-src data-facts data-name>: a picture of any size, drawn from its tiles as far as they are here.

import { moves } from "./zoom-moves.js";
import { Tiles } from "./zoom-tiles.js";
import { View } from "./zoom-view.js";

const STEP = 1.5;
const SOFTER_LEVELS = 4;

class DeepZoom extends HTMLElement {
  connectedCallback() {
    const facts = JSON.parse(this.dataset.facts);
    this.view = new View(facts);
    this.canvas = Object.assign(document.createElement("canvas"), { tabIndex: 0 });
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `${this.dataset.name}: arrow keys move, plus and minus zoom, 0 fits, 1 shows its own size`);
    this.scale = Object.assign(document.createElement("output"), { className: "nowrap" });
    const verb = (name) => (...values) => this.#changed(this.view[name](...values));
    const deeds = { move: verb("move"), zoom: verb("zoom"), fit: verb("fit"), actual: verb("actual") };
    this.replaceChildren(this.canvas, this.#tools(deeds));
    moves(this.canvas, deeds);
    this.#resized();
    this.watch = new ResizeObserver(() => this.#resized());
    this.watch.observe(this.canvas);
    this.tiles = new Tiles(this.dataset.src, facts, () => this.#soon());
    this.tiles.open().then(() => this.#soon(), () => this.#failed());
    this.canvas.focus({ preventScroll: true });
  }

  disconnectedCallback() {
    this.watch.disconnect();
    this.tiles.close();
    cancelAnimationFrame(this.frame);
  }

  #tools({ zoom, fit, actual }) {
    const tools = Object.assign(document.createElement("div"), { className: "zoom-tools" });
    tools.append(button("−", "Zoom out", () => zoom(1 / STEP)), this.scale, button("+", "Zoom in", () => zoom(STEP)));
    tools.append(button("Fit", "Show the whole picture", fit), button("100%", "Show it in its own size", actual));
    return tools;
  }

  #failed() {
    const words = "The picture can't be read just now. Close it and open it again.";
    if (this.isConnected) this.replaceChildren(Object.assign(document.createElement("p"), { textContent: words }));
  }

  #resized() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth) return;
    const dense = devicePixelRatio || 1;
    this.canvas.width = Math.round(clientWidth * dense);
    this.canvas.height = Math.round(clientHeight * dense);
    this.view.size(clientWidth, clientHeight, dense);
    this.#changed();
  }

  #changed() {
    const percent = 100 * this.view.times;
    this.scale.textContent = `${percent < 10 ? percent.toFixed(1) : Math.round(percent)}%`;
    this.#soon();
  }

  #soon() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    if (!this.view.wide || !this.tiles.places) return;
    const paint = this.canvas.getContext("2d");
    paint.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const last = this.tiles.levels - 1;
    const sharp = Math.max(0, Math.min(last, last + Math.ceil(Math.log2(this.view.times) - 0.1)));
    const wanted = [];
    // From coarse to fine: what is not here yet shows softly.
    for (let level = Math.max(0, sharp - SOFTER_LEVELS); level <= sharp; level++) {
      const times = 2 ** (last - level);
      const { across, down } = this.tiles.size(level);
      for (const [column, row] of this.view.tiles(this.tiles.tile * times, across, down)) {
        const picture = this.tiles.get(level, column, row);
        if (picture) this.#paint(paint, picture, column * this.tiles.tile * times, row * this.tiles.tile * times, times);
        else wanted.push([level, column, row]);
      }
    }
    this.tiles.want(wanted);
  }

  #paint(paint, picture, left, top, times) {
    const [x, y] = this.view.at(left, top);
    const [right, bottom] = this.view.at(left + picture.width * times, top + picture.height * times);
    paint.imageSmoothingEnabled = this.view.times < 2;
    paint.drawImage(picture, x, y, right - x, bottom - y);
  }
}

function button(text, label, verb) {
  const made = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: text, title: label });
  made.onclick = () => verb();
  made.setAttribute("aria-label", label);
  return made;
}

customElements.define("deep-zoom", DeepZoom);
