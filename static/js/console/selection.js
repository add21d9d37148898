// Ticking jobs: all of the page at once, and how many are ticked. Without it every box works alone.

for (const form of document.querySelectorAll("[data-selection]")) {
  const all = form.querySelector("[data-all]");
  const words = form.querySelector("[data-chosen]");
  const boxes = () => [...form.querySelectorAll("input[name=job]")];

  const count = () => {
    const ticked = boxes().filter((box) => box.checked).length;
    if (words) words.textContent = ticked ? `${ticked} ticked` : "The ticked ones";
    if (!all) return;
    all.checked = ticked > 0 && ticked === boxes().length;
    all.indeterminate = ticked > 0 && !all.checked;
  };

  form.addEventListener("change", (event) => {
    if (event.target === all) for (const box of boxes()) box.checked = all.checked;
    if (event.target === all || event.target.name === "job") {
      const chosen = form.querySelector("[name=scope][value=chosen]");
      if (chosen) chosen.checked = true;
      count();
    }
  });
  if (all) all.hidden = false;
  count();
}
