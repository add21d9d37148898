"""Which layers of a document are hidden: carried over into one that has its pages; knows no operation."""

from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name


def add(pdf: pikepdf.Pdf, given: pikepdf.Pdf) -> None:
    """Carry over which layers of a document are hidden; its pages name them already."""
    layers = given.Root.get(Name.OCProperties)
    if not isinstance(layers, Dictionary) or not isinstance(layers.get(Name.OCGs), Array):
        return
    if not layers.is_indirect:
        given.Root.OCProperties = layers = given.make_indirect(layers)
    carried = pdf.copy_foreign(layers)
    _list_hidden(carried)
    if Name.OCProperties not in pdf.Root:
        pdf.Root.OCProperties = carried
        return
    known = pdf.Root.OCProperties
    known.OCGs.extend(carried.OCGs)
    shown, more = known.get(Name.D), carried.get(Name.D)
    if not (isinstance(shown, Dictionary) and isinstance(more, Dictionary)):
        return
    for key in (Name.OFF, Name.ON, Name.Order):
        if isinstance(more.get(key), Array):
            before = shown.get(key)
            shown[key] = Array([*(before if isinstance(before, Array) else ()), *more[key]])


def _list_hidden(layers: Any) -> None:
    """Name each hidden layer where a document hides all but some: another one's are shown."""
    shown = layers.get(Name.D)
    if not isinstance(shown, Dictionary) or shown.get(Name.BaseState) != Name.OFF:
        return
    on = shown.get(Name.ON)
    seen = {layer.objgen for layer in on} if isinstance(on, Array) else set()
    shown.OFF = Array([layer for layer in layers.OCGs if layer.objgen not in seen])
    del shown.BaseState
