"""The generated form of an operation's options: widgets, units and words; `parse_options` judges."""

from collections.abc import Mapping
from typing import Any

from django import forms

from uploads.errors import RequestError
from uploads.models import Connection, Upload
from uploads.operations import Operation
from uploads.operations.options import OptionField, canonical, fields_of, parse_options

OWN = "own"  # the preset's name when the options are the person's own
THEN = "then-"
FEW_CHOICES = 4


def prefix_of(operation: Operation[Any], place: int = 0) -> str:
    """Return what the names of an operation's fields begin with; `place` is that in a chain."""
    return f"{THEN}{place}-{operation.name}" if place else operation.name


class OptionsForm(forms.Form):
    """Fields follow from the operation's options class; values are checked there, not here."""

    def __init__(
        self, operation: Operation[Any], *args: Any, owner: Any, place: int = 0, **kwargs: Any
    ) -> None:
        self.operation = operation
        kwargs["prefix"] = prefix_of(operation, place)
        super().__init__(*args, **kwargs)
        for described in fields_of(operation.options):
            self.fields[described.name] = _field(described, owner)

    def main(self) -> list[forms.BoundField]:
        """Return the fields that are asked for beside any preset."""
        return [self[name] for name in main_names(self.operation)]

    def folded(self) -> list[forms.BoundField]:
        """Return the other fields, which a preset fills."""
        main = main_names(self.operation)
        return [field for field in self if field.name not in main]

    def values(self) -> dict[str, Any]:
        """Return what was sent; an option that was not keeps its default, a box unticked is no."""
        sent = {name for name in self.cleaned_data if self.add_prefix(name) in self.data}
        boxes = {n for n, field in self.fields.items() if isinstance(field, forms.BooleanField)}
        return {name: self.cleaned_data[name] for name in self.cleaned_data if name in sent | boxes}

    def clean(self) -> dict[str, Any]:
        try:
            parse_options(self.operation.options, self.values())
        except RequestError as refusal:
            field = str(refusal.values.get("field", ""))
            self.add_error(field if field in self.fields else None, _words(refusal))
        return self.cleaned_data


def _words(refusal: RequestError) -> str:
    return str(refusal.values.get("reason") or refusal.text)


def _field(described: OptionField, owner: Any) -> forms.Field:
    """Return a lenient field: the widget says the bounds, the options class checks them."""
    made: forms.Field
    words: dict[str, Any] = {"label": described.label, "required": False}
    if described.type == "boolean":
        made = forms.BooleanField(**words)
    elif described.type == "choice":
        few = len(described.choices) <= FEW_CHOICES
        widget = forms.RadioSelect if few else forms.Select
        made = forms.ChoiceField(choices=described.choices, widget=widget, **words)
    elif described.type == "upload":
        # The same for all files of a job: the page leaves it out of a single file's options.
        files = forms.Select({"data-for-all": ""})
        made = forms.ChoiceField(choices=_files(described, owner), widget=files, **words)
    elif described.type == "connection":
        usable = Connection.objects.usable_by(owner).values_list("key", "name")
        made = forms.ChoiceField(choices=[*usable], **words)
    else:
        made = forms.CharField(widget=_input(described), **words)
    made.initial = shown_value(described.default)
    made.help_text = described.help
    vars(made)["unit"] = described.unit
    vars(made)["examples"] = described.examples
    vars(made)["fills"] = described.fills
    return made


def _input(described: OptionField) -> forms.Widget:
    bounds = {"min": described.min, "max": described.max}
    attrs = {name: f"{value:g}" for name, value in bounds.items() if value is not None}
    attrs["autocomplete"] = "off"
    if described.type == "integer":
        return forms.NumberInput({**attrs, "step": "1", "inputmode": "numeric"})
    if described.type == "number":
        return forms.NumberInput({**attrs, "step": "any", "inputmode": "decimal"})
    length = {"maxlength": str(described.max_length)} if described.max_length else {}
    if described.type == "integers":
        return forms.TextInput({"placeholder": "1600, 320", "autocomplete": "off"})
    plain = {**length, "autocomplete": "off"}
    if described.multiline:
        rows = "3" if described.fills else "8"
        code = {"rows": rows, "spellcheck": "false", "autocapitalize": "off", "class": "code"}
        return forms.Textarea({**plain, **code})
    return forms.TextInput(plain)


def _files(described: OptionField, owner: Any) -> list[tuple[str, str]]:
    """Return the person's newest arrived files of the wanted kinds as choices."""
    uploads = Upload.objects.visible_to(owner).filter(state="complete")[:200]
    families = {pattern.partition("/")[0] for pattern in described.accepts}
    fit = [u for u in uploads if "*" in families or u.media_type.partition("/")[0] in families]
    return [("", "None"), *((upload.key, upload.name) for upload in fit)]


def shown_value(value: Any) -> Any:
    """Return an option's value as its field shows it."""
    if isinstance(value, tuple | list):
        return ", ".join(str(part) for part in value)
    return "" if value is None else value


def main_names(operation: Operation[Any]) -> list[str]:
    """Return the names of the options that no preset knows."""
    return [described.name for described in fields_of(operation.options) if described.main]


def preset_values(operation: Operation[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return every option of a preset as the form's fields show it."""
    full = canonical(parse_options(operation.options, options))
    return {name: shown_value(value) for name, value in full.items()}


def sent_main(operation: Operation[Any], data: Any, place: int = 0) -> dict[str, Any]:
    """Return what a posted form says of the main options."""
    prefix = prefix_of(operation, place)
    sent = {name: data.get(f"{prefix}-{name}") for name in main_names(operation)}
    return {name: value for name, value in sent.items() if value is not None}


def chosen_options(
    operation: Operation[Any], owner: Any, data: Any, place: int = 0
) -> dict[str, Any]:
    """Return the options that a posted form asks for: a preset's with the main ones, or all.

    Raises `RequestError` (`invalid_options`) with the first fault of the form.
    """
    prefix = prefix_of(operation, place)
    name = data.get(f"{prefix}-preset", "")
    for preset in operation.presets:
        if preset.name == name:
            chosen = {**preset.options, **sent_main(operation, data, place)}
            parse_options(operation.options, chosen)
            return chosen
    if name != OWN and not any(key.startswith(f"{prefix}-") for key in data):
        return dict(operation.presets[0].options) if operation.presets else {}
    form = OptionsForm(operation, data, owner=owner, place=place)
    if not form.is_valid():
        field, faults = next(iter(form.errors.items()))
        told = {"place": place} if place else {}
        raise RequestError("invalid_options", reason=str(faults[0]), field=field, **told)
    return form.values()
