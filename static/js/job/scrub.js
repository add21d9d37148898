// <video-scrub>: shows the sprite's picture of the moment under the pointer, from a WebVTT track.

class VideoScrub extends HTMLElement {
  async connectedCallback() {
    const video = this.querySelector("video");
    if (!video || !this.dataset.track) return;
    const answer = await fetch(this.dataset.track).catch(() => null);
    if (!answer?.ok || !this.isConnected) return;
    this.cues = parse(await answer.text());
    this.card = Object.assign(document.createElement("div"), { className: "scrub", hidden: true });
    this.card.append(document.createElement("span"));
    this.card.style.backgroundImage = `url("${this.dataset.sprite}")`;
    this.append(this.card);
    video.onpointermove = (event) => this.#over(video, event);
    video.onpointerleave = () => (this.card.hidden = true);
  }

  #over(video, event) {
    const box = video.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    const low = box.bottom - event.clientY < 72; // the height of the browser's own controls
    const at = share * video.duration;
    const cue = low && this.cues.find(({ start, end }) => at >= start && at < end);
    this.card.hidden = !cue;
    if (!cue) return;
    const [x, y, wide, high] = cue.place;
    Object.assign(this.card.style, { width: `${wide}px`, height: `${high}px`, backgroundPosition: `-${x}px -${y}px` });
    const edge = wide / 2 + 8;
    this.card.style.left = `${Math.min(box.width - edge, Math.max(edge, share * box.width))}px`;
    this.card.firstChild.textContent = clock(at);
  }
}

// Cues name a place in the sprite: `sprite.jpg#xywh=0,0,160,90`.
function parse(text) {
  const cues = text.matchAll(/([\d:.]+) --> ([\d:.]+)[^\n]*\r?\n[^\n]*#xywh=(\d+),(\d+),(\d+),(\d+)/g);
  return [...cues].map(([, start, end, ...place]) => ({ start: seconds(start), end: seconds(end), place }));
}

function seconds(text) {
  return text.split(":").reduce((sum, part) => 60 * sum + Number(part), 0);
}

function clock(at) {
  return `${Math.floor(at / 60)}:${String(Math.floor(at % 60)).padStart(2, "0")}`;
}

customElements.define("video-scrub", VideoScrub);
