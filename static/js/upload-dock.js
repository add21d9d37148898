// The dock at the foot of every page: how far the uploads are, wherever the person has gone.

import { queue } from "./uploads/queue.js";
import { left, percent, plural, size } from "./words.js";

const FAREWELL_MS = 4000;

/** “45 % · 38 MB/s · 48 s left” of `queue.totals()`. */
export function progressWords(totals) {
  if (totals.troubled) return `${percent(totals.share)} % · the connection is lost, trying again`;
  const words = [`${percent(totals.share)} %`];
  if (totals.speed > 0) words.push(`${size(totals.speed)}/s`);
  if (totals.left !== null) words.push(`${left(totals.left)} left`);
  return words.join(" · ");
}

class UploadDock extends HTMLElement {
  #farewell = null;

  connectedCallback() {
    this.text = this.querySelector("[data-text]");
    this.bar = this.querySelector("progress");
    this.button = this.querySelector("button");
    this.button.addEventListener("click", () => (queue.moving ? queue.pauseAll() : queue.resumeAll()));
    for (const name of ["changed", "removed", "tick", "taken"]) queue.addEventListener(name, () => this.#show());
    // The list of the new-job page shows the same; one of the two is enough.
    new MutationObserver(() => this.#show()).observe(document.body, { childList: true });
  }

  #show() {
    const open = queue.unfinished.length;
    const listed = document.querySelector("file-list:not([data-resume-only])") !== null;
    if (open > 0) this.#busy();
    else if (!this.hidden && this.#farewell === null) this.#done();
    this.#visible((open > 0 || this.#farewell !== null) && !listed);
  }

  #busy() {
    clearTimeout(this.#farewell);
    this.#farewell = null;
    const totals = queue.totals();
    const verb = queue.moving ? "Uploading" : "Paused:";
    this.text.textContent = `${verb} ${plural(totals.files, "file")} · ${progressWords(totals)}`;
    this.bar.value = totals.share;
    this.bar.classList.toggle("paused", !queue.moving);
    this.bar.classList.remove("done");
    this.button.hidden = false;
    this.button.textContent = queue.moving ? "Pause" : "Resume";
  }

  #done() {
    this.text.textContent = "All files have arrived. You may close this tab.";
    document.querySelector("#announcer").textContent = this.text.textContent;
    this.bar.value = 1;
    this.bar.classList.add("done");
    this.button.hidden = true;
    this.#farewell = setTimeout(() => {
      this.#farewell = null;
      this.#visible(false);
    }, FAREWELL_MS);
  }

  #visible(shown) {
    this.hidden = !shown;
    document.documentElement.style.setProperty("--dock", shown ? "4.25rem" : "0px");
  }
}

customElements.define("upload-dock", UploadDock);
