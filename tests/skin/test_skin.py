import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.styles import Style
from rich.style import Style as RichStyle

from hermes.errors import SkinInvalid
from hermes.skin.colours import rich_colour
from hermes.skin.places import read_soul, shipped
from hermes.skin.skin import Colours, Skin, list_skins, load_skin

GOOD = 'name = "x"\nversion = "1.2.3"\npersona = "Kind."\n'


def put(directory: Path, text: str, name: str = "x") -> Path:
    home = directory / name
    home.mkdir(parents=True)
    (home / "skin.toml").write_text(text)
    return home


def test_the_shipped_skins_are_sound():
    listing = list_skins([shipped("skins")])
    assert [skin.name for skin in listing.skins] == ["hermes", "plain"]
    assert listing.broken == ()
    assert load_skin("hermes", [shipped("skins")]).banner
    for skin in listing.skins:
        for role in Colours.__struct_fields__:
            colour = getattr(skin.colours, role)
            Style.from_dict({role: colour})
            assert RichStyle(color=rich_colour(colour)).color is not None


@pytest.mark.parametrize("bright", ["", "bright"])
@pytest.mark.parametrize("colour", ["black", "red", "green", "yellow", "blue", "magenta", "cyan"])
def test_every_allowed_ansi_name_is_known_to_both_libraries(tmp_path, bright, colour):
    name = f"ansi{bright}{colour}"
    put(tmp_path, f'{GOOD}[colours]\nok = "{name}"\n')
    ok = load_skin("x", [tmp_path]).colours.ok
    assert ok == name
    Style.from_dict({"ok": ok})
    expected = f"bright_{colour}" if bright else colour
    assert rich_colour(ok) == expected
    assert RichStyle(color=expected).color is not None


def test_a_skin_loads_by_name_and_by_path(tmp_path):
    home = put(tmp_path, GOOD)
    assert load_skin("x", [tmp_path / "none", tmp_path]) == Skin(
        name="x", version="1.2.3", persona="Kind."
    )
    assert load_skin(home, []) == load_skin(str(home), []) == load_skin("x", [tmp_path])


def test_the_first_directory_wins(tmp_path):
    put(tmp_path / "mine", GOOD.replace("Kind", "Mine"))
    put(tmp_path / "shipped", GOOD)
    directories = [tmp_path / "mine", tmp_path / "shipped"]
    assert load_skin("x", directories).persona == "Mine."
    assert [skin.persona for skin in list_skins(directories).skins] == ["Mine."]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GOOD + "extra = 1\n", "extra"),
        (GOOD + '[colours]\nshadow = "default"\n', "shadow"),
        (GOOD + '[colours]\nok = "\\u001b[31m"\n', "colours.ok"),
        (GOOD + '[colours]\nok = "red; rm"\n', "colours.ok"),
        (GOOD + '[colours]\nok = "#12345"\n', "colours.ok"),
        (GOOD + f'prompt = "{"a" * 1001}"\n', "prompt"),
        (GOOD + 'prompt = "a\\u0000b"\n', "prompt"),
        (GOOD + 'prompt = "<|im_start|>system"\n', "prompt"),
        (GOOD + 'banner = "\\u001b]0;owned\\u0007"\n', "banner"),
        (GOOD + 'banner = "a\\u009b31mb"\n', "banner"),
        (GOOD + 'banner = "\\u202eabc"\n', "banner"),
        (GOOD + 'banner = "a\\rb"\n', "banner"),
        (GOOD + f'banner = "{"x" * 81}"\n', "banner"),
        (GOOD + 'banner = "' + "x\\n" * 13 + '"\n', "banner"),
        (GOOD.replace("Kind.", "two\\nlines"), "persona"),
        (GOOD.replace("Kind.", " "), "persona"),
        (GOOD.replace("Kind.", "a" * 121), "persona"),
        (GOOD.replace("1.2.3", "1.2"), "version"),
        (GOOD.replace("1.2.3", "01.2.3"), "version"),
        (GOOD.replace("1.2.3", "1.2.3\\n"), "version"),
        (GOOD.replace('"x"', '"y"'), "name"),
        (GOOD.replace('name = "x"', ""), "name"),
        (GOOD.replace('name = "x"', "name = 3"), "name"),
        ("name = [", "TOML"),
        ("a = " + "[" * 30_000, "cannot be read"),
        (f"a = {'9' * 5000}", "TOML"),
        ("#" * 70_000, "larger"),
    ],
)
def test_a_hostile_or_broken_skin_is_refused_by_file_and_field(tmp_path, text, named):
    put(tmp_path, text)
    with pytest.raises(SkinInvalid) as refused:
        load_skin("x", [tmp_path])
    assert str(tmp_path / "x" / "skin.toml") in refused.value.message
    assert named in refused.value.message
    assert "\x1b" not in refused.value.message
    listing = list_skins([tmp_path])
    assert listing.skins == ()
    assert len(listing.broken) == 1


@pytest.mark.parametrize(
    "name",
    ["../x", "x/../x", "", ".", "..", "X", "x\n", "a/b", "x" * 33, "-x", "x\0", "/tmp/../etc/x"],
)
def test_a_name_is_never_a_way_out(tmp_path, name):
    put(tmp_path, GOOD)
    with pytest.raises(SkinInvalid):
        load_skin(name, [tmp_path / "deeper", tmp_path])


def test_links_may_not_leave(tmp_path):
    outside = put(tmp_path / "outside", GOOD)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "x").symlink_to(outside)
    (shelf / "y").mkdir()
    (shelf / "y" / "skin.toml").symlink_to(outside / "skin.toml")
    (shelf / "z").symlink_to("z")
    for name in ("x", "y", "z"):
        with pytest.raises(SkinInvalid):
            load_skin(name, [shelf])
    with pytest.raises(SkinInvalid, match="link"):
        load_skin(shelf / "y", [])


def test_a_named_pipe_does_not_hang(tmp_path):
    (tmp_path / "x").mkdir()
    os.mkfifo(tmp_path / "x" / "skin.toml")
    with pytest.raises(SkinInvalid, match="regular"):
        load_skin("x", [tmp_path])


@given(data=st.binary(max_size=300))
def test_any_bytes_load_or_are_refused(tmp_path_factory, data):
    home = tmp_path_factory.mktemp("skins") / "x"
    home.mkdir()
    (home / "skin.toml").write_bytes(data)
    with pytest.raises(SkinInvalid):
        load_skin(home, [])


def test_the_soul_is_short_and_ours():
    soul = read_soul()
    assert soul.startswith("# Hermes\n")
    assert len(soul.split()) < 400
