// What fingers, pointers, wheel and keys mean to a zoomable picture: by how much to move and zoom.

const STEP = 1.5;
const PAN = 80;

// `move(dx, dy)` in pixels of the screen; `zoom(factor, x, y)` around a point; `fit()`; `actual()`.
export function moves(area, { move, zoom, fit, actual }) {
  const fingers = new Map();
  const place = ({ clientX, clientY }) => {
    const { left, top } = area.getBoundingClientRect();
    return [clientX - left, clientY - top];
  };
  area.onpointerdown = (event) => {
    if (event.button) return;
    area.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place(event));
  };
  area.onpointermove = (event) => {
    if (!fingers.has(event.pointerId)) return;
    const before = spread([...fingers.values()]);
    fingers.set(event.pointerId, place(event));
    const after = spread([...fingers.values()]);
    move(after.x - before.x, after.y - before.y);
    if (before.wide && after.wide) zoom(after.wide / before.wide, after.x, after.y);
  };
  area.onpointerup = area.onpointercancel = (event) => fingers.delete(event.pointerId);
  area.ondblclick = (event) => zoom(2, ...place(event));
  area.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 24 : 1;
      zoom(Math.exp((-event.deltaY * lines) / 400), ...place(event));
    },
    { passive: false },
  );
  keys(area, { move, zoom, fit, actual });
}

// The same by keys; `only` some of them where others have a meaning already.
export function keys(area, { move, zoom, fit, actual }, only = null) {
  const deeds = {
    ArrowLeft: () => move(PAN, 0),
    ArrowRight: () => move(-PAN, 0),
    ArrowUp: () => move(0, PAN),
    ArrowDown: () => move(0, -PAN),
    "+": () => zoom(STEP),
    "=": () => zoom(STEP),
    "-": () => zoom(1 / STEP),
    0: fit,
    1: actual,
  };
  area.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const deed = deeds[event.key];
    if (!deed || (only && !only.includes(event.key))) return;
    event.preventDefault();
    event.stopPropagation(); // an arrow key is the picture's, not a step to the next result
    deed();
  };
}

function spread(points) {
  const [first, second] = points;
  if (!second) return { x: first[0], y: first[1], wide: 0 };
  return { x: (first[0] + second[0]) / 2, y: (first[1] + second[1]) / 2, wide: Math.hypot(first[0] - second[0], first[1] - second[1]) };
}
