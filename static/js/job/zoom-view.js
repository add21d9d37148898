// Which part of a large picture is seen, and how large: its middle, its scale and their bounds.

const CLOSEST = 8;

export class View {
  // `width` and `height` of the picture; `size` then says those of the window, in CSS pixels.
  constructor({ width, height }) {
    Object.assign(this, { width, height, scale: 0, x: 0, y: 0, dense: 1 });
  }

  size(wide, high, dense) {
    const fitted = !this.scale || this.fitted;
    Object.assign(this, { wide, high, dense });
    if (fitted) this.fit();
    else this.#bounded();
  }

  // Pixels of the screen for each of the picture.
  get times() {
    return this.scale * this.dense;
  }

  get fitted() {
    return this.scale === this.#least();
  }

  fit() {
    this.scale = this.#least();
    this.#bounded();
  }

  actual() {
    this.zoom(1 / this.times);
  }

  // The point of the picture under `x`, `y` stays there.
  zoom(factor, x = this.wide / 2, y = this.high / 2) {
    const scale = Math.min(CLOSEST, Math.max(this.#least(), this.scale * factor));
    const moved = 1 / this.scale - 1 / scale;
    this.x += (x - this.wide / 2) * moved;
    this.y += (y - this.high / 2) * moved;
    this.scale = scale;
    this.#bounded();
  }

  move(dx, dy) {
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
    this.#bounded();
  }

  // Where a point of the picture lies; whole pixels of the screen, so that no seams show.
  at(x, y) {
    const place = (point, middle, edge) => Math.round((point - middle) * this.times + (edge * this.dense) / 2);
    return [place(x, this.x, this.wide), place(y, this.y, this.high)];
  }

  // The columns and rows that are seen of tiles whose edge is so many pixels of the picture.
  *tiles(edge, across, down) {
    const from = (at, half) => Math.max(0, Math.floor((at - half) / edge));
    const to = (at, half, count) => Math.min(count - 1, Math.floor((at + half) / edge));
    const [wide, high] = [this.wide / 2 / this.scale, this.high / 2 / this.scale];
    for (let row = from(this.y, high); row <= to(this.y, high, down); row++)
      for (let column = from(this.x, wide); column <= to(this.x, wide, across); column++) yield [column, row];
  }

  #least() {
    return Math.min(1 / this.dense, this.wide / this.width, this.high / this.height);
  }

  #bounded() {
    const within = (at, half, all) => (2 * half >= all ? all / 2 : Math.min(all - half, Math.max(half, at)));
    this.x = within(this.x, this.wide / 2 / this.scale, this.width);
    this.y = within(this.y, this.high / 2 / this.scale, this.height);
  }
}
