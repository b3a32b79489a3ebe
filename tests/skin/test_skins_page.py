from pathlib import Path

from hermes.skin.skin import load_skin

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "skins.md").read_text()


def test_the_skin_in_the_page_loads(tmp_path):
    (tmp_path / "harbour").mkdir()
    manifest = PAGE.partition("```toml\n")[2].partition("```\n")[0]
    (tmp_path / "harbour" / "skin.toml").write_text(manifest)
    skin = load_skin("harbour", [tmp_path])
    assert (skin.name, skin.colours.error) == ("harbour", "ansired")
