import pytest
from gate_house import gate_house, git, little, nobody, verdict_on

from hermes.errors import Halted, Refused, SuccessorError, Usage
from hermes.store.adoptions import ApprovalRow
from hermes.successor.gate import Terms, opens
from hermes.successor.pointer import Notes
from hermes.successor.records import Word

CID = "bafyrei" + "a" * 52
DIFF = "d" * 64


@pytest.fixture
def checkout(tmp_path):
    return little(tmp_path / "checkout")


def word(answer="approve", door="terminal", by="", who="me", at=1, **more):
    told = {"cid": CID, "candidate": CID, "verdict": CID, "diff": DIFF, "reason": ""} | more
    return ApprovalRow(**told, answer=answer, door=door, by=by, who=who, at=at)


def terms(**more):
    return Terms(**({"verdict": CID, "diff": DIFF} | more))


def test_a_persons_word_opens_the_gate():
    assert opens(verdict_on(CID), [word()], terms()) == (word(),)
    assert opens(verdict_on(CID, "inconclusive"), [word(door="dm")], terms())


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (verdict_on(CID), []),
        (verdict_on(CID, "reject"), [word()]),
        (verdict_on(CID), [word(diff="e" * 64)]),
        (verdict_on(CID), [word(verdict="bafyrei" + "b" * 52)]),
        (verdict_on(CID), [word(), word("reject", at=2)]),
        (verdict_on(CID), [word(), word("reject", door="dm", who="you", at=2)]),
        (verdict_on(CID), [word(door="node", by="k1")]),
    ],
)
def test_without_one_it_stays_shut(verdict, words):
    with pytest.raises(Refused):
        opens(verdict, words, terms())


def test_who_changed_their_mind_counts_as_they_are_now():
    assert opens(verdict_on(CID), [word("reject"), word(at=2)], terms()) == (word(at=2),)


def test_k_of_n_nodes_open_it_unless_only_a_person_may():
    node = [word(door="node", by=key, who=key) for key in ("k1", "k2", "k3")]
    both = terms(quorum=2, trusted=frozenset({"k1", "k2"}))
    assert [one.by for one in opens(verdict_on(CID), node, both)] == ["k1", "k2"]
    with pytest.raises(Refused, match="1 of 2"):
        opens(verdict_on(CID), [node[0], node[0], node[2]], both)
    with pytest.raises(Refused, match="only a person"):
        opens(verdict_on(CID, person_only=("it touches the judge",)), node, both)
    with pytest.raises(Refused, match="only a person"):
        opens(verdict_on(CID, "inconclusive"), node, both)
    assert opens(verdict_on(CID, person_only=("tests",)), [*node, word()], both) == (word(),)


async def test_a_candidate_becomes_a_version(tmp_path, checkout):
    async with gate_house(tmp_path, checkout) as house:
        name = await house.candidate()
        with pytest.raises(Refused, match="not approved"):
            await house.adopting.adopt(name)
        await house.yes(name)
        row = await house.adopting.adopt(name)

        pointer = house.versions.pointer
        assert (row.tag, await house.current(), row.previous) == ("v0.2.0", "v0.2.0", "")
        assert (pointer.place("v0.2.0") / "hermes" / "more.py").read_text().startswith("X = ")
        assert (pointer.place("v0.2.0") / "run.sh").stat().st_mode & 0o777 == 0o555
        assert list((pointer.place("v0.2.0") / "hermes" / "__pycache__").iterdir())
        assert (await house.notes()).stage == "probation"
        assert house.steps == [
            "approved",
            "written down",
            "committed",
            "laid",
            "tested",
            "switched",
        ]

        # The version's folder is a checkout of its own commit, on the parent, with its tag.
        place = pointer.place("v0.2.0")
        assert git(place, "rev-parse", "HEAD") == row.version
        assert git(place, "rev-parse", "HEAD^") == git(checkout, "rev-parse", "HEAD")
        assert git(place, "cat-file", "-p", "HEAD:run.sh") == "#!/bin/sh"
        assert git(house.data / "versions" / "repo.git", "tag") == "v0.2.0"
        # And the person's checkout is as it was.
        assert git(checkout, "status", "--porcelain") == ""
        assert git(checkout, "tag") == git(checkout, "branch", "--list", "hermes/*") == ""

        await house.adopting.keep()
        (kept,) = await house.records.adoptions()
        assert kept.outcome == "kept"
        assert await house.store.verify() == ()


async def test_back_and_forth(tmp_path, checkout):
    async with gate_house(tmp_path, checkout) as house:
        first = await house.candidate()
        await house.yes(first)
        await house.adopting.adopt(first)
        second = await house.candidate({"hermes/two.py": "Y = 2\n"}, task="two")
        await house.yes(second)
        await house.adopting.adopt(second, "patch")
        assert await house.current() == "v0.2.1"

        assert await house.adopting.roll_back("slower here") == "v0.2.0"
        assert await house.current() == "v0.2.0"
        assert house.ground.came_back == 1
        one, two = await house.records.adoptions()
        assert (one.outcome, two.outcome, two.why) == ("kept", "rolled back", "slower here")
        assert await house.adopting.roll_back("that too") == ""
        assert await house.current() == ""
        with pytest.raises(Refused, match="no version to leave"):
            await house.adopting.roll_back("again")
        assert await house.notes() == Notes()
        assert await house.store.verify() == ()


async def test_what_fails_its_test_never_runs(tmp_path, checkout):
    async with gate_house(tmp_path, checkout) as house:
        name = await house.candidate()
        await house.yes(name)
        house.ground.fails = SuccessorError("it does not start")
        with pytest.raises(SuccessorError):
            await house.adopting.adopt(name)
        assert await house.current() == ""
        (row,) = await house.records.adoptions()
        assert (row.outcome, row.why) == ("failed", "it does not start")
        house.ground.fails = None
        assert (await house.adopting.adopt(name)).tag == "v0.3.0"  # a tag is never given twice


async def test_an_old_verdict_does_not_fit_a_new_version(tmp_path, checkout):
    async with gate_house(tmp_path, checkout) as house:
        first, second = await house.candidate(), await house.candidate(task="another")
        for name in (first, second):
            await house.yes(name)
        await house.adopting.adopt(first)
        with pytest.raises(Refused, match="judged on"):
            await house.adopting.adopt(second)


async def test_files_that_were_changed_since_are_refused(tmp_path, checkout):
    async with gate_house(tmp_path, checkout) as house:
        name = await house.candidate()
        await house.yes(name)
        tree = await house.ground.tree(await house.records.candidate(name))
        (tree / "hermes" / "more.py").write_text("X = 'evil'\n")
        with pytest.raises(Refused, match="not those that were judged"):
            await house.adopting.adopt(name)
        assert await house.current() == ""


async def test_the_word_is_on_the_difference_that_was_shown(tmp_path, checkout):
    async with gate_house(tmp_path, checkout) as house:
        name = await house.candidate()
        with pytest.raises(Refused, match="difference"):
            await house.yes(name, diff="0" * 64)
        rejected = await house.candidate(task="bad", word="reject")
        with pytest.raises(Refused, match="judge rejected"):
            await house.yes(rejected)
        with pytest.raises(Usage):
            await house.yes("bafyreix", diff="0" * 64)
        unjudged = await house.candidate(task="open", word="")
        with pytest.raises(Refused, match="no verdict"):
            await house.yes(unjudged)


async def test_a_rejected_candidate_stays_out(tmp_path, checkout):
    async with gate_house(tmp_path, checkout) as house:
        name = await house.candidate()
        await house.yes(name)
        await house.adopting.say(name, Word("reject", "me", "dm", await house.diff_of(name)))
        with pytest.raises(Refused, match="a person rejected"):
            await house.adopting.adopt(name)


async def test_a_stop_holds_up_adoptions(tmp_path, checkout):
    async with gate_house(tmp_path, checkout) as house:
        name = await house.candidate()
        await house.yes(name)
        await house.stops.stop("look first")
        with pytest.raises(Halted, match="look first"):
            await house.adopting.adopt(name)
        await house.stops.resume()
        await house.adopting.adopt(name)
        await house.stops.stop("")
        assert await house.adopting.roll_back("") == ""  # going back is never held up


async def test_tag_and_branch_come_into_the_checkout_when_asked(tmp_path, checkout):
    async with gate_house(tmp_path, checkout) as house:
        name = await house.candidate()
        await house.yes(name)
        row = await house.adopting.adopt(name)
        await house.versions.publish(checkout, row.tag)
    assert git(checkout, "rev-parse", "v0.2.0^{commit}") == row.version
    assert git(checkout, "rev-parse", "hermes/adopted") == row.version
    assert git(checkout, "rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert git(checkout, "status", "--porcelain") == ""
    assert not (checkout / "hermes" / "more.py").exists()


async def test_hooks_and_settings_of_the_checkout_play_no_part(tmp_path, checkout):
    hook = checkout / ".git" / "hooks" / "reference-transaction"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    async with gate_house(tmp_path, checkout) as house:
        name = await house.candidate()
        await house.yes(name)
        row = await house.adopting.adopt(name)
        await house.versions.publish(checkout, row.tag)
    assert not (tmp_path / "ran").exists()


async def test_trials_a_day_and_failures_in_a_row(tmp_path, checkout):
    async with gate_house(tmp_path, checkout, trials_per_day=4, halt_after=2) as house:
        await house.stops.check("trial")
        await house.candidate(task="1", word="reject")
        await house.stops.check("trial")
        await house.candidate(task="2", word="inconclusive")
        with pytest.raises(Halted, match="the last 2 trials"):
            await house.stops.check("trial")
        await house.stops.resume()
        await house.candidate(task="3")
        await house.stops.check("trial")
        await house.candidate(task="4")
        with pytest.raises(Halted, match="4 trials"):
            await house.stops.check("trial")
        await house.stops.check("adoption")


@pytest.mark.parametrize("hook", ["exit 1;", "/nowhere/at-all"])
async def test_a_hook_that_does_not_say_yes_says_no(tmp_path, checkout, hook):
    async with gate_house(tmp_path, checkout, kill_hook=hook) as house:
        with pytest.raises(Halted, match="hook"):
            await house.stops.check("trial")


async def test_a_hook_hears_what_is_asked_for(tmp_path, checkout):
    hook = f"echo >>{tmp_path}/asked"
    async with gate_house(tmp_path, checkout, kill_hook=hook) as house:
        await house.stops.check("trial")
        await house.stops.check("adoption")
    assert (tmp_path / "asked").read_text().split() == ["trial", "adoption"]


async def test_without_an_identity_nobody_signs(tmp_path, checkout):
    async with gate_house(tmp_path, checkout, signer=nobody) as house:
        name = await house.candidate()
        await house.yes(name)
        (said,) = await house.records.words(name)
        assert said.by == ""
