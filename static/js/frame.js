// The frame on every page: menus, questions before deeds, moments in words, the dock, soft navigation.

import "./navigate.js";
import "./upload-dock.js";
import { ago } from "./words.js";

const MINUTE_MS = 60_000;

function closeMenus(except = null) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!except || !menu.contains(except)) menu.open = false;
  }
}

document.addEventListener("click", (event) => closeMenus(event.target));

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  document.querySelector("details[data-menu][open] > summary")?.focus();
  closeMenus();
});

document.addEventListener(
  "submit",
  (event) => {
    const question = event.target.dataset.confirm;
    if (!question || confirm(question)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  { capture: true },
);

setInterval(() => {
  for (const moment of document.querySelectorAll("time[data-ago]")) {
    const words = ago(Date.parse(moment.dateTime));
    if (words) moment.textContent = words;
  }
}, MINUTE_MS);
