"""What every operation promises, as tests that an author puts over an own one; needs no set-up.

from uploads.operations.contract import Contract

class TestCountWords(Contract):
    operation = count
    example = "one two three"
"""

from uploads.operations.contract.promises import Contract
from uploads.operations.contract.serving import Room, Told

__all__ = ["Contract", "Room", "Told"]
