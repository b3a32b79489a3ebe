"""`hermes train`: data, models and measures; each verb's heavy part is loaded when it runs."""

from hermes.cli import train_data, train_eval, train_run, train_sync
from hermes.cli.command import Commands, add_command, add_verbs


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    example = "hermes train run --from ember --data curated/train.jsonl --out better"
    verbs = add_verbs(add_command(commands, "train", "make and measure models", example))
    train_data.add(verbs)
    train_run.add(verbs)
    train_sync.add(verbs)
    train_eval.add(verbs)
