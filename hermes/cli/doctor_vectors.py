"""The doctor on vectors of memories: whether what the settings want can be had here."""

import sys

from hermes.cli.doctor_check import Check, aside, output_of
from hermes.cli.world import World
from hermes.config import Settings

_SQLITE_VEC = """
import sqlite3, sqlite_vec
db = sqlite3.connect(":memory:")
if not hasattr(db, "enable_load_extension"):
    raise SystemExit("this Python's SQLite loads no extensions")
db.enable_load_extension(True)
sqlite_vec.load(db)
print("sqlite-vec", db.execute("select vec_version()").fetchone()[0])
"""
_FAISS = "import faiss, numpy; print('FAISS', faiss.__version__)"
_KINDS = {
    "sqlite-vec": (_SQLITE_VEC, "pip install 'hermes-v2[vectors]', or set memory.vectors = \"\""),
    "faiss": (_FAISS, "pip install 'hermes-v2[faiss]', or set memory.vectors = \"\""),
}


async def look(settings: Settings, world: World) -> list[Check]:
    """One line; the libraries are tried in a process of their own."""
    del world
    wanted = settings.memory
    if not wanted.vectors:
        return [aside("vectors", "off: memories are found by their words", ok=True)]
    code, remedy = _KINDS[wanted.vectors]
    works, said = await output_of([sys.executable, "-c", code])
    if not works:
        return [aside("vectors", f"memories are found by their words alone: {said}", remedy)]
    by = wanted.embedder or "made here, of the pieces of words"
    if wanted.embedder and not wanted.embedder.partition("#")[2]:
        return [aside("vectors", f"memory.embedder names no model: {by}", "write it as URL#NAME")]
    return [aside("vectors", f"{said}; {by}", ok=True)]
