// Soft navigation: while files are on their way, pages are swapped in place, so the files survive.
//
// Pages bring their behaviour as custom elements; swapping <main> ends the old ones and starts the new.

import { queue } from "./uploads/queue.js";

let here = location.pathname + location.search;

/** Fetch a page (or send a form) and put it in the place of this one. Returns its final address. */
export async function visit(address, { body = null, push = true } = {}) {
  document.documentElement.dataset.loading = "";
  try {
    const answer = await fetch(address, { method: body ? "POST" : "GET", body, headers: { Accept: "text/html" } });
    if (!(answer.headers.get("Content-Type") ?? "").startsWith("text/html")) return download(address);
    await swap(await answer.text(), answer.url, push);
    return answer;
  } finally {
    delete document.documentElement.dataset.loading;
  }
}

function download(address) {
  const link = document.createElement("a");
  link.href = address;
  link.download = "";
  link.click();
  return null;
}

async function swap(html, address, push) {
  const page = new DOMParser().parseFromString(html, "text/html");
  await dress(page);
  const target = new URL(address);
  if (push && target.href !== location.href) history.pushState({ soft: true }, "", target);
  here = target.pathname + target.search;
  document.title = page.title;
  document.documentElement.dataset.theme = page.documentElement.dataset.theme ?? "";
  for (const part of ["header.topbar", "main"]) {
    const old = document.querySelector(part);
    const fresh = page.querySelector(part);
    if (old && fresh) old.replaceWith(document.adoptNode(fresh));
  }
  document.querySelector("#announcer").textContent = page.title;
  const place = target.hash && document.getElementById(target.hash.slice(1));
  place ? place.scrollIntoView() : scrollTo(0, 0);
  document.querySelector("main").focus({ preventScroll: true });
}

/** Add the page's sheets and modules that this document does not have yet. */
async function dress(page) {
  const sheets = missing(page, "link[rel=stylesheet]", "href").map((sheet) => {
    const copy = document.head.appendChild(document.importNode(sheet));
    return new Promise((resolve) => (copy.onload = copy.onerror = resolve));
  });
  for (const script of missing(page, "script[type=module][src]", "src")) {
    const copy = document.createElement("script");
    copy.type = "module";
    copy.src = script.getAttribute("src");
    document.head.append(copy);
  }
  await Promise.all(sheets);
}

function missing(page, selector, attribute) {
  const known = new Set([...document.querySelectorAll(selector)].map((element) => element.getAttribute(attribute)));
  return [...page.querySelectorAll(selector)].filter((element) => !known.has(element.getAttribute(attribute)));
}

function leads(link, event) {
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  const ours = link.origin === location.origin && !link.target && !link.hasAttribute("download") && !("hard" in link.dataset);
  const elsewhere = link.pathname + link.search !== here || !link.hash;
  return plain && ours && elsewhere;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || queue.unfinished.length === 0 || !leads(link, event)) return;
  event.preventDefault();
  visit(link.href).catch(() => location.assign(link.href));
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || queue.unfinished.length === 0 || "hard" in form.dataset) return;
  event.preventDefault();
  const data = new FormData(form, event.submitter);
  // The property `formAction` is never empty: without the attribute it is the page's own address.
  const action = event.submitter?.getAttribute("formaction") ?? form.getAttribute("action") ?? "";
  const address = new URL(action, location.href);
  if (form.method === "post") return void visit(address, { body: data }).catch(() => {});
  address.search = new URLSearchParams(data).toString();
  visit(address).catch(() => location.assign(address));
});

addEventListener("popstate", () => {
  if (location.pathname + location.search === here) return;
  visit(location.href, { push: false }).catch(() => location.reload());
});
