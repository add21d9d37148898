"""A question with places, and values that have to come back from a database as they went in."""

NASTY = (
    *("it's", 'say "so"', "back\\slash", "\\' OR 1=1 --", "\\", "a;b", "-- none", ":v0"),
    *("%s $1 ? {x}", "ß€😀", "007", "2024-01-31", "''", "/* */"),
)
QUESTION = "SELECT " + ", ".join(f":v{number} AS c{number}" for number in range(len(NASTY)))
VALUES = "\n".join(
    f'v{number} = "{text}"' if text.startswith("'") else f"v{number} = {text}"
    for number, text in enumerate(NASTY)
)
