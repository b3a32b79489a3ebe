"""The command line as argparse knows it; each noun adds its own commands."""

import argparse

from hermes import __version__
from hermes.cli import (
    anchor,
    bundle,
    chat,
    completion,
    conversations,
    doctor,
    identity,
    jobs,
    log,
    memory,
    node,
    peers,
    policy,
    relay,
    sandbox,
    serve,
    skills,
    skin,
    successor,
    timestamp,
    train,
    trust,
)

_EPILOG = """\
examples:
  hermes                                    open the chat
  hermes chat -m "what does README.md say"  one turn, the answer on standard output
  git diff | hermes chat -m "review this"   text from a pipe goes along
  hermes doctor                             what works here and how to mend the rest

exit codes: 0 ok, 1 failed, 2 usage, 3 refused by policy, 4 not available here
"""

_NOUNS = (
    chat,
    conversations,
    memory,
    skills,
    jobs,
    skin,
    policy,
    log,
    identity,
    anchor,
    trust,
    timestamp,
    node,
    peers,
    relay,
    bundle,
    train,
    sandbox,
    successor,
    serve,
    doctor,
)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="hermes",
        description="A local-first agent: it talks, uses tools, remembers, on your own machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"hermes {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")
    for noun in _NOUNS:
        noun.add(commands)
    completion.add(commands, parser)
    return parser
