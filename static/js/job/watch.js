// <stream-player>: plays a stream with hls.js; while it is being made, as far as it has come.

import Hls from "../../vendor/hls.js-1.7.4/hls.min.mjs";

const ASK_AGAIN_MS = 2000;

class StreamPlayer extends HTMLElement {
  connectedCallback() {
    this.video = this.querySelector("video");
    this.words = this.querySelector("[data-words]");
    if (this.dataset.beingMade === undefined) this.#play();
    else this.#await();
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
    this.hls?.destroy();
  }

  // The first piece may take a while; nothing is asked of a hidden page.
  async #await() {
    const answer = document.hidden ? null : await fetch(this.dataset.src, { method: "HEAD" }).catch(() => null);
    if (!this.isConnected) return;
    if (answer?.ok) this.#play();
    else this.timer = setTimeout(() => this.#await(), ASK_AGAIN_MS);
  }

  #play() {
    if (Hls.isSupported()) this.#stream();
    else if (this.video.canPlayType("application/vnd.apple.mpegurl")) this.video.src = this.dataset.src;
    else this.words.textContent = "This browser can't play streams; download the files instead.";
  }

  #stream() {
    // Workers and their blob: scripts are not allowed on our pages.
    this.hls = new Hls({ enableWorker: false, startPosition: 0, backBufferLength: 60 });
    this.hls.on(Hls.Events.MANIFEST_PARSED, (_, { levels }) => this.#offer(levels));
    this.hls.on(Hls.Events.LEVEL_UPDATED, (_, { details }) => this.#tell(details));
    this.hls.on(Hls.Events.ERROR, (_, error) => this.#mend(error));
    this.hls.loadSource(this.dataset.src);
    this.hls.attachMedia(this.video);
  }

  #offer(levels) {
    const label = this.querySelector("[data-quality]");
    const choice = label.querySelector("select");
    const options = levels.map(({ height, width }, place) => new Option(`${Math.min(height, width)}p`, place));
    choice.replaceChildren(new Option("Automatic", -1), ...options);
    choice.onchange = () => (this.hls.currentLevel = Number(choice.value));
    label.hidden = levels.length < 2;
  }

  #tell(details) {
    this.dataset.seconds = details.totalduration.toFixed(1);
    if (this.dataset.beingMade === undefined) return;
    if (details.live) {
      this.words.textContent = `${clock(details.totalduration)} can be watched already; the rest is being made.`;
    } else {
      delete this.dataset.beingMade;
      this.words.textContent = `It is done: ${clock(details.totalduration)}.`;
    }
  }

  #mend({ fatal, type }) {
    if (!fatal) return;
    if (type === Hls.ErrorTypes.MEDIA_ERROR) this.hls.recoverMediaError();
    else {
      this.words.textContent = "The connection was lost; trying again.";
      this.timer = setTimeout(() => this.hls.startLoad(), ASK_AGAIN_MS);
    }
  }
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
}

customElements.define("stream-player", StreamPlayer);
