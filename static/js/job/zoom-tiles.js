// The tiles of a zoomable picture: ranges of one file, fetched a few at a time, the newest wanted first.

const AT_ONCE = 6;
const KEPT = 400;

export class Tiles {
  // `facts`: width, height, tile, and where the index lies; `changed` is called when a tile has come.
  constructor(src, facts, changed) {
    Object.assign(this, facts);
    this.src = src;
    this.changed = changed;
    this.levels = Math.ceil(Math.log2(Math.max(this.width, this.height, 1))) + 1;
    this.first = [];
    let count = 0;
    for (let level = 0; level < this.levels; level++) {
      this.first.push(count);
      const { across, down } = this.size(level);
      count += across * down;
    }
    this.known = new Map();
    this.waiting = [];
    this.busy = 0;
    this.gone = new AbortController();
  }

  // Reads where the tiles lie; throws when the file can't be read.
  async open() {
    const [at, size] = this.index;
    this.places = new DataView(await (await this.#fetch(at, size)).arrayBuffer());
  }

  close() {
    this.gone.abort();
    for (const picture of this.known.values()) picture?.close();
    this.known.clear();
  }

  size(level) {
    const times = 2 ** (this.levels - 1 - level);
    const [width, height] = [Math.ceil(this.width / times), Math.ceil(this.height / times)];
    return { width, height, across: Math.ceil(width / this.tile), down: Math.ceil(height / this.tile) };
  }

  // The picture of a tile if it is here.
  get(level, column, row) {
    const key = this.#key(level, column, row);
    const picture = this.known.get(key);
    if (picture) {
      this.known.delete(key); // used last, dropped last
      this.known.set(key, picture);
    }
    return picture;
  }

  // Says which tiles are wanted now, the most wanted first; what was wanted before no longer is.
  want(places) {
    this.waiting = places.map((place) => this.#key(...place)).filter((key) => !this.known.has(key));
    while (this.busy < AT_ONCE && this.waiting.length) this.#load(this.waiting.shift());
  }

  #key(level, column, row) {
    return this.first[level] + row * this.size(level).across + column;
  }

  async #load(key) {
    this.busy++;
    this.known.set(key, null);
    try {
      const at = Number(this.places.getBigUint64(12 * key, true));
      const blob = await (await this.#fetch(at, this.places.getUint32(12 * key + 8, true))).blob();
      this.known.set(key, await createImageBitmap(blob));
      this.#drop();
    } catch {
      this.known.delete(key);
    } finally {
      this.busy--;
      if (!this.gone.signal.aborted) this.changed();
    }
  }

  #drop() {
    for (const [key, picture] of this.known) {
      if (this.known.size <= KEPT) return;
      if (!picture) continue;
      picture.close();
      this.known.delete(key);
    }
  }

  async #fetch(at, size) {
    const headers = { Range: `bytes=${at}-${at + size - 1}` };
    const answer = await fetch(this.src, { headers, signal: this.gone.signal });
    if (answer.status !== 206) throw new Error(`${answer.status}`);
    return answer;
  }
}
