// Writes a job's state into the page: figures, bar, timeline. Text only, never markup.

const clip = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);
const count = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;

export function show(page, state) {
  const { items, shown, arriving } = state;
  const words = {
    percent: shown.percent,
    headline: shown.headline,
    of: shown.of === "arrived" ? "of the bytes have arrived" : "of the work is done",
    done: `${items.done} of ${items.total}`,
    left: items.total - items.done - items.failed - items.cancelled,
    failed: items.failed,
    arrived: arriving ? `${arriving.arrived} of ${count(arriving.files, "file")}` : "",
    workers: count(state.steps.running.length, "worker"),
  };
  for (const place of page.querySelectorAll("[data-bind]")) write(place, words[place.dataset.bind]);
  for (const bar of page.querySelectorAll("[data-bind-value]")) bar.value = words[bar.dataset.bindValue];
  const visible = { failed: items.failed > 0, arriving: Boolean(arriving), of: shown.of === "arrived" || !state.waiting };
  for (const place of page.querySelectorAll("[data-show]")) place.hidden = !visible[place.dataset.show];
  page.querySelector(".hero")?.classList.toggle("still", state.paused || Boolean(state.waiting));
  timeline(page.querySelector("[data-timeline]"), state);
}

function write(place, text) {
  if (place.textContent !== String(text)) place.textContent = text;
}

function timeline(list, state) {
  for (const row of state.shown.timeline) {
    let step = list.querySelector(`:scope > [data-kind="${row.kind}"]`);
    if (!step) {
      step = clip("step-template");
      step.dataset.kind = row.kind;
      step.querySelector(".step-title").textContent = row.title;
      list.append(step);
    }
    step.className = `step ${row.state}`;
    write(step.querySelector("[data-words]"), row.state);
    write(step.querySelector("[data-seconds]"), row.seconds === null ? "" : duration(row.seconds));
    const detail = step.querySelector("[data-detail]");
    write(detail, row.detail);
    detail.hidden = !row.detail;
    const bar = step.querySelector(":scope > progress");
    bar.hidden = row.share === null;
    bar.value = row.share ?? 0;
    running(step.querySelector("[data-running]"), state.steps.running.filter((s) => s.kind === row.kind));
  }
}

function running(list, steps) {
  const rows = new Map([...list.children].map((row) => [row.dataset.step, row]));
  for (const step of steps) {
    const row = rows.get(String(step.id)) ?? list.appendChild(clip("running-template"));
    rows.delete(String(step.id));
    row.dataset.step = step.id;
    const attempt = step.attempt > 1 ? ` (try ${step.attempt})` : "";
    write(row.querySelector("[data-note]"), `${step.label}${attempt}${step.note ? `: ${step.note}` : ""}`);
    row.querySelector("progress").value = step.progress;
  }
  for (const row of rows.values()) row.remove();
}

function duration(seconds) {
  if (seconds < 10) return `${Number(seconds.toFixed(1))}\u00a0s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours) return `${hours}\u00a0h ${minutes}\u00a0min`;
  return minutes ? `${minutes}\u00a0min ${whole % 60}\u00a0s` : `${whole}\u00a0s`;
}
