"""Defects to plant in a copy of the tree: small patches that look like honest slips."""
# ruff: noqa: E501 - texts as they stand in the files

_RUNNER = "hermes/gateway/runner.py"
_PAGE = "        page = messages[asked.offset : asked.offset + asked.limit]\n"
_MESSAGES = '        messages = shown.pop("messages")\n'
_COMMIT = "                results, log_due = await self._writer.run("
_PARTS = "judged = [_part(part, shell, book, moved=moves) for part in parsed.parts"

PLANTS = {
    "off by one where a page ends with the conversation": (
        (_RUNNER, _PAGE, f"{_PAGE}        page = page[: -1 if asked.offset + asked.limit == len(messages) else None]\n"),
    ),
    "an event dropped when a turn is stopped": (
        (_RUNNER, "await tell(final)", 'if getattr(final, "kind", "") != "TurnStopped":\n                        await tell(final)'),
    ),
    "acknowledged before it is written": (
        ("hermes/store/database.py", _COMMIT, f"                for pending in group:\n                    pending.settle(None)\n                await anyio.sleep(0.02)\n{_COMMIT}"),
    ),
    "policy looks at the first part of a command only": (
        ("hermes/policy/shell.py", f"{_PARTS}]", f"{_PARTS}[:1]]"),
    ),
    "results in the order in which they came": (
        ("hermes/tools/router.py", "tuple(results[position] for position in range(len(prepared)))", "tuple(results.values())"),
    ),
    "letters folded wrongly in a search": (
        ("hermes/store/query.py", "clean = text[:_MOST_TEXT]", "clean = text[:_MOST_TEXT].casefold()"),
    ),
    "every search keeps 40 kB": (
        (_RUNNER, "_STOP_S = 2.0\n", "_STOP_S = 2.0\n_SEEN: list[bytes] = []\n"),
        (_RUNNER, "            case Search():\n", "            case Search():\n                _SEEN.append(b'x' * (40_000 + len(_SEEN)))\n"),
    ),
    "slow above forty messages": (
        (_RUNNER, _MESSAGES, f"{_MESSAGES}        if len(messages) > 40:\n            sorted(messages * 40, key=str)\n"),
    ),
    "an error swallowed": (
        ("hermes/gateway/mcp_runner.py", "is_error=failed", "is_error=False"),
    ),
    "the order of a set": (
        (_RUNNER, '{"hits": hits}', '{"hits": [one for text in {str(one) for one in hits} for one in hits if str(one) == text]}'),
    ),
    "a turn asked for twice is done twice": (
        ("hermes/conversation/shards.py", 'if record is not None and record.state != "running":', 'if record is not None and record.state == "stopped":'),
    ),
    "the write-ahead log thrown away at start": (
        ("hermes/store/database.py", "        with anyio.CancelScope(shield=True):  # aiosqlite drops", "        self.path.with_name(self.path.name + '-wal').unlink(missing_ok=True)\n        with anyio.CancelScope(shield=True):  # aiosqlite drops"),
    ),
    "a call that is refused is not counted": (
        ("hermes/conversation/record.py", "text=text, usage=usage, denied=self.denied", "text=text, usage=usage, denied=min(self.denied, 1)"),
    ),
}  # fmt: skip
