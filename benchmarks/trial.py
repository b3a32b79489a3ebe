"""One small piece of work on a real path of this repository, for the judge of a successor.

`trial.py NAME SEED` does the work of `trials/NAME.py` once and prints a digest of everything that
came out of it; `--uses` prints which of the files below that directory it ran on instead. What it
costs is measured from outside. Everything follows from SEED, so that two versions must print the
same, and a version that leaves work out does not.
"""

import hashlib
import random
import runpy
import sys
from pathlib import Path


def answer(name: str, seed: str) -> str:
    """Do the work; the digest of what came out, in order."""
    script = Path(__file__).with_name("trials") / f"{name}.py"
    work = runpy.run_path(str(script))["work"]
    digest = hashlib.sha256()
    for out in work(random.Random(seed)):
        data = out if isinstance(out, bytes) else str(out).encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def used(below: str) -> list[str]:
    """The modules' files below a directory, relative to it."""
    root = Path(below).resolve()
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    paths = (Path(one).resolve() for one in files if one)
    return sorted(str(one.relative_to(root)) for one in paths if one.is_relative_to(root))


def main() -> None:
    """Work, then say."""
    name, seed, *more = sys.argv[1:]
    said = answer(name, seed)
    print("\n".join(used(more[1])) if more[:1] == ["--uses"] else said)


if __name__ == "__main__":
    main()
