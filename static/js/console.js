// The console keeps itself fresh: every few seconds it reads its own page again and swaps what is
// marked `data-live`. It stops while nobody looks, and never touches what somebody has opened.

const SECONDS = 3;
const parts = () => [...document.querySelectorAll("[data-live][id]")];

function busy(part) {
  return part.contains(document.activeElement) && document.activeElement !== document.body
    || part.querySelector("details[open]") !== null;
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts()) {
    const next = fresh.getElementById(part.id);
    if (next && !busy(part) && next.innerHTML !== part.innerHTML) {
      part.replaceChildren(...document.adoptNode(next).childNodes);
    }
  }
}

async function tick() {
  if (!document.hidden && navigator.onLine !== false) {
    try {
      await refresh();
    } catch {
      // The server is away for a moment; the next look finds it.
    }
  }
  setTimeout(tick, SECONDS * 1000);
}

if (parts().length) setTimeout(tick, SECONDS * 1000);
