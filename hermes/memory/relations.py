"""Ways to say who or what has which: port, owner, place, limit; different words, one meaning."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_THING = r"(?:the |our |my )?(?P<e>[\w./-]+(?: [\w./-]+){0,2}?)(?: service| server| api| module)?"
_WHO = r"(?P<v>[^\W\d_][\w'-]*(?: [A-Z][\w'-]*)?)"
_SPAN = r"(?P<v>\d[\d.,]*\s?[a-z%]+)"
_PORT = r"(?P<v>\d{2,5})"

_TABLE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("port", (
        rf"{_THING} (?:listens?|runs?|is|serves?|answers?|is reachable|sits) (?:on|at) (?:port |:){_PORT}$",
        rf"(?:use|reserve|open) port {_PORT} for {_THING}$",
        rf"port {_PORT} (?:is|belongs to|is the one|is used|is reserved|is for)(?: for| by| of)* {_THING}$",
        rf"(?:start|run|serve|expose) {_THING} on port {_PORT}$",
        rf"(?:the port of {_THING}|(?P<e2>[\w-]+)'s port) (?:is|:) {_PORT}$",
        rf"{_THING} (?:lauscht auf|l[äa]uft auf|[ée]coute sur le|escucha en el) (?:port|puerto) {_PORT}$",
    )),
    ("owner", (
        rf"{_THING} belongs to {_WHO}$",
        rf"{_WHO} (?:owns|maintains|looks after|is the owner of|is responsible for|is in charge of) {_THING}$",
        rf"(?:the )?owner of {_THING} is {_WHO}$", rf"(?P<e2>[\w-]+)'s owner is {_WHO}$",
        rf"{_THING} is (?:owned|maintained) by {_WHO}$",
        rf"ask {_WHO} before (?:touching|changing) {_THING}$",
        rf"let {_WHO} review (?:every change|all changes) (?:of|to) {_THING}$",
    )),
    ("office", (
        rf"(?P<e>[\w-]+) (?:works? (?:from|in|at)|sits? in|is based in|lives? in|moved to) (?:the )?(?P<v>[\w. -]+?)(?: office)?$",
        rf"(?P<e>[\w-]+)'s office is (?P<v>[\w. -]+)$",
        rf"(?:the )?office of (?P<e>[\w-]+) is (?P<v>[\w. -]+)$",
        rf"plan (?P<e>[\w-]+)'s meetings for the (?P<v>[\w. -]+?) office$",
    )),
    ("timeout", (
        rf"requests? to {_THING} times? out after {_SPAN}$", rf"{_THING} (?:times out|gives up) after {_SPAN}$",
        rf"{_THING} time-?out is {_SPAN}$", rf"set (?:the )?{_THING} time-?out to {_SPAN}$",
        rf"let {_THING} requests time out after {_SPAN}$", rf"(?:the )?time-?out (?:of|for) {_THING} is {_SPAN}$",
    )),
)  # fmt: skip
_RELATIONS = [(name, re.compile("(?i)^" + form)) for name, forms in _TABLE for form in forms]


class Relation(NamedTuple):
    """What has it, what it is, and its value."""

    thing: str
    name: str
    value: str


def relations(text: str) -> Iterator[Relation]:
    """The first relation that a statement states."""
    for name, pattern in _RELATIONS:
        if match := pattern.match(text):
            thing = match.groupdict().get("e") or match.groupdict().get("e2") or ""
            yield Relation(thing, name, match["v"])
            return
