// The console's behaviour: it keeps itself fresh, counts what is ticked, and goes on with a long command.

import "./console/fresh.js";
import "./console/selection.js";
import "./console/go-on.js";
