"""Shell commands judged by the gate: read twice, held against rules, suggested for always."""

import random
from collections.abc import Iterator
from pathlib import Path

from hermes.core.tool import Place, Subject
from hermes.policy.decision import Call
from hermes.policy.gate import Gate
from hermes.policy.project import ProjectPolicy
from hermes.policy.rules import read_rules

COMMANDS = 350
RULES = {
    "allow": ("Bash(git status:*)", "Bash(ls:*)", "Bash(pytest:*)", "FileEdit(src/**)"),
    "ask": ("Bash(git push:*)", "Bash(npm install:*)"),
    "deny": ("Bash(rm:*)", "Bash(curl:*)", "FileRead(/**/.env)"),
}
PARTS = (
    "ls -la src/{} tests/{}",
    "git log --oneline -n 20 -- 'src/some folder/{}.py'",
    "grep -rn \"def {}\\b\" src tests --include '*.py' | sort | head -n 40",
    "cat src/{}.py tests/test_{}.py 2>/dev/null",
    "pytest -x -q tests/{} > /tmp/{}.log 2>&1",
    "sed -n 10,200p src/{}.py | wc -l",
    "echo 'the longer a quoted text is, the more there is to read of it: {}' >> notes.md",
    "find . -name '{}*' -type f -newer README.md",
    "find . -name '{}.tmp' -delete",
    'git commit -m "a message that says what was done with {} and why it had to be"',
    'git commit -m "{} ' + "is told at some length, as a message should be; " * 40 + '"',
    "rm -rf build/{}",
    "for f in {} b c; do echo $f; done",
    'python -m {} --out=$(mktemp) <<< "$HOME"',
)
JOINS = (" && ", "; ", " || ", "\n")


def work(chance: random.Random) -> Iterator[str]:
    """Every decision, with its rule and what always would allow."""
    gate = Gate(read_rules(RULES, "user"), ProjectPolicy())
    place = Place(Path("/box/home"), Path("/box/home"))
    for _ in range(COMMANDS):
        parts = chance.choices(PARTS, k=chance.randrange(1, 5))
        names = [f"{chance.getrandbits(32):x}" for _ in parts]
        text = chance.choice(JOINS).join(
            part.replace("{}", name) for part, name in zip(parts, names, strict=True)
        )
        call = Call("Bash", "write", Subject("command", text), place, "ask")
        found = gate.decide(call)
        yield f"{found.verdict}\0{found.rule}\0{found.always}\0{found.reason}"
