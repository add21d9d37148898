"""The promises of an operation, one test each; a broken one is told in words, with how to mend it.

Plain classes and assertions: pytest collects them, and is not needed to import them.
"""

import json
from itertools import pairwise
from pathlib import Path

from uploads.operations.contract.damage import OTHER, damaged
from uploads.operations.contract.evidence import Evidence, progress_of, promised
from uploads.operations.contract.trial import fingerprints
from uploads.operations.options import canonical, fields_of, schema

STOP_SECONDS = 3.0  # then the worker kills it


class Contract(Evidence):
    """Every promise that Tidemill relies on, for one operation and one small example of its input.

    A subclass sets `operation` and `example`: text, bytes, a path, a list of these where the
    operation takes all at once, or a method `example(self, folder)` that writes one there;
    what takes no file has none.
    `options` are those to use where the defaults don't do, `files` the paths of options that
    are files; `example_name` says what its owner calls the file, when its ending matters.
    """

    # --- what is written down -------------------------------------------------

    def test_describes_itself(self) -> None:
        made = self.operation
        promised(made.label, "It has no label. Pass `label=` to @operation: what people click on.")
        promised(
            made.summary.endswith("."),
            "Its summary is no sentence. Begin the function's docstring with one that ends in a full stop.",
        )
        for field in fields_of(made.options):
            promised(field.help, f"Option “{field.name}” has no help. Declare it by `option(…)`.")
        json.dumps(schema(made.options))

    def test_presets_are_valid_and_plainly_named(self) -> None:
        presets = self.operation.presets
        promised(
            presets,
            "It has no preset. Pass `presets=[Preset(name, label, summary, {options})]` to "
            "@operation: the choice of those who don't want to read options.",
        )
        for preset in presets:
            promised(preset.label, f"Preset “{preset.name}” has no label.")
            words = (
                f"The summary of preset “{preset.name}” is no sentence; end it with a full stop."
            )
            promised(preset.summary.endswith("."), words)
            self.parsed(preset.options, f"Preset “{preset.name}” has options that don't fit.")
        names = [preset.name for preset in presets]
        promised(len(set(names)) == len(names), "Two presets have the same name.")

    def test_canonical_options_parse_to_themselves(self) -> None:
        given = self.parsed(self.options, "The example's options don't fit.")
        again = self.parsed(canonical(given), "Its options can't be read back.")
        promised(
            again == given,
            f"Options change when they are stored and read back: {given} becomes {again}. "
            "Let the options class hold plain values and compute nothing in it.",
        )

    # --- what it makes of its example -----------------------------------------

    def test_makes_something_of_its_example(self) -> None:
        trial = self.trial()
        for path, kind in zip(trial.examples, trial.media_types, strict=True):
            promised(
                self.operation.accepts_type(kind),
                f"The example {path.name} is {kind}, which `accepts` of @operation does not name.",
            )
        promised(self.done().made, "It yields nothing. Yield the path of each file that it makes.")

    def test_same_input_twice_gives_the_same_bytes(self) -> None:
        if self.operation.starts:
            return  # what it makes may well depend on the day
        first = fingerprints(self.done())
        promised(
            first == fingerprints(self.trial().second),
            "Two runs give different bytes. Leave out times, random names and the order of sets; "
            "Tidemill compares and reuses results by their bytes.",
        )

    def test_writes_only_into_its_folder(self) -> None:
        told = self.done()
        folder = told.made[0].parent if told.made else Path()
        for path in told.made:
            promised(
                path.is_file() and path.parent == folder and path.parent.parent.name == "out",
                f"{path} is no file in its scratch folder. Write at `step.path(name)`, and yield that.",
            )
        left = {path.name for path in folder.iterdir()} - {path.name for path in told.made}
        promised(
            not left,
            f"It leaves {', '.join(sorted(left))} behind. Remove what is no result; "
            "it takes room until the step ends.",
        )

    def test_results_bear_the_owners_name(self) -> None:
        if self.operation.takes != "each":
            return
        for output in self.done().of("output"):
            name = output["meta"].get("folder") or Path(output["path"]).name
            promised(
                name.startswith("source"),
                f"The result {name} does not begin with “source”. Write “source-words.txt”, "
                "and it is shown as “README-words.txt” to the owner of README.md.",
            )

    def test_tells_its_progress(self) -> None:
        runs = progress_of(self.done())
        promised(runs, "It never says how far it is. Call `step.report(done / all)` as it goes on.")
        for values in runs:
            promised(
                all(before <= after for before, after in pairwise(values)),
                f"Its progress falls: {values[:20]}. Report the share of the whole, not of a phase.",
            )
            promised(
                values.count(1.0) <= 2,
                "It says 1.0 (all done) again and again. `step.report` takes 0 to 1, not percent.",
            )

    def test_stops_when_it_is_cancelled(self) -> None:
        self.done()
        told = self.trial().stopped
        stops = told.of("stopped")
        promised(
            stops, "It can't be cancelled: it never calls `step.report`, which raises `Cancelled`."
        )
        promised(
            not told.of("done") and not told.of("error"),
            "It catches `Cancelled`, which `step.report` raises when somebody wants the job stopped. "
            "Let it pass: catch the errors that you expect, not `Exception`. " + told.trouble,
        )
        took = told.ended_at - stops[0]["at"]
        promised(
            took <= STOP_SECONDS,
            f"It took {took:.1f} s to stop; a worker waits {STOP_SECONDS:g} s, then kills it. "
            "Do no long work in `finally` or `except`.",
        )

    # --- what it makes of bad input -------------------------------------------

    def test_refuses_what_it_does_not_take(self) -> None:
        if self.operation.accepts_type("text/plain") or self.operation.starts:
            return
        wrong = {"notes.txt": b"Just a line of text.\n" * 20}
        for call in ("plan", "run") if self.operation.divisible else ("run",):
            errors = self.served(wrong, call, "text/plain").of("error")
            promised(
                errors,
                "It makes results of plain text, which `accepts` does not name. "
                "Raise InputError when the bytes are of another kind than the name says.",
            )
            self.said_well(errors[0], "notes.txt", "plain text")

    def test_damaged_input_ends_in_words_or_results(self) -> None:
        if self.operation.starts:
            return
        example = self.trial().examples[0]
        cases = dict(damaged(example.read_bytes()))
        names = {f"damaged-{n}{example.suffix}": case for n, case in enumerate(cases)}
        contents = {name: cases[case] for name, case in names.items()}
        for told, name, key in self.served_each(contents):
            errors = [error for error in told.of("error") if error["item"] == key]
            if errors:
                named = name if self.operation.takes == "each" else ""
                self.said_well(errors[0], named, names[name])
            else:
                ended = [message["item"] for message in [*told.of("done"), *told.of("parts")]]
                promised(
                    key in ended, f"A file with {names[name]} ends its process. {told.trouble}"
                )

    def test_a_bad_item_leaves_the_others_alone(self) -> None:
        if self.operation.takes != "each" or self.operation.divisible:
            return
        example = self.trial().examples[0]
        bad, good = f"bad{example.suffix}", f"good{example.suffix}"
        told = self.served({bad: OTHER, good: example.read_bytes()})
        promised(
            "1" in [message["item"] for message in told.of("done")],
            "A good file fails after a bad one in the same batch. Keep no state outside of the "
            "function: one process does many files, one after the other. " + told.trouble,
        )

    # --- what can be divided --------------------------------------------------

    def test_parts_are_json_with_weights(self) -> None:
        if not self.operation.divisible:
            return
        self.done()
        (planned,) = self.trial().parts.of("parts")
        promised(planned["parts"], "Its plan returns no parts. Return one `Part` at least.")
        for part in planned["parts"]:
            promised(
                isinstance(part["params"], dict) and part["weight"] > 0,
                f"The part {part} is no JSON object with a weight above 0: the seconds that one "
                "worker is likely to need.",
            )
        promised(self.operation.joiner, "It has a plan but no join. Add one: @name.join.")
