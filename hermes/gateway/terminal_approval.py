"""What a line means while an approval waits.

An answer is a word and Enter, never a single key: a question that pops up while somebody is
typing must not be answered by their next letter.
"""

from hermes.core.event import Answer, ApprovalAsked
from hermes.gateway.terminal_state import Chat

_WORDS: dict[str, Answer] = {"y": "yes", "yes": "yes", "a": "always", "always": "always"}
_NO = {"n", "no"}
_DIFF = {"d", "diff"}


def parse(line: str) -> tuple[Answer, str] | None:
    """The answer and its reason; None when the line is none."""
    word, _, reason = line.strip().partition(" ")
    word = word.rstrip(",.:").lower()
    if word in _NO:
        return "no", reason.strip()
    if word in _WORDS and not reason.strip():
        return _WORDS[word], ""
    return None


async def answer(chat: Chat, line: str) -> bool:
    """Answer the oldest waiting approval; False when the line is no answer."""
    if not chat.view.approvals:
        return False
    asked = next(iter(chat.view.approvals.values()))
    if line.lower() in _DIFF:
        await _show(chat, asked)
        return True
    said = parse(line)
    if said is None:
        await chat.screen.say("queued; the turn waits for y, a, n [reason] or d", "warn")
        return False
    word, reason = said
    chat.transcript.mine.add(asked.call_id)
    won = await chat.door.approve(asked.call_id, word, reason)
    chat.view.approvals.pop(asked.call_id, None)
    chat.view.changed()
    mark = chat.view.marks.notice
    if won:
        await chat.screen.say(f"{mark} {word}{f': {reason}' if reason else ''}", "dim")
    else:
        await chat.screen.say(f"{mark} somebody answered before", "warn")
    return True


async def _show(chat: Chat, asked: ApprovalAsked) -> None:
    if asked.diff:
        await chat.screen.commit(chat.screen.paint.diff(asked.diff, most=400))
    else:
        await chat.screen.say("it changes no file that could be shown", "dim")
