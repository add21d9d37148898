// One row of the file list: what a transfer (or an upload that the server knows) looks like.

import { percent, size } from "../words.js";
import { family } from "./kinds.js";
import { thumb } from "./thumbs.js";

/** A fresh row for a file of this tab. */
export function freshRow(transfer) {
  const row = document.querySelector("#file-row").content.firstElementChild.cloneNode(true);
  row.classList.remove("ghost");
  row.querySelector("[data-name-text]").textContent = transfer.name;
  row.querySelector("[data-name-text]").title = transfer.path || transfer.name;
  row.querySelector("[data-bar]").setAttribute("aria-label", transfer.name);
  name(row.querySelector("[data-do=remove]"), "close", `Remove ${transfer.name}`);
  name(row.querySelector("[data-do=options]"), "gear", `Other options for ${transfer.name}`);
  Object.assign(row.dataset, { name: transfer.name, size: transfer.size, type: transfer.type });
  const tile = row.querySelector("[data-tile]");
  const kind = family(transfer.type);
  const shown = kind === "office" ? "document" : kind;
  tile.className = `tile ${shown}`;
  symbol(tile, shown);
  if (kind === "image") thumb(tile, transfer.file);
  return row;
}

const TOGGLES = {
  waiting: ["pause", "Pause"],
  sending: ["pause", "Pause"],
  paused: ["play", "Resume"],
  failed: ["retry", "Retry"],
  elsewhere: ["retry", "Retry"],
};

/** Bring the row up to the transfer's state. */
export function update(row, transfer) {
  const { state } = transfer;
  row.dataset.key = transfer.key;
  row.dataset.state = state;
  row.classList.remove("ghost");
  row.classList.toggle("failed", state === "failed");
  const field = row.querySelector("input[name=uploads]");
  if (field) field.value = transfer.key;
  say(row.querySelector("[data-note]"), transfer);
  const bar = row.querySelector("[data-bar]");
  bar.value = transfer.size ? transfer.sent / transfer.size : Number(state === "done");
  bar.className = `thin ${{ done: "done", failed: "failed", paused: "paused" }[state] ?? ""}`;
  row.querySelector("[data-do=choose]").hidden = true;
  const toggle = row.querySelector("[data-do=toggle]");
  toggle.hidden = state === "done";
  if (TOGGLES[state]) name(toggle, TOGGLES[state][0], `${TOGGLES[state][1]} ${transfer.name}`);
}

function say(place, transfer) {
  place.textContent = note(transfer);
  if (transfer.state !== "done") return;
  const here = Object.assign(document.createElement("span"), { className: "here", textContent: "Here" });
  place.append(here);
}

function note(transfer) {
  const whole = size(transfer.size);
  const share = `${percent(transfer.size ? transfer.sent / transfer.size : 0)} % of ${whole}`;
  if (transfer.state === "sending" && transfer.troubled && transfer.full) return `${share} · the server's disk is full, it goes on by itself`;
  if (transfer.state === "sending" && transfer.troubled) return `${share} · connection lost, trying again`;
  const words = {
    waiting: `${whole} · Waiting`,
    sending: share,
    paused: `Paused at ${share}`,
    done: `${whole} · `,
    failed: transfer.error,
    elsewhere: `${share} · another tab sends it`,
  };
  return words[transfer.state];
}

/** Ask for the file of an upload that the server knows and this tab does not. */
export function askForFile(row) {
  row.querySelector("[data-do=choose]").hidden = false;
  row.querySelector("[data-do=choose]").setAttribute("aria-label", `Choose ${row.dataset.name} again`);
}

export function sayElsewhere(row) {
  row.querySelector("[data-note]").textContent = "Another tab of this browser sends it.";
  row.querySelector("[data-do=choose]").hidden = true;
}

function name(button, icon, words) {
  symbol(button, icon);
  const place = button.querySelector("[data-words]");
  if (place.textContent !== words) place.textContent = words;
}

function symbol(parent, icon) {
  const use = parent.querySelector("use");
  if (use?.getAttribute("href") !== `#i-${icon}`) use?.setAttribute("href", `#i-${icon}`);
}
