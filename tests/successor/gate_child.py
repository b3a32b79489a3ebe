"""Adopts in a process of its own, and dies when it is told to: BASE CHECKOUT CANDIDATE WHAT AT."""

import os
import signal
import sys
from pathlib import Path

import anyio
from gate_house import gate_house


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def main(base: Path, checkout: Path, name: str, what: str, at: int) -> None:
    async with gate_house(base, checkout) as house:

        def step(said: str) -> None:
            say(said)
            house.steps.append(said)
            if len(house.steps) == at:
                os.kill(os.getpid(), signal.SIGKILL)

        house.adopting._told = step
        if what == "back":
            await house.adopting.roll_back("killed")
        else:
            await house.yes(name)
            await house.adopting.adopt(name)


def flip(base: Path) -> None:
    """Change the version for ever."""
    from hermes.successor.pointer import Pointer  # noqa: PLC0415 - the other use needs none

    pointer = Pointer(base / "data")
    say("flips")
    while True:
        for tag in ("v0.2.0", "v0.3.0", ""):
            pointer.point(tag)


if __name__ == "__main__":
    if sys.argv[2] == "flip":
        flip(Path(sys.argv[1]))
    else:
        place, source, candidate, deed, number = sys.argv[1:]
        anyio.run(main, Path(place), Path(source), candidate, deed, int(number))
