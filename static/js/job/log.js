// <job-log>: appends events as lines, follows the newest, filters by level. Keeps the newest 1,000.

const MOST = 1000;

class JobLog extends HTMLElement {
  connectedCallback() {
    this.lines = this.querySelector("[data-lines]");
    this.box = this.querySelector("[data-box]");
    this.follow = this.querySelector("[data-follow]");
    this.filter = this.querySelector("[data-filter]");
    for (const tool of this.querySelectorAll("[data-script]")) tool.hidden = false;
    this.follow.onchange = () => this.#toEnd();
    this.filter.onchange = () => {
      this.box.dataset.least = this.filter.value;
      this.#toEnd();
    };
    // Who scrolls up wants to read; who comes back to the end wants to follow.
    this.box.onscroll = () => (this.follow.checked = this.#atEnd());
    this.#toEnd();
  }

  get last() {
    return Number(this.lines.lastElementChild?.dataset.seq ?? 0);
  }

  add(events) {
    const last = this.last;
    const fresh = events.filter(([seq]) => seq > last);
    if (!fresh.length) return;
    this.lines.append(...fresh.map(line));
    while (this.lines.children.length > MOST) this.lines.firstElementChild.remove();
    this.#toEnd();
  }

  reload(lines) {
    if (!lines || Number(lines.lastElementChild?.dataset.seq ?? 0) < this.last) return;
    this.lines.replaceChildren(...lines.childNodes);
    this.#toEnd();
  }

  #atEnd() {
    return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 24;
  }

  #toEnd() {
    if (this.follow.checked) this.box.scrollTop = this.box.scrollHeight;
  }
}

function line([seq, , body]) {
  const row = document.createElement("li");
  row.className = body.level;
  row.dataset.seq = seq;
  const at = document.createElement("time");
  at.dateTime = body.at;
  at.textContent = new Date(body.at).toLocaleTimeString("en-GB");
  const text = document.createElement("span");
  text.textContent = body.text;
  row.append(at, text);
  return row;
}

customElements.define("job-log", JobLog);
