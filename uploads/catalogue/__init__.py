"""Everything that can go wrong, in words: one catalogue for page, API, admin and docs; no Django.

A code names one error; `uploads.errors` raises it with the values that its sentence needs.
"""

from typing import Final

from uploads.catalogue.entry import Entry
from uploads.catalogue.items import ITEMS
from uploads.catalogue.requests import REQUESTS
from uploads.catalogue.steps import STEPS

__all__ = ["CATALOGUE", "Entry"]

CATALOGUE: Final[dict[str, Entry]] = {**REQUESTS, **ITEMS, **STEPS}
