"""docs/configuration.md names every setting with its default, and its example can be read."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from hermes.config import Limits, Settings, read_settings

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "configuration.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \|", re.MULTILINE)
SETTINGS, LIMITS = (dict(ROW.findall(part)) for part in PAGE.split("## Limits"))


@pytest.mark.parametrize(("kind", "rows"), [(Settings, SETTINGS), (Limits, LIMITS)])
def test_every_field_is_documented_and_nothing_else(kind, rows):
    assert set(rows) == {field.name for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize(("kind", "rows"), [(Settings, SETTINGS), (Limits, LIMITS)])
def test_plain_defaults_are_the_real_ones(kind, rows):
    for field in msgspec.structs.fields(kind):
        if isinstance(field.default, int | float):
            shown = field.default
            plain = str(shown).lower() if isinstance(shown, bool) else f"{shown:,.0f}"
            assert rows[field.name] == plain


def test_the_example_is_a_valid_configuration(tmp_path):
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert example
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text(example[1])
    settings = read_settings({"HERMES_V2_HOME": str(tmp_path)})
    assert settings.limits.steps == tomllib.loads(example[1])["limits"]["steps"]
