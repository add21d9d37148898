// The example under “Names of the results”; uploads/naming.py is what really names them.

const ENDINGS = { jpeg: "jpg", aac: "m4a", opus: "ogg" };
const PLACEHOLDER = /\{([a-z]+)(?::(\d))?\}/g;

class NamesField extends HTMLElement {
  #ended = new AbortController();

  connectedCallback() {
    this.form = this.closest("form");
    const { signal } = this.#ended;
    for (const kind of ["input", "change", "files"]) document.addEventListener(kind, () => this.#show(), { signal });
    this.#show();
  }

  disconnectedCallback() {
    this.#ended.abort();
  }

  #show() {
    const file = this.form.querySelector("[data-rows] > [data-name]:not([data-name=''])")?.dataset.name || this.dataset.file;
    const pattern = this.querySelector("input").value.trim();
    this.querySelector("[data-from]").textContent = file;
    this.querySelector("[data-to]").textContent = named(pattern, this.#facts(file));
    this.querySelector("[data-ending]").textContent = `.${this.#ending(file)}`;
  }

  #facts(file) {
    const { day, folder, dimensions } = this.dataset;
    const preset = this.#field("preset:checked")?.value ?? "own";
    return { name: file.replace(/(?<=.)\.[^.]+$/, ""), n: 1, date: day, folder, dimensions, preset };
  }

  #field(name) {
    const operation = this.form.querySelector("[name=operation]:checked")?.value;
    const [own, state = ""] = name.split(":");
    return this.form.querySelector(`[name="${CSS.escape(`${operation}-${own}`)}"]${state && `:${state}`}`);
  }

  /** The ending as far as the options tell it. */
  #ending(file) {
    const kind = (this.#field("format:checked") ?? this.#field("format"))?.value;
    if (kind === "same") return file.match(/.\.([^.]+)$/)?.[1].toLowerCase() ?? "…";
    return ENDINGS[kind] ?? kind ?? "…";
  }
}

function named(pattern, facts) {
  const stem = pattern.replace(PLACEHOLDER, (all, word, width = "1") => (word in facts ? String(facts[word]).padStart(word === "n" ? Number(width) : 0, "0") : all));
  return stem || facts.name;
}

customElements.define("names-field", NamesField);
