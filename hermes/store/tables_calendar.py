"""The tables of the OpenTimestamps calendar."""

CALENDAR: tuple[str, ...] = ()
