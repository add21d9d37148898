// Keeps the list of jobs fresh while one is unfinished and somebody looks; only changed rows are replaced.

const EVERY_MS = 3000;

class JobList extends HTMLElement {
  #timer = null;

  connectedCallback() {
    this.#timer = setInterval(() => this.#refresh(), EVERY_MS);
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  async #refresh() {
    if (document.hidden || !this.querySelector("[data-open]")) return;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer?.ok || answer.redirected || !this.isConnected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("job-list");
    if (fresh) this.#take(fresh);
  }

  #take(fresh) {
    const keys = (list) => [...list.querySelectorAll("[data-key]")].map((row) => row.dataset.key).join();
    if (keys(fresh) !== keys(this)) {
      if (!this.contains(document.activeElement)) this.replaceChildren(...document.adoptNode(fresh).childNodes);
      return;
    }
    for (const row of fresh.querySelectorAll("[data-key]")) {
      const old = this.querySelector(`[data-key="${row.dataset.key}"]`);
      if (old.outerHTML !== row.outerHTML && !old.contains(document.activeElement)) old.replaceWith(document.adoptNode(row));
    }
  }
}

customElements.define("job-list", JobList);
