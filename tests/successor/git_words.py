import subprocess
from pathlib import Path


def git(root: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", f"safe.directory={root}"]
    argv = ["git", *who, "-C", str(root), *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
