"""Rules on calls whose subject is neither a path nor a command: `WebFetch(https://a.org/*)`."""

import re

from hermes.policy.rules import Rule


def text_rule(rules: tuple[Rule, ...], tool: str, value: str, *, possibly: bool) -> Rule | None:
    """The first rule that means this text; for deny and ask rules case does not count."""
    for rule in rules:
        named = rule.reaches(tool) if possibly else rule.names(tool)
        if named and (rule.argument is None or _covers(rule.argument, value, fold=possibly)):
            return rule
    return None


def _covers(argument: str, value: str, *, fold: bool) -> bool:
    """`begin:*` is a prefix, `*` stands for anything, everything else for itself."""
    pattern = f"{argument[:-2]}*" if argument.endswith(":*") else argument
    escaped = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    return re.fullmatch(escaped, value, re.DOTALL | (re.IGNORECASE if fold else 0)) is not None
