// The page that asks a database: the tables follow the choice, examples go into the question.

import "./follow-ups.js";
import { followPresets } from "./options.js";

class AskForm extends HTMLElement {
  connectedCallback() {
    followPresets(this);
    this.addEventListener("change", (event) => event.target.name === "db.query-connection" && this.#show(event.target.value));
  }

  /** Fetch the tables of the chosen database; the last choice counts. */
  async #show(key) {
    const place = this.querySelector("[data-tables]");
    place.setAttribute("aria-busy", "true");
    this.wanted = key;
    try {
      const answer = await fetch(`/ask/${encodeURIComponent(key)}/tables/`, { headers: { Accept: "text/html" } });
      if (answer.ok && !answer.redirected && this.wanted === key) place.innerHTML = await answer.text();
    } finally {
      place.removeAttribute("aria-busy");
    }
  }
}

customElements.define("ask-form", AskForm);
