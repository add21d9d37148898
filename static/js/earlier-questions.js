// What a person asked before, fetched when its list is opened.

class EarlierQuestions extends HTMLElement {
  connectedCallback() {
    const details = this.querySelector("details");
    details.addEventListener("toggle", () => details.open && this.#show());
  }

  async #show() {
    const connection = this.closest("form").querySelector(`[name="${CSS.escape(this.dataset.operation)}-connection"]`);
    const asked = new URLSearchParams({ operation: this.dataset.operation, field: this.dataset.field, connection: connection?.value ?? "" });
    const answer = await fetch(`/questions/?${asked}`, { headers: { Accept: "text/html" } });
    if (answer.ok && !answer.redirected) this.querySelector("[data-list]").innerHTML = await answer.text();
  }
}

customElements.define("earlier-questions", EarlierQuestions);
