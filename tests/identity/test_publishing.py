import pytest

from hermes.errors import Usage
from hermes.identity.publishing import FilePublisher


async def test_what_is_published_lies_in_a_file_and_the_newer_takes_its_place(tmp_path):
    publisher = FilePublisher(tmp_path / "published")
    await publisher.publish("checkpoint", "7.note", b"one")
    await publisher.publish("anchor", "ab12", b"two")
    await publisher.publish("checkpoint", "7.note", b"three")
    assert (tmp_path / "published/checkpoint/7.note").read_bytes() == b"three"
    assert (tmp_path / "published/anchor/ab12").read_bytes() == b"two"
    assert [path.name for path in (tmp_path / "published/checkpoint").iterdir()] == ["7.note"]


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "a\0", "x" * 129])
async def test_a_name_is_no_way_out_of_the_folder(tmp_path, name):
    publisher = FilePublisher(tmp_path / "published")
    with pytest.raises(Usage):
        await publisher.publish("checkpoint", name, b"")
    with pytest.raises(Usage):
        await publisher.publish(name, "fine", b"")
    assert not (tmp_path / "published").exists()
