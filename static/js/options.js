// An operation's options: presets fill them, and what is changed by hand is one's own.

import "./earlier-questions.js";
import "./filled-places.js";

/** Let every panel of options inside an element follow its presets. */
export function followPresets(element) {
  element.addEventListener("input", (event) => event.target.closest(".options") && own(event.target));
  element.addEventListener("change", (event) => changed(event.target));
  element.addEventListener("click", (event) => event.target.dataset.example && take(event.target));
  element.addEventListener("click", (event) => put(event.target.closest("[data-put]")));
}

function changed(field) {
  if (field.dataset.options) fill(field);
  else if (field.name.endsWith("-preset")) field.closest("[data-panel]").querySelector("details.options").open = true;
}

function fill(preset) {
  const panel = preset.closest("[data-panel]");
  for (const [name, value] of Object.entries(JSON.parse(preset.dataset.options))) {
    const fields = panel.querySelectorAll(`[name="${CSS.escape(`${panel.dataset.panel}-${name}`)}"]`);
    for (const field of fields) {
      if (field.type === "radio") field.checked = field.value === String(value);
      else if (field.type === "checkbox") field.checked = value === true;
      else field.value = value;
    }
  }
}

function own(field) {
  const preset = field.closest("[data-panel]").querySelector('[name$="-preset"][value="own"]');
  if (preset) preset.checked = true;
}

/** Put an example into its field. */
function take(button) {
  const field = document.getElementById(button.dataset.for);
  field.value = button.dataset.example;
  field.focus();
  button.closest("details").open = false;
}

/** Put a name where the cursor is, as SQL writes it. */
function put(button) {
  if (!button) return;
  const field = document.getElementById(button.dataset.for);
  const plain = /^[a-z_][a-z0-9_]*$/i.test(button.dataset.put);
  const name = plain ? button.dataset.put : `"${button.dataset.put.replaceAll('"', '""')}"`;
  const untouched = field.selectionEnd === 0; // nobody has been in it
  const at = untouched ? field.value.length : field.selectionStart;
  field.setRangeText(untouched ? ` ${name}` : name, at, Math.max(at, field.selectionEnd), "end");
  field.focus();
}

class OptionsForm extends HTMLElement {
  connectedCallback() {
    followPresets(this);
  }
}

customElements.define("options-form", OptionsForm);
