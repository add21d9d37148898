// The original and the result of a picture in one place, with a line between them, or side by side;
// both are moved and zoomed as one.

import { keys, moves } from "./zoom-moves.js";
import { View } from "./zoom-view.js";

const GRIP = 28;
let side = false; // as it was chosen last

// `before` and `after` are { src, words }: the address, and what is said of it besides its size.
export function compare(before, after, name) {
  const box = make("div", { className: "compare" });
  const area = make("div", { className: "compare-area", tabIndex: 0 });
  area.setAttribute("role", "group");
  area.setAttribute("aria-label", `${name}, before and after: plus and minus zoom, arrow keys move, 0 fits, 1 shows its own size`);
  const old = pane(area, before, `${name}, before`, "old");
  const made = pane(area, after, `${name}, after`, "new");
  const slider = make("input", { type: "range", min: 0, max: 100, value: 50 });
  slider.setAttribute("aria-label", `How much of ${name} shows the original`);
  slider.oninput = () => box.style.setProperty("--cut", `${slider.value}%`);
  const bar = make("div", { className: "compare-bar" });
  box.append(area, slider, bar);
  Promise.all([old.picture.decode(), made.picture.decode()]).then(
    () => begin(box, { area, old, made, slider, bar }),
    () => area.replaceChildren(make("p", { textContent: "One of the two can't be shown just now." })),
  );
  return box;
}

function begin(box, { area, old, made, slider, bar }) {
  for (const { label, picture, words } of [old, made])
    label.append(make("span", { textContent: [` ${picture.naturalWidth} × ${picture.naturalHeight}`, words].filter(Boolean).join(" · ") }));
  const [width, height] = largest(old.picture, made.picture);
  const view = new View({ width, height });
  const scale = make("output", { className: "nowrap" });
  const drawn = () => {
    for (const { picture } of [old, made]) {
      const [x, y] = [view.wide / 2 - view.x * view.scale, view.high / 2 - view.y * view.scale];
      Object.assign(picture.style, { width: `${width * view.scale}px`, height: `${height * view.scale}px`, translate: `${x}px ${y}px` });
      picture.classList.toggle("near", view.times >= 2);
    }
    scale.textContent = `${Math.round(100 * view.times)}%`;
  };
  const deed = (verb) => (...values) => drawn(view[verb](...values));
  const deeds = { move: deed("move"), zoom: deed("zoom"), fit: deed("fit"), actual: deed("actual") };
  const fit = () => {
    if (!old.pane.clientWidth) return;
    view.size(old.pane.clientWidth, old.pane.clientHeight, devicePixelRatio || 1);
    drawn();
  };
  fit();
  new ResizeObserver(fit).observe(old.pane); // goes with the pane
  grip(area, slider, () => !side, () => view.fitted);
  moves(area, deeds);
  keys(slider, deeds, ["+", "=", "-", "0", "1"]);
  tools(bar, { box, slider, scale, deeds });
}

// Both are shown as large as the larger one; the shape is the result's.
function largest(old, made) {
  const width = Math.max(old.naturalWidth, made.naturalWidth);
  return [width, Math.round((width * made.naturalHeight) / made.naturalWidth)];
}

// Drags the line: anywhere while the whole picture is seen, else only by the line itself.
function grip(area, slider, isSlider, isFitted) {
  let dragging = false;
  const at = ({ clientX }) => {
    const { left, width } = area.getBoundingClientRect();
    return { share: (100 * (clientX - left)) / width, width };
  };
  const drag = (event) => {
    slider.value = at(event).share;
    slider.oninput();
  };
  area.addEventListener("pointerdown", (event) => {
    const { share, width } = at(event);
    dragging = isSlider() && !event.button && (isFitted() || Math.abs(share - slider.value) * width < 100 * GRIP);
    if (!dragging) return;
    event.stopImmediatePropagation();
    area.setPointerCapture(event.pointerId);
    drag(event);
  }, true);
  area.addEventListener("pointermove", (event) => dragging && drag(event));
  for (const end of ["pointerup", "pointercancel"]) area.addEventListener(end, () => (dragging = false));
}

function tools(bar, { box, slider, scale, deeds }) {
  const both = make("button", { type: "button", className: "button", textContent: "Side by side" });
  const show = () => {
    box.classList.toggle("side", side);
    both.setAttribute("aria-pressed", side);
    slider.hidden = side;
  };
  both.onclick = () => show((side = !side));
  const verb = (text, label, onclick) => {
    const made = make("button", { type: "button", className: "button", textContent: text, title: label, onclick });
    made.setAttribute("aria-label", label);
    return made;
  };
  bar.append(both, verb("−", "Zoom out", () => deeds.zoom(1 / 1.5)), scale, verb("+", "Zoom in", () => deeds.zoom(1.5)));
  bar.append(verb("Fit", "Show the whole picture", () => deeds.fit()), verb("100%", "Show it in its own size", () => deeds.actual()));
  show();
  if (!side) slider.focus({ preventScroll: true });
}

function pane(area, { src, words }, alt, look) {
  const pane = make("div", { className: `pane ${look}` });
  const picture = make("img", { src, alt, draggable: false });
  const label = make("p", { className: "tag" });
  label.append(make("strong", { textContent: look === "old" ? "Before" : "After" }));
  const shown = make("div", { className: "shown" });
  shown.append(picture);
  pane.append(shown, label);
  area.append(pane);
  return { pane, picture, label, words };
}

function make(kind, values) {
  return Object.assign(document.createElement(kind), values);
}
