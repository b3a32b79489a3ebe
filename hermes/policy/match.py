"""When a rule means a command: surely (to allow) or possibly (to ask or deny).

The two are different questions: an unknown word satisfies no allow rule and every deny rule.
"""

from pathlib import PurePosixPath

from hermes.policy.command import Word
from hermes.policy.rules import Rule


def surely(rule: Rule, words: tuple[str, ...]) -> bool:
    """Whether the rule's words are exactly these, or their beginning for a `:*` rule."""
    if not rule.words:
        return False
    return words[: len(rule.words)] == rule.words if rule.prefix else words == rule.words


def possibly(rule: Rule, words: tuple[Word, ...]) -> bool:
    """Whether the rule could mean this command: unknown words, paths, case, options between."""
    if rule.argument is None and rule.tool != "Git":
        return True
    if _begins(rule, words):
        return True
    if any(text.startswith("-") for text in rule.words[1:]):
        return False
    bare = tuple(w for at, w in enumerate(words) if at == 0 or not w.text.startswith("-"))
    return _begins(rule, bare)


def _begins(rule: Rule, words: tuple[Word, ...]) -> bool:
    for at, wanted in enumerate(rule.words):
        if at >= len(words):
            return False
        if not words[at].known:
            return True
        got = words[at].text
        if got != wanted and (at > 0 or _command(got) != _command(wanted)):
            return False
    rest = words[len(rule.words) :]
    return rule.prefix or not rest or any(not word.known for word in rest)


def _command(text: str) -> str:
    return PurePosixPath(text).name.casefold()
