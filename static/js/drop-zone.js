// The drop area: files and folders by drop, choice or paste; hands them to the file list.

import { dropped, pasted, picked } from "./uploads/collect.js";

class DropZone extends HTMLElement {
  #ended = new AbortController();
  #depth = 0;

  connectedCallback() {
    const { signal } = this.#ended;
    for (const input of this.querySelectorAll("input[data-input]")) {
      const button = this.querySelector(`button[data-do=${input.dataset.input}]`);
      button.addEventListener("click", () => input.click(), { signal });
      input.addEventListener("change", () => this.#take(picked(input), input), { signal });
    }
    document.querySelector("#samples").addEventListener("submit", () => this.#wait(), { signal });
    // A file dropped beside the area would open in the tab's place and end its uploads.
    addEventListener("dragenter", (event) => this.#over(event, 1), { signal });
    addEventListener("dragleave", (event) => this.#over(event, -1), { signal });
    addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault(), { signal });
    addEventListener("drop", (event) => this.#dropped(event), { signal });
    addEventListener("paste", (event) => this.#take(pasted(event.clipboardData)), { signal });
  }

  disconnectedCallback() {
    this.#ended.abort();
  }

  /** Drawing and encoding the samples takes some seconds. */
  #wait() {
    const button = this.querySelector("[data-samples]");
    button.lastChild.textContent = "Making samples…";
    button.setAttribute("aria-disabled", "true");
  }

  #over(event, step) {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    this.#depth = Math.max(0, this.#depth + step);
    this.classList.toggle("over", this.#depth > 0);
  }

  async #dropped(event) {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    this.#depth = 0;
    this.classList.remove("over");
    await this.#take(await dropped(event.dataTransfer));
  }

  async #take(found, input = null) {
    if (found.length === 0) return;
    await document.querySelector("file-list").add(found);
    if (input) input.value = "";
  }
}

function holdsFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files");
}

customElements.define("drop-zone", DropZone);
