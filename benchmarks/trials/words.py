"""The telling words of what people say and ask, in four languages, as recall looks for them."""

import random
from collections.abc import Iterator

from hermes.memory.words import alike, names, telling

TEXTS = 6_000
TEXT = (
    "der Schlüssel für die Prüfung liegt beim Träger der Größe und läuft über Köln zurück "
    "le déploiement échoue à cause d'une clé périmée où l'équipe préfère la forêt être "
    "la configuración del año pasado quedó en el índice según María y también después "
    "the deployment keeps its settings in Oslo and never restarts workers before v3"
)
WORDS = TEXT.split()
PHRASES = [" ".join(WORDS[at : at + 4]) for at in range(len(WORDS) - 4)]


def work(chance: random.Random) -> Iterator[str]:
    """Stems, names, and how alike neighbours are."""
    before: tuple[str, ...] = ()
    for _ in range(TEXTS):
        text = " ".join((f"v{chance.randrange(1_000)}", *chance.choices(PHRASES, k=15)))
        found = telling(text)
        yield " ".join(found)
        yield " ".join(sorted(names(text)))
        yield str(sum(alike(one, other) for one in found[:2] for other in before[:2]))
        before = found
