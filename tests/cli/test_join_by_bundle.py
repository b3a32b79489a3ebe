"""A node becomes a member with no network at all: two homes, real commands, files between them."""

import json
import subprocess
from contextlib import ExitStack

import pytest

from benchmarks.measure import HERMES, home
from hermes.identity.invitation import invite

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Home:
    """A machine without any mesh in its settings; files go by `stick`."""

    def __init__(self, env, stick):
        self.env, self.stick = env, stick

    def run(self, *words):
        return subprocess.run(
            [HERMES, *words],
            env=self.env,
            cwd=self.stick,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def ask(self, *words):
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def members(self):
        return {row["npub"]: row["member"] for row in self.ask("peers", "list")}


@pytest.fixture
def homes(tmp_path):
    with ExitStack() as stack:
        made = [Home(stack.enter_context(home()), tmp_path) for _ in range(3)]
        for one in made:
            one.npub = one.ask("identity", "init", "--unattended")["npub"]
        yield made


def test_a_question_and_an_answer_are_carried_over(homes):
    desk, laptop, stranger = homes
    code = desk.ask("peers", "invite", "--by-hand", "--name", "laptop")["code"]
    refused = desk.run("peers", "invite")
    assert refused.returncode == 4
    assert "no node runs" in refused.stderr

    asked = laptop.ask("peers", "join", code, "--bundle", "ask.hbundle")
    assert (asked["npub"], asked["letters"]) == (desk.npub, 1)
    assert stranger.run("bundle", "import", "ask.hbundle").returncode != 0  # not for it
    taken = desk.ask("bundle", "import", "ask.hbundle")
    assert (taken["creator"], taken["letters"], taken["refused"]) == (laptop.npub, 1, {})
    both = {desk.npub: "valid", laptop.npub: "valid"}
    assert desk.members() == both
    assert laptop.members() == {laptop.npub: "valid"}  # it cannot know yet

    # Taken twice it has one effect; the code lets in nobody else.
    assert desk.ask("bundle", "import", "ask.hbundle")["refused"] == {"replayed": 1}
    stranger.ask("peers", "join", code, "--bundle", "me-too.hbundle")
    desk.ask("bundle", "import", "me-too.hbundle")
    assert desk.members() == both

    told = desk.ask("bundle", "export", "answer.hbundle", "--to", laptop.npub)
    assert told["receipts"] == 1
    taken = laptop.ask("bundle", "import", "answer.hbundle")
    assert taken["refused"] == {}
    assert laptop.members() == both
    again = laptop.run("peers", "join", code, "--bundle", "ask.hbundle")
    assert "exists already" in again.stderr

    # A member now: what is revoked here is told there, by hand too.
    desk.ask("bundle", "export", "rest.hbundle")
    laptop.ask("bundle", "import", "rest.hbundle")
    assert laptop.members() == both


def test_an_answer_that_nobody_asked_for_lets_nobody_in(homes):
    desk, laptop, stranger = homes
    code = desk.ask("peers", "invite", "--by-hand")["code"]
    laptop.ask("peers", "join", code, "--bundle", "ask.hbundle")
    desk.ask("bundle", "import", "ask.hbundle")
    desk.ask("bundle", "export", "answer.hbundle")
    refused = stranger.run("bundle", "import", "answer.hbundle")
    assert refused.returncode != 0
    assert "somebody else" in refused.stderr
    own = stranger.run("peers", "join", stranger.ask("peers", "invite", "--by-hand")["code"])
    assert own.returncode != 0
    # A question by a secret that the desk never made, while a code of its own is open.
    desk.ask("peers", "invite", "--by-hand")
    node = next(row["node"] for row in desk.ask("peers", "list") if row["npub"] == desk.npub)
    stranger.ask("peers", "join", invite(node, ()).code, "--bundle", "odd.hbundle")
    desk.ask("bundle", "import", "odd.hbundle")
    assert stranger.npub not in desk.members()
