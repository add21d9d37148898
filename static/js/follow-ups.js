// What follows the first operation: one more choice at a time, each with the form of its options.

class FollowUps extends HTMLElement {
  connectedCallback() {
    this.button = this.querySelector("[data-add-link]");
    this.button.addEventListener("click", (event) => this.#add(event));
    this.addEventListener("change", (event) => event.target.matches("[data-then]") && this.#choose(event.target));
    this.addEventListener("click", (event) => event.target.closest("[data-remove-link]") && this.#remove(event.target));
    this.#bound();
  }

  get #places() {
    return [...this.querySelectorAll("[data-follow-up]")];
  }

  async #add(event) {
    event.preventDefault();
    const next = Math.max(0, ...this.#places.map((place) => Number(place.dataset.followUp))) + 1;
    const made = await fetched(next, "");
    if (!made) return this.button.form.requestSubmit(this.button);
    this.button.parentElement.before(made);
    this.#bound();
    made.querySelector("select").focus();
  }

  async #choose(select) {
    const place = select.closest("[data-follow-up]");
    const made = await fetched(place.dataset.followUp, select.value);
    if (!made || !place.isConnected) return;
    place.replaceWith(made);
    made.querySelector("select").focus();
    this.#tell();
  }

  #remove(pressed) {
    pressed.closest("[data-follow-up]").remove();
    this.#bound();
    this.button.focus();
  }

  #bound() {
    this.button.hidden = this.#places.length + 1 >= Number(this.dataset.most);
    this.#tell();
  }

  /** The summary beside Start names the whole chain. */
  #tell() {
    this.dispatchEvent(new CustomEvent("links", { bubbles: true }));
  }
}

/** Return one operation's choice with its form, or null when the server can't be reached. */
async function fetched(place, operation) {
  try {
    const answer = await fetch(`/then/${place}/?${new URLSearchParams({ operation })}`, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return null;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return document.adoptNode(page.querySelector("[data-follow-up]"));
  } catch {
    return null;
  }
}

customElements.define("follow-ups", FollowUps);
