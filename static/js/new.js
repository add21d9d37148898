// What pages with files need.

import "./file-list.js";
import "./drop-zone.js";
import "./follow-ups.js";
import "./job-form.js";
import "./names-field.js";
import "./own-options.js";
