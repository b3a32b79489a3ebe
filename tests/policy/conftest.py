from pathlib import Path

import pytest

from hermes.core.tool import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    root = (tmp_path / "project").resolve()
    (root / "src").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "README.md").write_text("hello\n")
    (root / "src" / "a.py").write_text("x = 1\n")
    (root / ".env").write_text("SECRET=1\n")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "key").write_text("k\n")
    return Place(root, root)
