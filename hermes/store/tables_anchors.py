"""The tables of anchors."""

ANCHORS: tuple[str, ...] = ()
