"""A conversation with tool output scrubbed of secrets and of what is personal."""

import random
import string
from collections.abc import Iterator

from hermes.scrub.scrub import Piece, scrub

PIECES = 24
NAMES = ("configuration_of_the_first_module", "read_the_whole_thing_again", "lastGeneration")
LINES = (
    "def {name}(self, value: int) -> None:  # what it is for, in some words",
    "  at src/{name}/index.test.ts:{number} in a call of somethingLongEnough",
    "drwxr-xr-x 2 dev dev 4096 Jan 12 10:{number} {name}.egg-info",
    "export TOKEN={secret}",
    "  {name}Of{name}With{name}AndTheRestOfItsName: {number}",
    "import_{name}_from_{name}_and_then_from_{name} as the_{name}_of_it",
    "commit {digest} of a change that was made on a day",
    "call me at +49 30 {number}{number}{number} or mail {name}@mail.example.net",
)


def work(chance: random.Random) -> Iterator[str]:
    """The texts as they come out, and how much of which kind was found."""
    pieces = []
    for _ in range(PIECES):
        lines = [
            line.format(
                name=f"{chance.choice(NAMES)}{chance.randrange(1_000)}",
                number=chance.randrange(10, 60),
                secret="".join(chance.choices(string.ascii_letters + string.digits, k=32)),
                digest=f"{chance.getrandbits(160):040x}",
            )
            for line in chance.choices(LINES, weights=(20, 20, 20, 1, 40, 40, 2, 1), k=40)
        ]
        pieces.append(Piece("\n".join(lines), prose=chance.random() < 0.2))
    found = scrub(pieces, ("Somebody Else",))
    if found is None:
        yield "dropped"
        return
    yield from found.texts
    yield str(sorted(found.counts.items()))
