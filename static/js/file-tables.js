// The tables of the chosen files beside the box for a question: asked for when files arrive.

import { fits } from "./uploads/kinds.js";

const HERE = new Set(["done", "complete"]);

class FileTables extends HTMLElement {
  #asked = "";
  #ended = new AbortController();

  connectedCallback() {
    this.panel = this.closest("[data-panel]");
    this.opened = new MutationObserver(() => this.#follow());
    this.opened.observe(this.panel, { attributeFilter: ["hidden"] });
    document.addEventListener("files", () => this.#follow(), { signal: this.#ended.signal });
    this.#follow();
  }

  disconnectedCallback() {
    this.#ended.abort();
    this.opened.disconnect();
  }

  get #keys() {
    const patterns = this.dataset.accepts.split(" ");
    const rows = [...document.querySelectorAll("file-list li.file")];
    return rows.filter(({ dataset }) => HERE.has(dataset.state) && fits(patterns, dataset.type)).map(({ dataset }) => dataset.key);
  }

  /** Ask once for each set of files, and only while the panel is open. */
  async #follow() {
    if (this.panel.hidden) return;
    const keys = this.#keys;
    if (keys.join() === this.#asked) return;
    this.#asked = keys.join();
    this.hidden = keys.length === 0;
    if (this.hidden) return;
    this.setAttribute("aria-busy", "true");
    const shown = await this.#fetch(keys).catch(() => "");
    if (keys.join() !== this.#asked) return;
    this.removeAttribute("aria-busy");
    this.innerHTML = shown;
    this.hidden = shown.trim() === "";
  }

  async #fetch(keys) {
    const body = new FormData();
    body.set("csrfmiddlewaretoken", this.closest("form").elements.csrfmiddlewaretoken.value);
    for (const key of keys) body.append("uploads", key);
    const answer = await fetch("/tables/", { method: "POST", body, headers: { Accept: "text/html" } });
    return answer.ok && !answer.redirected ? answer.text() : "";
  }
}

customElements.define("file-tables", FileTables);
