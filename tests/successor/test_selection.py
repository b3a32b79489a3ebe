"""Which test files a change is tried by."""

import random

from hermes.sandbox.changes import Delta, Node
from hermes.successor.judge.selection import select_tests


def test_the_nearest_come_first(tmp_path):
    for name, text in {
        "tests/a/test_b.py": "", "tests/a/test_b_more.py": "", "tests/a/test_z.py": "",
        "tests/c/test_d.py": "from hermes.a import b\n", "tests/c/test_e.py": "import hermes.ab\n",
        "tests/c/test_f.py": "from hermes.a.b import c\n",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    changed = [Delta("hermes/a/b.py", None, Node("file", b"", 0o644))]
    found = select_tests(tmp_path, changed, "fast", random.Random(1))
    assert found[:5] == (
        "tests/a/test_b.py", "tests/a/test_b_more.py",
        "tests/c/test_d.py", "tests/c/test_f.py",
        "tests/a/test_z.py",
    )  # fmt: skip
    assert set(found) == {one.relative_to(tmp_path).as_posix() for one in tmp_path.rglob("*.py")}
    assert len(select_tests(tmp_path, changed, "micro", random.Random(1))) == 4
