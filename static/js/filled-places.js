// A field for each place of a question (`:day`), instead of the lines `day = value` that fill them.

// Texts, names and remarks keep their colons, and so does what stands behind a word or a bracket.
const PIECE = /--[^\n]*|\/\*[^]*?\*\/|\$(\w*)\$[^]*?\$\1\$|'(?:''|[^'])*'|"(?:""|[^"])*"|`[^`]*`|(?:(?<=[\s(,=<>+\-*/%|!~])|^):([A-Za-z_]\w*)/g;
const LINE = /^\s*:?([A-Za-z_]\w*)\s*=[ \t]*(.*?)[ \t]*$/;

class FilledPlaces extends HTMLElement {
  #values = new Map();
  #seen = "";

  connectedCallback() {
    this.lines = this.querySelector("textarea");
    const panel = this.closest("[data-panel]");
    this.question = panel?.querySelector(`[name="${CSS.escape(`${panel.dataset.panel}-${this.dataset.fills}`)}"]`);
    if (!this.question) return;
    this.places = this.appendChild(document.createElement("div"));
    this.places.className = "places";
    this.places.addEventListener("input", (event) => this.#write(event.target));
    this.#follow();
    // Presets, examples and earlier questions fill fields in without an event of their own.
    for (const kind of ["input", "change", "click"]) document.addEventListener(kind, this.#follow);
  }

  disconnectedCallback() {
    for (const kind of ["input", "change", "click"]) document.removeEventListener(kind, this.#follow);
  }

  #follow = () => {
    const seen = `${this.question.value}\0${this.lines.value}`;
    if (seen === this.#seen) return;
    this.#read();
    const names = [...new Set([...this.question.value.matchAll(PIECE)].map((found) => found[2]).filter(Boolean))];
    this.querySelector("[data-lines]").hidden = true;
    const shown = [...this.places.querySelectorAll("textarea")];
    if (shown.map((field) => field.dataset.place).join() !== names.join()) this.places.replaceChildren(...names.map((name) => this.#field(name)), ...(names.length ? [this.#help()] : []));
    else for (const field of shown) if (field !== document.activeElement) field.value = this.#values.get(field.dataset.place) ?? "";
    this.#tell(names);
  };

  /** Take over what the lines say; several of one name are lines of one field. */
  #read() {
    if (this.lines.value === this.written) return;
    this.#values.clear();
    for (const line of this.lines.value.split("\n")) {
      const found = LINE.exec(line);
      if (found) this.#values.set(found[1], this.#values.has(found[1]) ? `${this.#values.get(found[1])}\n${found[2]}` : found[2]);
    }
  }

  #field(name) {
    const field = document.createElement("div");
    const label = document.createElement("label");
    const value = document.createElement("textarea");
    label.htmlFor = value.id = `${this.lines.id}-${name}`;
    label.textContent = name;
    Object.assign(value, { rows: 1, spellcheck: false, className: "code", value: this.#values.get(name) ?? "" });
    value.dataset.place = name;
    field.className = "field";
    field.append(label, value);
    return field;
  }

  #help() {
    const help = document.createElement("p");
    help.className = "help";
    help.textContent = "Several lines in a field are a list, for IN (…).";
    return help;
  }

  #write(field) {
    this.#values.set(field.dataset.place, field.value);
    this.#tell([...this.places.querySelectorAll("textarea")].map((one) => one.dataset.place));
  }

  /** Write the lines that are sent: those of the places that the question has. */
  #tell(names) {
    const lines = names.flatMap((name) => (this.#values.get(name) ?? "").split("\n").map((value) => value.trim() && `${name} = ${value}`));
    this.lines.value = this.written = lines.filter(Boolean).join("\n");
    this.#seen = `${this.question.value}\0${this.lines.value}`;
  }
}

customElements.define("filled-places", FilledPlaces);
