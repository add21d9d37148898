// One websocket to a job: tells each message, acknowledges every 8th or after 2 s, closes when mute.

const ACK_COUNT = 8, ACK_WAIT = 2000, MUTE = 6000;

export class Socket {
  // `on.message(json)`, `on.closed(code)`; `on.seen()` returns the number that the page has.
  constructor(key, after, on) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    Object.assign(this, { on, good: false, unseen: 0, over: false });
    this.line = new WebSocket(`${scheme}//${location.host}/ws/jobs/${key}/?after=${after}&v=1`);
    this.line.onmessage = (event) => this.#heard(JSON.parse(event.data));
    this.line.onclose = (event) => this.#ended(event.code);
    this.mute = setTimeout(() => this.#ended(0), MUTE);
  }

  #heard(message) {
    if (this.over) return;
    this.good = message.t !== "bye";
    clearTimeout(this.mute);
    this.on.message(message);
    this.unseen += 1;
    if (this.unseen >= ACK_COUNT) this.#ack();
    else this.acking ??= setTimeout(() => this.#ack(), ACK_WAIT);
  }

  #ack() {
    clearTimeout(this.acking);
    this.acking = null;
    this.unseen = 0;
    if (this.line.readyState === WebSocket.OPEN) this.line.send(JSON.stringify({ ack: this.on.seen() }));
  }

  #ended(code) {
    if (this.over) return;
    this.close();
    this.on.closed(code);
  }

  close() {
    this.over = true;
    this.good = false;
    clearTimeout(this.mute);
    clearTimeout(this.acking);
    this.line.close();
  }
}
