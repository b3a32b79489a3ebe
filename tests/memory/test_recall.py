from collections.abc import AsyncIterator

import pytest

from hermes.memory.recall import Recaller, ids
from hermes.store.store import Store

DAY = 86_400_000


class Fixed:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Fixed:
    return Fixed()


@pytest.fixture
async def store(tmp_path, clock) -> AsyncIterator[Store]:
    async with Store.open(tmp_path / "store.db", clock) as opened:
        yield opened


@pytest.fixture
def recaller(store, clock) -> Recaller:
    return Recaller(store, clock)


NOISE = (
    "the staging cluster runs in Frankfurt",
    "releases go out on Tuesdays",
    "the logo is kept in assets/logo.svg",
    "Maria owns the billing service",
    "integration tests need Docker",
    "error messages end with a full stop",
)


async def _fill(store: Store, *contents: str) -> list[int]:
    return [await store.memory.add("p", "decision", one) for one in contents]


async def test_the_memory_that_a_question_means_comes_first(store, recaller):
    wanted, *_ = await _fill(store, "the staging database listens on port 5433", *NOISE)

    found = await recaller.find("p", "which port does the database on staging use?")

    assert found[0].memory.id == wanted
    assert found[0].score > 0.5
    assert {"port", "databas"} <= set(found[0].why.words)
    assert found[0].why.text_rank == 1


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("deployments are run by make deploy", "how do I deploy?"),
        ("we cache results in Redis", "where does the caching happen"),
        ("policies lie in policy.toml", "the policy"),
        ("Grüße stehen in gruss.txt", "GRUSSE"),
        ("le mot de passe se réinitialise chaque été", "ETE"),
    ],
)
async def test_other_forms_of_a_word_are_found(store, recaller, said, asked):
    wanted, *_ = await _fill(store, said, *NOISE)

    assert ids(await recaller.find("p", asked, 1)) == (wanted,)


async def test_a_shared_small_word_is_no_fit(store, recaller):
    await _fill(store, *NOISE)

    assert await recaller.find("p", "what is in it and where are they?", least=0.3) == ()


async def test_one_shared_word_of_many_stays_below_the_threshold(store, recaller):
    await _fill(store, *NOISE)
    query = "write a poem about the sea, a ship, three sailors and the tests that they passed"

    assert await recaller.find("p", query, least=0.3) == ()
    assert await recaller.find("p", query) != ()


async def test_other_projects_and_what_is_over_are_never_found(store, recaller, clock):
    await store.memory.add("other", "decision", "the port is 1")
    old = await store.memory.add("p", "decision", "the port is 2")
    new = await store.memory.supersede(old, "the port is 3")
    await store.memory.add("p", "fact", "the port is 4 for a day", expires_at=clock.now + DAY)
    clock.now += 2 * DAY

    assert ids(await recaller.find("p", "port")) == (new,)


async def test_relevance_fades_and_use_restores_it(store, recaller, clock):
    await _fill(store, "the port is 5433")
    (fresh,) = await recaller.find("p", "port")
    clock.now += 540 * DAY
    (faded,) = await recaller.find("p", "port")

    assert fresh.why.relevance == 1.0
    assert faded.why.relevance == pytest.approx(0.25, abs=0.01)
    assert 0.7 * fresh.score < faded.score < fresh.score
    assert faded.why.age_days == 540


async def test_of_two_that_fit_alike_the_more_relevant_comes_first(store, recaller):
    low = await store.memory.add("p", "fact", "apples are green", relevance_score=0.2)
    high = await store.memory.add("p", "fact", "apples are sweet", relevance_score=1.0)

    assert ids(await recaller.find("p", "apples")) == (high, low)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "  ",
        "?!",
        '"',
        'a "b',
        "\0",
        "\ud800",
        "NEAR(a b)",
        "port OR *",
        "*",
        "💥",
        "a" * 99_999,
    ],
)
async def test_any_text_is_a_valid_question(store, recaller, query):
    await _fill(store, *NOISE)

    await recaller.find("p", query)


async def test_a_name_in_the_question_wants_that_name(store, recaller):
    bergen, porto = await _fill(store, "Esme's office is Bergen", "Farid's office is Porto")

    found = await recaller.find("p", "in which office does Esme work?")
    assert ids(found) == (bergen, porto)
    assert found[1].score < 0.3 < found[0].score


@pytest.mark.parametrize(("said", "asked"), [("Esme sits in Oslo", "Esme's"), ("tabs", "tab")])
async def test_the_beginning_of_a_short_word_is_found(store, recaller, said, asked):
    (wanted,) = await _fill(store, said)
    assert ids(await recaller.find("p", asked)) == (wanted,)
