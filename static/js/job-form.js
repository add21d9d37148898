// The new job's form: fitting operations, presets that fill the options, Start before the files are here.

import "./file-tables.js";
import { visit } from "./navigate.js";
import { followPresets } from "./options.js";
import { sendOwn } from "./own-options.js";
import { family, fits, kindWords } from "./uploads/kinds.js";
import { queue } from "./uploads/queue.js";
import { plural } from "./words.js";

const LONG = new Set(["video", "audio"]);

class JobForm extends HTMLElement {
  #touched = false;
  #others = false; // whether what takes none of the files is shown as well

  connectedCallback() {
    this.form = this.querySelector("form");
    this.files = this.querySelector("file-list");
    this.button = this.querySelector("[data-startbar] [data-start]");
    this.trial = this.querySelector("[data-sample]");
    this.addEventListener("files", () => this.#fit());
    this.addEventListener("links", () => this.files.types && this.#summarise(this.files.types()));
    this.#touched = "decided" in this.dataset; // the form came back, or a job is run again
    followPresets(this);
    this.querySelector("[data-others]").addEventListener("click", () => this.#showOthers());
    this.addEventListener("change", (event) => this.#changed(event.target));
    this.form.addEventListener("submit", (event) => this.#submit(event));
    this.#fit();
  }

  get #operations() {
    return [...this.querySelectorAll(".operation")];
  }

  get #chosenCard() {
    return this.#operations.find((card) => card.querySelector("input").checked);
  }

  get #chosenPatterns() {
    return this.#chosenCard?.dataset.accepts.split(" ") ?? [];
  }

  #fit() {
    if (!this.files?.types) return;
    const types = this.files.types();
    this.querySelector("drop-zone").classList.toggle("compact", types.length > 0);
    for (const card of this.#operations) {
      const patterns = card.dataset.accepts.split(" ");
      const mine = types.filter((type) => type === "" || fits(patterns, type));
      card.querySelector("input").disabled = types.length > 0 && mine.length === 0;
      const count = card.querySelector("[data-count]"); // a preset of one's own says what it does instead
      if (count) count.textContent = mine.length ? counted(mine) : `takes ${card.dataset.takes}`;
      card.dataset.fits = String(mine.length);
    }
    this.#narrow();
    this.#chooseFitting();
    this.#showPanel();
    this.#summarise(types);
  }

  #showOthers() {
    this.#others = !this.#others;
    this.#narrow();
  }

  /** Hide the cards that take none of the files behind a button. */
  #narrow() {
    const offers = this.querySelector("[data-offers]");
    const place = this.querySelector("[data-others]");
    const unfit = offers.querySelectorAll("input:disabled").length;
    offers.classList.toggle("fitting", !this.#others);
    place.hidden = unfit === 0;
    place.querySelector("span").textContent = this.#others ? "Hide what takes other files" : `${plural(unfit, "operation", "operations")} for other files`;
  }

  /** Follow the files until the person has chosen; never leave a card chosen that does not fit. */
  #chooseFitting() {
    const chosen = this.querySelector("[name=operation]:checked");
    if (chosen && !chosen.disabled && (this.#touched || !this.#operations.some((card) => card.dataset.fits > 0))) return;
    const most = this.#operations.filter((card) => card.dataset.accepts !== "*/*").sort((one, other) => other.dataset.fits - one.dataset.fits)[0];
    const best = most?.dataset.fits > 0 ? most : this.#operations.find((card) => card.dataset.fits > 0);
    if (best) best.querySelector("input").checked = true;
  }

  #showPanel() {
    const chosen = this.querySelector("[name=operation]:checked")?.value;
    const panels = this.querySelectorAll("[data-panel]:not(follow-ups [data-panel])");
    for (const panel of panels) panel.hidden = panel.dataset.panel !== chosen;
    // A preset of one's own says all that follows.
    this.querySelector("follow-ups").hidden = [...panels].some((panel) => !panel.hidden && "complete" in panel.dataset);
  }

  #changed(field) {
    if (field.name === "operation") {
      this.#touched = true;
      this.#showPanel();
    }
    this.#summarise(this.files.types());
  }

  #summarise(types) {
    const ready = types.length > 0;
    this.classList.toggle("idle", !ready);
    this.querySelector("[data-startbar]").classList.toggle("ready", ready);
    this.button.disabled = !ready;
    this.#offerSample(types);
    this.querySelector("[data-summary]").textContent = ready ? this.#plan(types) : "Choose files first.";
  }

  /** A sample is worth its time when there is more than it would try. */
  #offerSample(types) {
    const mine = this.#fitting(types);
    const long = mine.filter((type) => LONG.has(family(type))).length > mine.length / 2;
    const tried = long ? 1 : Number(this.trial.dataset.files);
    const piece = long && mine.length === 1 && "piecewise" in (this.#chosenCard?.dataset ?? {});
    this.trial.hidden = !(piece || mine.length > tried);
    this.trial.textContent = piece ? `Try ${this.trial.dataset.seconds}\u00a0seconds first` : `Try on ${plural(tried, "file")} first`;
  }

  #fitting(types) {
    const patterns = this.#chosenPatterns;
    return types.filter((type) => type === "" || fits(patterns, type));
  }

  #plan(types) {
    const mine = this.#fitting(types);
    const label = this.#chosenCard?.querySelector("strong").textContent ?? "";
    const rest = types.length - mine.length;
    const then = [...this.querySelectorAll("follow-ups:not([hidden]) [data-then]")].filter((select) => select.value);
    const chain = [label, ...then.map((select) => select.selectedOptions[0].textContent)].join(" → ");
    const words = [`${chain}: ${counted(mine)}`];
    if (rest) words.push(`${plural(rest, "other file stays", "other files stay")} in your uploads`);
    if (queue.unfinished.length) words.push("you need not wait for the uploads");
    return words.join(" · ");
  }

  async #submit(event) {
    const { start, sample: trial } = event.submitter?.dataset ?? { start: "" };
    if (start === undefined && trial === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const sample = trial !== undefined;
    this.#wait(sample ? this.trial : this.button);
    await queue.announceAll(queue.unfinished.filter((transfer) => !transfer.used));
    this.files.narrow(this.#chosenPatterns);
    sendOwn(this.form);
    const keys = new FormData(this.form).getAll("uploads").filter(Boolean);
    if (queue.unfinished.length === 0) return this.#send(sample);
    await this.#startSoftly(keys, sample);
  }

  #wait(pressed) {
    for (const button of [this.button, this.trial]) button.disabled = true;
    pressed.textContent = "Starting…";
  }

  #send(sample) {
    if (sample) this.form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "sample", value: "1" }));
    this.form.submit();
  }

  async #startSoftly(keys, sample) {
    try {
      const answer = await visit(this.form.action, { body: this.#body(keys, sample) });
      if (answer?.ok && !sample) queue.take(keys);
    } catch {
      for (const button of [this.button, this.trial]) button.disabled = false;
      this.button.textContent = "Start";
      this.#offerSample(this.files.types());
      this.querySelector("[data-summary]").textContent = "The server can't be reached. Try again; nothing is lost.";
    }
  }

  #body(keys, sample) {
    const data = new FormData(this.form);
    data.delete("uploads");
    for (const key of keys) data.append("uploads", key);
    if (sample) data.set("sample", "1");
    return data;
  }
}

function counted(types) {
  const kinds = new Map();
  for (const type of types) kinds.set(family(type), (kinds.get(family(type)) ?? 0) + 1);
  return [...kinds].map(([kind, count]) => plural(count, ...kindWords(kind))).join(" and ");
}

customElements.define("job-form", JobForm);
