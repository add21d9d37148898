// A command to all that match goes on by itself, part by part, until it is done or somebody stops it.

const form = document.querySelector("form[data-go-on]");
if (form) form.requestSubmit();
