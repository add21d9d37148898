// Signs outside the page's text: tab title, icon, connection chip, spoken milestones, a notification.

const MODES = {
  live: ["live", "Live"],
  reconnecting: ["broken", "Reconnecting"],
  polling: ["polling", "Polling"],
  ended: ["broken", "Closed"],
};
const WHY = { "signed out": "Signed out", gone: "Deleted" };
const MILESTONES = [25, 50, 75];

export class Signs {
  constructor(page) {
    this.name = page.dataset.name;
    this.chip = document.querySelector("[data-link-chip]");
    this.icon = document.querySelector('link[rel="icon"]');
    this.usual = this.icon?.href;
    this.reached = null;
    this.ended = page.hasAttribute("data-ended");
    this.#offerNotification(page);
  }

  restore() {
    if (this.icon && this.usual) this.icon.href = this.usual;
    if (this.chip) this.chip.hidden = true;
  }

  mode(mode, why) {
    if (!this.chip) return;
    const [look, words] = MODES[mode];
    this.chip.hidden = false;
    this.chip.className = `chip ${look}`;
    this.chip.textContent = WHY[why] ?? words;
    if (why === "signed out") location.assign(`/login/?next=${encodeURIComponent(location.pathname)}`);
  }

  title({ state, shown, finished_at }) {
    const marks = { succeeded: "✓ ", partial: "! ", failed: "✕ ", cancelled: "" };
    const start = finished_at ? marks[state] : `${shown.percent}% · `;
    document.title = `${start}${this.name} · Tidemill`;
    this.#ring(state, finished_at ? 100 : shown.percent);
  }

  show(state) {
    const { percent } = state.shown;
    const reached = MILESTONES.findLast((mark) => percent >= mark) ?? 0;
    if (this.reached !== null && reached > this.reached && !state.finished_at) this.#say(`${reached} percent done.`);
    this.reached = reached;
    if (state.finished_at && !this.ended) {
      this.#say(`${this.name}: ${state.shown.headline}`);
      if (this.notifies) new Notification(this.name, { body: state.shown.headline });
    }
    this.ended = Boolean(state.finished_at);
  }

  #say(text) {
    const announcer = document.getElementById("announcer");
    if (announcer) announcer.textContent = text;
  }

  #ring(state, percent) {
    const colour = { succeeded: "#0a7a4b", failed: "#c02b2b", partial: "#9a6a00" }[state] ?? "#0b6aa8";
    const arc = (100 * percent) / 100;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36"><circle cx="18" cy="18" r="14" fill="none" stroke="#8885" stroke-width="7"/><circle cx="18" cy="18" r="14" fill="none" stroke="${colour}" stroke-width="7" stroke-linecap="round" pathLength="100" stroke-dasharray="${arc} 100" transform="rotate(-90 18 18)"/></svg>`;
    if (this.icon) this.icon.href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  }

  // Browsers notify from secure addresses only (https, localhost).
  #offerNotification(page) {
    page.addEventListener("click", async (event) => {
      const offer = event.target.closest("[data-notification]");
      if (!offer) return;
      this.notifies = (await Notification.requestPermission()) === "granted";
      offer.textContent = this.notifies ? "You will be told in this browser." : "The browser does not allow it.";
    });
    const offer = page.querySelector("[data-notification]");
    if (offer && window.isSecureContext && "Notification" in window) offer.hidden = Notification.permission === "denied";
  }
}
