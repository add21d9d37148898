// The files of the next job: those of this tab, and those that the server keeps from before.

import { same } from "./uploads/fingerprint.js";
import { fits } from "./uploads/kinds.js";
import { queue } from "./uploads/queue.js";
import { askForFile, freshRow, sayElsewhere, update } from "./uploads/row.js";
import { Transfer, forget, lockName } from "./uploads/transfer.js";
import { progressWords } from "./upload-dock.js";
import { plural, size } from "./words.js";

class FileList extends HTMLElement {
  #rows = new Map();
  #ended = new AbortController();

  connectedCallback() {
    this.list = this.querySelector("[data-rows]");
    this.old = this.list.firstElementChild; // new files come before those from earlier
    this.resumeOnly = "resumeOnly" in this.dataset;
    const { signal } = this.#ended;
    for (const row of [...this.list.children]) this.#adopt(row);
    if (!this.resumeOnly) for (const transfer of queue.transfers) if (!transfer.used) this.#added(transfer);
    queue.addEventListener("added", (event) => this.#added(event.detail), { signal });
    queue.addEventListener("changed", (event) => this.#changed(event.detail), { signal });
    queue.addEventListener("removed", (event) => this.#removed(event.detail), { signal });
    queue.addEventListener("tick", () => this.#summarise(), { signal });
    this.addEventListener("click", (event) => this.#clicked(event), { signal });
    this.#summarise();
    this.#noteOtherTabs();
  }

  disconnectedCallback() {
    this.#ended.abort();
  }

  /** Take in files: each goes on where its upload stopped, or starts anew. */
  async add(found) {
    for (const { file, path } of found) {
      const row = await this.#ghostOf(file);
      const facts = row ? { key: row.dataset.key, offset: Number(row.dataset.offset), used: "used" in row.dataset } : {};
      const transfer = new Transfer(file, { path, chunkBytes: this.#chunkBytes, ...facts });
      if (row) this.#rows.set(transfer, row);
      queue.add(transfer);
    }
  }

  get #chunkBytes() {
    return Number((document.querySelector("drop-zone") ?? this).dataset.chunkBytes);
  }

  async #ghostOf(file) {
    for (const row of this.list.querySelectorAll(".ghost[data-state=receiving]")) {
      if (await same(file, row.dataset)) return row;
    }
    return null;
  }

  /** Media types of the files that a job could start with now. */
  types() {
    const rows = [...this.list.children].filter((row) => row.querySelector("input[name=uploads]") && row.dataset.state !== "failed");
    return rows.map((row) => row.dataset.type);
  }

  /** Leave out of the form what the chosen operation does not take. */
  narrow(patterns) {
    for (const row of this.list.children) {
      const { state, type } = row.dataset;
      const field = row.querySelector("input[name=uploads]");
      if (field) field.disabled = state === "failed" || !(type === "" || fits(patterns, type));
    }
  }

  #adopt(row) {
    const transfer = queue.find(row.dataset.key);
    if (transfer) this.#rows.set(transfer, row);
    if (transfer) update(row, transfer);
    else if (row.classList.contains("ghost")) askForFile(row);
  }

  #added(transfer) {
    if (this.resumeOnly && !this.#rows.has(transfer)) return;
    if (!this.#rows.has(transfer)) {
      const row = freshRow(transfer);
      this.#rows.set(transfer, row);
      this.list.insertBefore(row, this.old?.isConnected ? this.old : null);
    }
    this.#changed(transfer);
    this.#summarise();
  }

  #changed(transfer) {
    const row = this.#rows.get(transfer);
    if (!row) return;
    const state = row.dataset.state;
    update(row, transfer);
    if (state !== transfer.state) this.#summarise();
  }

  #removed(transfer) {
    this.#rows.get(transfer)?.remove();
    this.#rows.delete(transfer);
    this.#summarise();
  }

  async #clicked(event) {
    const button = event.target.closest("[data-do]");
    const row = button?.closest("li.file");
    if (button?.dataset.do === "pause-all") return queue.moving ? queue.pauseAll() : queue.resumeAll();
    if (!row) return;
    const transfer = [...this.#rows].find(([, known]) => known === row)?.[0];
    event.preventDefault();
    if (button.dataset.do === "options") this.dispatchEvent(new CustomEvent("own-options", { bubbles: true, detail: row }));
    else if (button.dataset.do === "choose") this.#choose(row);
    else if (button.dataset.do === "toggle") transfer.moving ? transfer.pause() : transfer.queue();
    else await this.#remove(row, transfer);
  }

  async #remove(row, transfer) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    if (transfer) queue.remove(transfer);
    else {
      const answer = await forget(row.dataset.key);
      if (![204, 404, 410].includes(answer.status)) return;
      row.remove();
      this.#summarise();
    }
    next?.querySelector("[data-do=remove]")?.focus();
  }

  #choose(row) {
    const input = Object.assign(document.createElement("input"), { type: "file" });
    input.addEventListener("change", async () => {
      const [file] = input.files;
      if (await same(file, row.dataset)) this.add([{ file, path: "" }]);
      else row.querySelector("[data-note]").textContent = `“${file.name}” is another file; “${row.dataset.name}” with ${size(Number(row.dataset.size))} is needed.`;
    });
    input.click();
  }

  async #noteOtherTabs() {
    const { held = [] } = (await navigator.locks?.query()) ?? {};
    const names = new Set(held.map((lock) => lock.name));
    for (const row of this.list.querySelectorAll(".ghost")) {
      if (names.has(lockName(row.dataset.key)) && !queue.find(row.dataset.key)) sayElsewhere(row);
    }
  }

  #summarise() {
    const count = this.list.children.length;
    const heading = this.querySelector("[data-heading]");
    if (heading) {
      const open = queue.unfinished.length;
      heading.textContent = open ? `Uploading ${plural(open, "file")}` : plural(count, "file");
      this.#totals(open);
    }
    if (!this.resumeOnly) this.hidden = count === 0;
    this.dispatchEvent(new CustomEvent("files", { bubbles: true }));
  }

  #totals(open) {
    const totals = queue.totals();
    const bar = this.querySelector("[data-total]");
    const button = this.querySelector("[data-do=pause-all]");
    const bytes = [...this.list.children].reduce((sum, row) => sum + Number(row.dataset.size), 0);
    bar.hidden = button.hidden = open === 0;
    bar.value = totals.share;
    button.textContent = queue.moving ? "Pause all" : "Resume all";
    this.querySelector("[data-totals]").textContent = open ? `${size(totals.sent)} of ${size(totals.size)} · ${progressWords(totals)}` : size(bytes);
  }
}

customElements.define("file-list", FileList);
