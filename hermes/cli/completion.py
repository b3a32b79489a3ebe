"""`hermes completion`: what a shell needs to complete commands and options."""

import argparse

from hermes.cli.command import Commands, add_command
from hermes.cli.world import World

_BASH = """\
_hermes() {{
    local path="" word i words
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}}
        [[ $word == -* ]] || path="${{path:+$path }}$word"
    done
    case "$path" in
{cases}
    *) return ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _hermes hermes
"""


def add(commands: Commands, parser: argparse.ArgumentParser) -> None:
    """Add the command; it describes the whole parser."""
    command = add_command(
        commands,
        "completion",
        "print completions for a shell",
        'eval "$(hermes completion bash)"',
        _run,
    )
    command.add_argument("shell", choices=("bash", "zsh", "fish"))
    command.set_defaults(parser=parser, needs_settings=False)


async def _run(args: argparse.Namespace, world: World) -> int:
    print(_SHELLS[args.shell](words_of(args.parser)), file=world.stdout, end="")
    return 0


def words_of(parser: argparse.ArgumentParser, path: str = "") -> dict[str, list[str]]:
    """From each command's path (`conversations list`) to the words that may follow."""
    words: list[str] = []
    deeper: dict[str, list[str]] = {}
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list
        words += [option for option in action.option_strings if option.startswith("--")]
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for name, inner in action.choices.items():
                words.append(name)
                deeper |= words_of(inner, f"{path} {name}".strip())
        elif not action.option_strings and action.choices:
            words += map(str, action.choices)
    return {path: words} | deeper


def _bash(table: dict[str, list[str]]) -> str:
    cases = "\n".join(f'    "{path}") words="{" ".join(table[path])}" ;;' for path in table)
    return _BASH.format(cases=cases)


def _zsh(table: dict[str, list[str]]) -> str:
    return "autoload -U +X bashcompinit && bashcompinit\n" + _bash(table)


def _fish(table: dict[str, list[str]]) -> str:
    lines = ["complete -c hermes -f"]
    for path, words in table.items():
        names = path.split()
        inner = {p.split()[len(names)] for p in table if p and p.startswith(f"{path} ".lstrip())}
        seen = [f"__fish_seen_subcommand_from {name}" for name in names]
        unseen = f"not __fish_seen_subcommand_from {' '.join(sorted(inner))}" if inner else ""
        condition = "; and ".join([*seen, *([unseen] if unseen else [])]) or "true"
        lines.append(f"complete -c hermes -n '{condition}' -a '{' '.join(words)}'")
    return "\n".join(lines) + "\n"


_SHELLS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
