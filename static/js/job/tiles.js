// Puts just finished items in front of the page's tiles; the newest 60 stay.

const MOST = 60;

export function addTiles(page, events) {
  const list = page.querySelector("[data-newest]");
  if (!list) return;
  const made = events.flatMap(([, kind, body]) => (["step_done", "step_kept", "reused"].includes(kind) ? body.items ?? [] : []));
  for (const item of made.slice(-MOST)) {
    if (!item.result || list.querySelector(`[data-key="${CSS.escape(item.result)}"]`)) continue;
    list.prepend(tile(item));
  }
  while (list.children.length > MOST) list.lastElementChild.remove();
  if (list.children.length) list.closest("section").hidden = false;
}

function tile(item) {
  const shot = document.getElementById("tile-template").content.firstElementChild.cloneNode(true);
  const link = shot.querySelector("a");
  const picture = shot.querySelector("img");
  const blank = shot.querySelector(".blank");
  shot.dataset.key = item.result;
  shot.classList.add("new");
  link.href = `/results/${item.result}/content`;
  link.title = link.dataset.name = item.name;
  shot.querySelector(".caption").textContent = item.name;
  if (item.shows) {
    link.dataset.kind = "image";
    link.toggleAttribute("data-shows", true);
  }
  if (item.picture) {
    picture.src = `/results/${item.picture}/content`;
    blank.remove();
  } else {
    picture.remove();
  }
  return shot;
}
