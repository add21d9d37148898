// The console keeps itself fresh: every few seconds it reads its own page again and swaps what is
// marked `data-live`, and the rows of `data-live-rows` one by one; `data-live-shown` is only shown or
// hidden, so what comes later has its place from the start. It stops while nobody looks, and never
// touches what somebody has opened, ticked or is typing in.

const SECONDS = 3;
const LONGEST_SECONDS = 30;
const chip = document.querySelector("[data-live-chip]");
const parts = () => [...document.querySelectorAll("[data-live][id]")];
const tables = () => [...document.querySelectorAll("[data-live-rows][id]")];
const shown = () => [...document.querySelectorAll("[data-live-shown][id]")];
let failures = 0;

function busy(part) {
  const focused = document.activeElement;
  return (part.contains(focused) && focused !== document.body) || part.querySelector("details[open]") !== null;
}

function say(state, words) {
  if (!chip) return;
  chip.hidden = false;
  chip.className = `chip ${state}`;
  const text = chip.querySelector("[data-words]");
  if (text.textContent !== words) text.textContent = words;
}

function swapPart(part, next) {
  if (busy(part) || next.innerHTML === part.innerHTML) return;
  part.replaceChildren(...document.adoptNode(next).childNodes);
}

function swapCells(row, next) {
  for (const [place, cell] of [...row.cells].entries()) {
    const fresh = next.cells[place];
    if (!fresh || "keep" in cell.dataset || busy(cell) || cell.innerHTML === fresh.innerHTML) continue;
    cell.replaceChildren(...document.importNode(fresh, true).childNodes);
  }
  return row;
}

/** Bring a table's rows to those of the fresh page; a ticked row stays although it fits no more. */
function swapRows(body, next) {
  const wanted = [...next.rows].map((row) => {
    const mine = document.getElementById(row.id);
    return mine ? swapCells(mine, row) : document.importNode(row, true);
  });
  for (const row of [...body.rows]) {
    if (!wanted.includes(row) && !row.querySelector(":checked") && !busy(row)) row.remove();
  }
  // A row is moved only when it must be: a moved one loses the keyboard's focus.
  let place = body.firstElementChild;
  for (const row of wanted) {
    while (place && !wanted.includes(place)) place = place.nextElementSibling;
    if (row === place) place = place.nextElementSibling;
    else body.insertBefore(row, place);
  }
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts()) {
    const next = fresh.getElementById(part.id);
    if (next) swapPart(part, next);
  }
  for (const part of shown()) {
    const next = fresh.getElementById(part.id);
    if (next) part.hidden = next.hidden;
  }
  for (const body of tables()) {
    const next = fresh.getElementById(body.id);
    if (next) swapRows(body, next);
  }
}

async function tick() {
  if (!document.hidden) {
    try {
      await refresh();
      failures = 0;
      say("live", "Live");
    } catch {
      failures += 1;
      say("broken", "Not live: the server does not answer");
    }
  }
  setTimeout(tick, Math.min(LONGEST_SECONDS, SECONDS * 2 ** failures) * 1000);
}

if (parts().length || tables().length) {
  say("live", "Live");
  setTimeout(tick, SECONDS * 1000);
}
