"""The tools that need nothing but a shell, in the order in which a model sees them."""

from collections.abc import Mapping
from dataclasses import dataclass

from hermes.core.tool import Tool
from hermes.sandbox.shell import Shell
from hermes.tools.edits import FILE_EDIT, FILE_WRITE
from hermes.tools.files import FILE_READ, LIST_DIR
from hermes.tools.git import git
from hermes.tools.search import search_tools
from hermes.tools.shell import bash


@dataclass(frozen=True)
class Programs:
    """Where other people's programs lie: bash (or sh), and ripgrep where there is one."""

    bash: str
    rg: str | None


def builtin_tools(
    shell: Shell, env: Mapping[str, str], programs: Programs, held: Tool | None = None
) -> tuple[Tool, ...]:
    """Files, edits, search, Bash and Git; `env` is all that their commands see.

    `held`: Bash as the sandbox has it, in place of the plain one.
    """
    grep, glob = search_tools(shell, env, programs.rg)
    commands = (held or bash(shell, env, programs.bash), git(shell, env))
    return (FILE_READ, LIST_DIR, grep, glob, FILE_WRITE, FILE_EDIT, *commands)
