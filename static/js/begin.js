// The page of an operation that needs no file: presets fill its options, operations may follow.

import "./follow-ups.js";
import { followPresets } from "./options.js";

class BeginForm extends HTMLElement {
  connectedCallback() {
    followPresets(this);
  }
}

customElements.define("begin-form", BeginForm);
