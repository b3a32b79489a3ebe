"""`hermes successor`: changes of this runtime: tried, judged, approved, adopted, taken back."""

from hermes.cli.command import Commands, Run, add_command, add_json, add_verbs, count
from hermes.load import load


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    noun = add_command(
        commands,
        "successor",
        "changes of Hermes itself: tried in a sandbox, adopted when you say so",
        "hermes successor list",
    )
    verbs = add_verbs(noun)
    run = add_command(
        verbs,
        "run",
        "try a patch in a sandbox, and judge it from outside",
        'hermes successor run faster.patch --task "show that searching is faster"',
        _late("run"),
    )
    run.add_argument("patch", metavar="PATCH", help="a diff, Markdown with diffs, or branch:NAME")
    run.add_argument("--task", default="", metavar="TEXT", help="what is to be shown")
    run.add_argument(
        "--effort",
        choices=("micro", "fast", "full"),
        default="fast",
        help="how much it may use: ci/budgets.json (unless given: fast)",
    )
    run.add_argument(
        "--goal",
        choices=("same", "better"),
        default="same",
        help="better: it must be faster in a benchmark; same: not slower (unless given)",
    )
    run.add_argument("--seed", default="", metavar="HEX", help="the inputs of an earlier trial")
    trials = add_command(verbs, "list", "what was tried", "hermes successor list", _late("trials"))
    trials.add_argument("--limit", type=count, default=20, metavar="N", help="so many at most")
    show = add_command(
        verbs,
        "show",
        "a verdict in words, its figures, the difference; without ID the versions that ran here",
        "hermes successor show bafyreib",
        _late("show"),
    )
    approve = add_command(
        verbs,
        "approve",
        "adopt a candidate, once you have seen the difference",
        "hermes successor approve bafyreib",
        _late("approve"),
    )
    reject = add_command(
        verbs,
        "reject",
        "say no to a candidate",
        'hermes successor reject bafyreib --reason "too clever"',
        _late("reject"),
    )
    told = "a candidate's or a trial's, or how it begins"
    show.add_argument("name", metavar="ID", nargs="?", default="", help=told)
    for command in (approve, reject):
        command.add_argument("name", metavar="ID", help=told)
    for command in (approve, reject):
        command.add_argument("--reason", default="", metavar="TEXT", help="why")
        command.add_argument(
            "--diff", default="", metavar="SHA256", help="in a script: the difference you have seen"
        )
    approve.add_argument(
        "--step",
        choices=("major", "minor", "patch"),
        default="minor",
        help="which number of the version grows (unless given: minor)",
    )
    approve.add_argument(
        "--publish", action="store_true", help="bring tag and branch into the git checkout too"
    )
    approve.add_argument(
        "--wait", action="store_true", help="until the node has handed itself over"
    )
    rollback = add_command(
        verbs,
        "rollback",
        "go back to the version before",
        'hermes successor rollback --reason "slower here"',
        _late("rollback"),
    )
    stop = add_command(
        verbs,
        "stop",
        "begin no trial and no adoption, and end what runs",
        "hermes successor stop",
        _late("stop"),
    )
    for command in (rollback, stop):
        command.add_argument("--reason", default="", metavar="TEXT", help="why")
    resume = add_command(
        verbs, "resume", "lift the stop", "hermes successor resume", _late("resume")
    )
    status = add_command(
        verbs,
        "status",
        "which version runs, and what holds things up",
        "hermes successor status",
        _late("status"),
    )
    for command in (run, trials, show, approve, reject, rollback, stop, resume, status):
        add_json(command)


def _late(name: str) -> Run:
    async def work(*given: object) -> int:
        code: int = await getattr(load("successor_command"), name)(*given)
        return code

    return work
