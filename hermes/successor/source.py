"""The checkout that this runtime comes from: which commit it is, and its files as an archive.

Git is only ever asked here, never told: nothing in the checkout or its `.git` is written, and
settings of the machine and of the person play no part.
"""

import os
import shutil
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from hermes.errors import NotAvailable, PatchInvalid, Usage
from hermes.sandbox.ground import SYSTEM
from hermes.successor.patch import MOST

_LINE = 4_096
_WAIT_S = 60.0
_REMEDY = (
    "set successor.source in config.toml to a git checkout of Hermes, of the version that runs"
)
_ENV = {
    "PATH": SYSTEM,
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
}


@dataclass(frozen=True)
class Source:
    """A checkout, and the git that reads it."""

    git: str
    root: Path

    async def commit(self, name: str = "HEAD") -> str:
        """The commit that a name stands for, 40 hex digits; raises Usage where it is none."""
        if name.startswith("-"):
            raise Usage(f"{name} is no name of a commit")
        status, said = await self._ask(
            ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"], _LINE
        )
        if status:
            raise Usage(f"{self.root} has no commit {name}")
        return said.decode().strip()

    async def branch_diff(self, commit: str, branch: str) -> bytes:
        """What a branch did since it left a commit's line, as a diff."""
        other = await self.commit(branch)
        status, said = await self._ask(
            ["diff", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", "--no-renames",
             "--no-color", "--src-prefix=a/", "--dst-prefix=b/", f"{commit}...{other}"],
            MOST + 1,
        )  # fmt: skip
        if len(said) > MOST:
            raise PatchInvalid(f"what {branch} changes is more than {MOST} bytes", "split it")
        if status or not said:
            raise PatchInvalid(f"{branch} changes nothing that {commit[:12]} has not")
        return said

    @asynccontextmanager
    async def archive(self, commit: str) -> AsyncGenerator[int]:
        """A commit's files as a tar stream to read from this descriptor."""
        read, write = os.pipe()
        try:
            argv = self._argv(["archive", "--format=tar", commit])
            try:
                process = await anyio.open_process(
                    argv, stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.DEVNULL,
                    env=_ENV, cwd="/",
                )  # fmt: skip
            finally:
                os.close(write)
            async with process:
                try:
                    yield read
                finally:
                    if process.returncode is None:
                        process.kill()
        finally:
            os.close(read)

    def _argv(self, words: Sequence[str]) -> list[str]:
        return [self.git, "-c", f"safe.directory={self.root}", "-c", "core.fsmonitor=false",
                "-c", f"core.hooksPath={os.devnull}", "-C", str(self.root), *words]  # fmt: skip

    async def _ask(self, words: Sequence[str], most: int) -> tuple[int, bytes]:
        """Exit code and at most so many bytes of what git said."""
        said = b""
        with anyio.fail_after(_WAIT_S):
            async with await anyio.open_process(
                self._argv(words), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=_ENV, cwd="/",
            ) as process:  # fmt: skip
                assert process.stdout is not None
                async for piece in process.stdout:
                    said += piece
                    if len(said) >= most:
                        process.kill()
                        break
                await process.wait()
        return process.returncode or 0, said[:most]


async def find_source(setting: str = "") -> Source:
    """The checkout of the settings, else the one that this package runs from.

    Raises NotAvailable, with what to do, where there is none.
    """
    return await anyio.to_thread.run_sync(_find, setting)


def _find(setting: str) -> Source:
    root = Path(setting).expanduser().resolve() if setting else Path(__file__).resolve().parents[2]
    git = shutil.which("git", path=SYSTEM)
    if not git:
        raise NotAvailable("git is not installed", "apt-get install git")
    if not (root / ".git").exists() or not (root / "hermes" / "__init__.py").is_file():
        raise NotAvailable(f"{root} is no git checkout of Hermes", _REMEDY)
    return Source(git, root)
