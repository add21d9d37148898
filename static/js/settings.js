// Small comforts of the settings page; all of it works without them.

class CopyOnce extends HTMLElement {
  connectedCallback() {
    const button = this.querySelector("[data-copy]");
    if (!navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(this.querySelector("[data-secret]").textContent);
      button.lastChild.textContent = "Copied";
    });
  }
}

class ThemeForm extends HTMLElement {
  connectedCallback() {
    const form = this.querySelector("form");
    form.querySelector("button").hidden = true;
    form.addEventListener("change", () => form.requestSubmit());
  }
}

customElements.define("copy-once", CopyOnce);
customElements.define("theme-form", ThemeForm);
