"""What a command sees of the environment: a short list of names, so that no key leaks."""

from collections.abc import Mapping

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "TMPDIR")
FIXED = {
    "TERM": "dumb",
    "NO_COLOR": "1",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "false",
}
PATH = "/usr/local/bin:/usr/bin:/bin"


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Pick what a command may see; everything else, API keys above all, stays out.

    `GIT_EDITOR=false`: a commit without a message fails at once instead of waiting.
    """
    kept = {name: environ[name] for name in KEPT if name in environ}
    return {"PATH": PATH, "LANG": "C.UTF-8"} | kept | FIXED
