"""A fee rate, as the commands that spend take it."""

import argparse


def fee_rate(text: str) -> float:
    """A fee rate as a person writes it; raises ArgumentTypeError."""
    rate = float(text)
    if not 1.0 <= rate <= 10_000.0:  # noqa: PLR2004 - below, nobody relays it
        raise argparse.ArgumentTypeError("between 1 and 10000 satoshi a virtual byte")
    return rate
