// Options of one file: a dialog with the chosen operation's fields. What differs from the job's stays in the file's row.

import { fits } from "./uploads/kinds.js";

class OwnOptions extends HTMLElement {
  #ended = new AbortController();
  #frame = 0;

  connectedCallback() {
    this.dialog = this.querySelector("dialog");
    const { signal } = this.#ended;
    document.addEventListener("own-options", (event) => this.#open(event.detail), { signal });
    document.addEventListener("files", () => this.#soon(), { signal });
    document.addEventListener("change", (event) => event.target.name === "operation" && this.#soon(), { signal });
    this.dialog.addEventListener("close", () => this.#closed());
    this.#soon();
  }

  disconnectedCallback() {
    this.#ended.abort();
    cancelAnimationFrame(this.#frame);
  }

  /** A thousand files dropped at once are gone through once. */
  #soon() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(showAll);
  }

  #open(row) {
    this.row = row;
    const panel = chosenPanel();
    const place = this.dialog.querySelector("[data-fields]");
    place.replaceChildren(...copies(panel));
    const own = ownOf(row)?.options ?? {};
    for (const [name, field] of fieldsOf(panel)) if (place.querySelector(`[name="${field.name}"]`)) put(place, field.name, own[name] ?? valueOf(panel, field.name));
    this.dialog.querySelector("[data-name]").textContent = row.dataset.name;
    this.dialog.querySelector("[data-drop]").hidden = !ownOf(row);
    this.dialog.returnValue = "";
    this.dialog.showModal();
  }

  #closed() {
    const kept = this.dialog.returnValue;
    if (kept === "keep") keep(this.row, chosenPanel(), this.dialog);
    else if (kept === "drop") delete this.row.dataset.own;
    showAll();
  }
}

function chosenPanel() {
  const operation = document.querySelector("job-form [name=operation]:checked")?.value;
  return document.querySelector(`[data-panel="${CSS.escape(operation ?? "")}"]`);
}

/** The options of a panel by name, each with its first field; those that hold for all files are left out. */
function fieldsOf(panel) {
  const prefix = `${panel.dataset.panel}-`;
  const fields = [...panel.querySelectorAll(".fields [name]")].filter((field) => !("forAll" in field.dataset));
  const named = new Map();
  for (const field of fields) if (!named.has(field.name.slice(prefix.length))) named.set(field.name.slice(prefix.length), field);
  return named;
}

function copies(panel) {
  const fields = [...panel.querySelectorAll(".fields > .field")].filter((field) => !field.querySelector("[data-for-all]"));
  return fields.map((field) => {
    const copy = field.cloneNode(true);
    for (const attribute of ["id", "for", "aria-describedby"]) {
      for (const element of copy.querySelectorAll(`[${attribute}]`)) element.setAttribute(attribute, `own-${element.getAttribute(attribute)}`);
    }
    return copy;
  });
}

function all(place, name) {
  return [...place.querySelectorAll(`[name="${CSS.escape(name)}"]`)];
}

function valueOf(place, name) {
  const [first, ...rest] = all(place, name);
  if (first.type === "radio") return [first, ...rest].find((field) => field.checked)?.value ?? "";
  return first.type === "checkbox" ? first.checked : first.value;
}

function put(place, name, value) {
  for (const field of all(place, name)) {
    if (field.type === "radio") field.checked = field.value === String(value);
    else if (field.type === "checkbox") field.checked = value === true;
    else field.value = value;
  }
}

function keep(row, panel, dialog) {
  const options = {};
  const said = [];
  for (const [name, field] of fieldsOf(panel)) {
    const value = valueOf(dialog, field.name);
    if (value === valueOf(panel, field.name)) continue;
    options[name] = value;
    said.push(inWords(dialog, field.name, value));
  }
  if (said.length) row.dataset.own = JSON.stringify({ operation: panel.dataset.panel, options, words: `Own options: ${said.join(", ")}` });
  else delete row.dataset.own;
}

function inWords(dialog, name, value) {
  const [first, ...rest] = all(dialog, name);
  const box = first.closest(".field");
  const label = box.querySelector("label").textContent.trim();
  const picked = [first, ...rest].find((field) => field.type === "radio" && field.checked);
  const text = picked?.closest("label").textContent.trim() ?? first.selectedOptions?.[0].textContent ?? { true: "yes", false: "no" }[value] ?? (value || "—");
  const unit = value ? (box.querySelector(".unit")?.textContent ?? "") : "";
  return `${label} ${text} ${unit}`.trim();
}

/** What a row says about the chosen operation, or null. */
function ownOf(row) {
  const own = JSON.parse(row.dataset.own ?? "null");
  return own?.operation === chosenPanel()?.dataset.panel ? own : null;
}

/** Offer the dialog where it makes sense, and say what each row has of its own. */
function showAll() {
  const card = document.querySelector("job-form .operation:has(:checked)");
  const panel = chosenPanel();
  if (!card || !panel) return;
  const patterns = card.dataset.accepts.split(" ");
  const rows = document.querySelectorAll("job-form [data-rows] > .file");
  const offered = !("all" in card.dataset) && fieldsOf(panel).size > 0;
  for (const row of rows) {
    const takes = row.dataset.type === "" || fits(patterns, row.dataset.type);
    const own = takes ? ownOf(row) : null;
    row.querySelector("[data-do=options]").hidden = !(offered && takes && (rows.length > 1 || own)) || "used" in row.dataset;
    const words = row.querySelector("[data-own-words]");
    words.hidden = !own;
    words.textContent = own?.words ?? "";
  }
}

/** Put what single files have of their own into the form. */
export function sendOwn(form) {
  for (const old of form.querySelectorAll("[data-sends-own]")) old.remove();
  for (const row of form.querySelectorAll("li.file")) {
    const own = ownOf(row);
    if (!own || !row.dataset.key || row.querySelector("input[name=uploads]")?.disabled !== false) continue;
    const field = Object.assign(document.createElement("input"), { type: "hidden", name: `own:${row.dataset.key}`, value: JSON.stringify(own.options) });
    field.dataset.sendsOwn = "";
    form.append(field);
  }
}

customElements.define("own-options", OwnOptions);
