// <result-gallery>: selecting results for one ZIP.

import "./viewer.js";

class ResultGallery extends HTMLElement {
  connectedCallback() {
    this.all = this.querySelector("[data-all]");
    for (const tool of this.querySelectorAll("[data-script]")) tool.hidden = false;
    this.onchange = (event) => {
      if (event.target === this.all) this.#boxes().forEach((box) => (box.checked = this.all.checked));
      this.#count();
    };
    this.#count();
  }

  #boxes() {
    return [...this.querySelectorAll('input[name="r"]')];
  }

  #count() {
    const boxes = this.#boxes();
    const chosen = boxes.filter((box) => box.checked).length;
    const button = this.querySelector("[data-chosen]");
    button.hidden = chosen === 0;
    this.classList.toggle("picking", chosen > 0);
    this.querySelector("[data-chosen-words]").textContent = `Download ${chosen} selected (ZIP)`;
    this.all.checked = chosen > 0 && chosen === boxes.length;
    this.all.indeterminate = chosen > 0 && chosen < boxes.length;
  }
}

customElements.define("result-gallery", ResultGallery);
