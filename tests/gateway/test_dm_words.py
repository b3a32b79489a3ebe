import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.event import ApprovalAsked
from hermes.gateway.dm_code import code_digest, code_in, new_code
from hermes.gateway.dm_questions import Questions
from hermes.gateway.dm_turns import turn_named
from hermes.gateway.dm_words import Command, Reply, command_in, reply_in, unslashed


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/status", "status"),
        ("  /Stop  ", "stop"),
        ("/new.", "new"),
        ("/help me", "help"),
        ("/dance", "dance"),
        ("/ not a command", None),
        ("//etc/passwd is a file", None),
        ("/etc/passwd", None),
        ("/", None),
        ("", None),
        ("what does /status do", None),
    ],
)
def test_commands(text, name):
    found = command_in(text)
    assert (found.name if found else None) == name


def test_what_follows_a_command_belongs_to_it():
    assert command_in("/successor  bafyreib\nnow") == Command("successor", "bafyreib\nnow")


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("yes", Reply("yes")),
        ("Yes.", Reply("yes")),
        ("/y", Reply("yes")),
        ("y 3", Reply("yes", 3)),
        ("yes #3!", Reply("yes", 3)),
        ("always", Reply("always")),
        ("A 12", Reply("always", 12)),
        ("no", Reply("no")),
        ("No, use the other file", Reply("no", reason="use the other file")),
        ("no 2 not today", Reply("no", 2, "not today")),
        ("no 2 files", Reply("no", 2, "files")),
        ("yes please", None),
        ("yes 3 and more", None),
        ("yesterday", None),
        ("nothing", None),
        ("", None),
        ("yes" + " " * 5_000, None),
    ],
)
def test_replies(text, reply):
    assert reply_in(text) == reply


def test_what_the_agent_is_told():
    assert unslashed("//status is a command") == "/status is a command"
    assert unslashed("/ so to say") == "so to say"
    assert unslashed(" plain ") == "plain"


def test_a_code_is_found_however_it_is_typed():
    code = new_code()
    for written in (
        code,
        code.lower(),
        code.replace("-", ""),
        code.replace("-", " "),
        f"/pair {code}",
    ):
        assert code_in(f" {written}\n") == code
    assert code_in("o0il1-00000") == "00111-00000"
    assert code_digest(code) != code_digest(new_code())


@given(st.text(max_size=200))
def test_no_text_breaks_the_readers(text):
    code, reply, command = code_in(text), reply_in(text), command_in(text)
    assert code == "" or code_in(code) == code
    assert reply is None or reply.answer in {"yes", "no", "always"}
    assert command is None or command.name.isascii()


def test_codes_do_not_come_twice():
    codes = {new_code() for _ in range(1_000)}
    assert len(codes) == 1_000
    assert len({letter for code in codes for letter in code}) == 33  # 32 letters and the dash


def test_a_message_is_always_the_same_turn():
    names = {turn_named(f"{number:064x}") for number in range(16)} | {turn_named("ab" * 32)}
    assert turn_named("ab" * 32) == "abababab-abab-8bab-8bab-abababababab"
    assert len(names) == 2  # only the first 128 bits count: ids are digests


def asked(call, turn="t"):
    return ApprovalAsked(
        conversation_id="c", turn_id=turn, at=0, call_id=call, name="Bash",
        arguments={"command": call}, rule=f"Bash({call})",
    )  # fmt: skip


def test_a_bare_yes_is_for_the_only_question():
    questions = Questions()
    assert questions.pick(Reply("yes"), 0) is None
    assert questions.ask(asked("a")) == 1
    assert questions.ask(asked("a")) == 0  # told twice, asked once
    assert questions.pick(Reply("yes"), 0) == asked("a")
    assert questions.ask(asked("b")) == 2
    assert questions.pick(Reply("yes"), 0) is None
    assert questions.pick(Reply("no", 1), 0) == asked("a")
    assert questions.pick(Reply("no", 2), 0) == asked("b")
    assert questions.pick(Reply("no", 3), 0) is None
    assert questions.numbers == (1, 2)


def test_a_late_yes_is_not_for_the_question_that_came_after():
    questions = Questions()
    questions.ask(asked("rm -r build"))
    assert questions.close("rm -r build", 1_000) == 1
    assert questions.close("rm -r build", 1_000) == 0
    questions.ask(asked("rm -r /"))
    assert questions.pick(Reply("yes"), 2_000) is None
    assert questions.pick(Reply("yes", 1), 2_000) is None
    assert questions.pick(Reply("yes", 2), 2_000) == asked("rm -r /")
    assert questions.pick(Reply("yes"), 1_000 + 10 * 60_000) == asked("rm -r /")


def test_an_answer_of_ours_leaves_no_doubt():
    questions = Questions()
    questions.ask(asked("a"))
    questions.close("a", 1_000, by_us=True)
    questions.ask(asked("b"))
    assert questions.pick(Reply("yes"), 1_001) == asked("b")


def test_a_turn_takes_its_questions_along():
    questions = Questions()
    questions.ask(asked("a", "one"))
    questions.ask(asked("b", "two"))
    questions.end("one", 5)
    assert questions.numbers == (2,)
