"""The telling words of what people say and ask, in four languages, as recall looks for them."""

import random
from collections.abc import Iterator

from hermes.memory.words import alike, names, telling
from hermes.store.query import any_of

TEXTS = 4_000
TEXT = (
    "der Schlüssel für die Prüfung liegt beim Träger der Größe und läuft über Köln zurück "
    "le déploiement échoue à cause d'une clé périmée où l'équipe préfère la forêt être "
    "la configuración del año pasado quedó en el índice según María y también después "
    "the deployment keeps its settings in Oslo and never restarts workers before v3"
)
WORDS = TEXT.split()


def work(chance: random.Random) -> Iterator[str]:
    """Stems, names, the query that they make, and how alike neighbours are."""
    before: tuple[str, ...] = ()
    for _ in range(TEXTS):
        text = " ".join(chance.choices(WORDS, k=60))
        found = telling(text)
        yield " ".join(found)
        yield " ".join(sorted(names(text)))
        yield any_of(" ".join(found))
        yield str(sum(alike(one, other) for one in found[:2] for other in before[:2]))
        before = found
