"""What a question is about is told by its form."""

import pytest

from hermes.memory.question import parts
from hermes.memory.words import telling


@pytest.mark.parametrize(
    ("question", "hard", "wants"),
    [
        ("where do the nightly dumps go?", "nightly dumps", ""),
        ("when does the bakery open on Sundays?", "bakery sundays", "time"),
        ("who repairs the loom?", "loom", "name"),
        ("what resin do the moulds need?", "moulds", ""),
        ("which lathe tool cuts the flanges?", "lathe flanges", ""),
        ("how many spools do the printers hold?", "printers", "number"),
        ("how are the seedlings watered?", "seedlings", ""),
        ("on which day does the ferry sail?", "ferry", "time"),
        ("wann wird der Ofen geleert?", "ofen", "time"),
        ("quel est le code du portail ?", "code portail", ""),
        ("¿quién es el contable de la tienda?", "contable tienda", "name"),
        ("port of the billing service", "port billing service", ""),
        ("what?", "what", ""),
    ],
)
def test_what_it_is_about(question, hard, wants):
    found = parts(question, telling(question))
    assert found.hard == frozenset(telling(hard))
    assert found.wants == wants
    assert not found.hard & found.soft
    assert found.types <= found.soft


@pytest.mark.parametrize(
    "text", ["", "?", "which", "how many", "who", "does", "is", "\0", "é " * 99]
)
def test_any_text_can_be_taken_apart(text):
    stems = telling(text)
    found = parts(text, stems)
    assert found.hard | found.soft <= frozenset(stems)
