// Two pictures in one place with a line between them that a pointer or the arrow keys move.

export function compare(before, after, name) {
  const box = document.createElement("div");
  box.className = "compare";
  const slider = Object.assign(document.createElement("input"), { type: "range", min: 0, max: 100, value: 50 });
  slider.setAttribute("aria-label", `How much of ${name} shows the original`);
  const cut = (percent) => box.style.setProperty("--cut", `${percent}%`);
  slider.oninput = () => cut(slider.value);
  const drag = (event) => {
    const { left, width } = box.getBoundingClientRect();
    slider.value = (100 * (event.clientX - left)) / width;
    cut(slider.value);
  };
  box.onpointerdown = (event) => {
    box.setPointerCapture(event.pointerId);
    drag(event);
  };
  box.onpointermove = (event) => {
    if (box.hasPointerCapture(event.pointerId)) drag(event);
  };
  box.append(picture(after, `${name}, after`, "new"), picture(before, `${name}, before`, "old"));
  box.append(tag("Before", "before"), tag("After", "after"), slider);
  return box;
}

function picture(src, alt, look) {
  return Object.assign(new Image(), { src, alt, className: look, draggable: false });
}

function tag(text, look) {
  return Object.assign(document.createElement("span"), { textContent: text, className: `tag ${look}` });
}
