"""Things of which a project has one at a time: two of one kind contradict each other.

Only what is rarely used side by side; everything else is compared by its words.
"""

from hermes.memory.words import telling

_KINDS = {
    "database": "postgresql postgres mysql mariadb sqlite mongodb cockroachdb oracle duckdb dynamodb",
    "cache": "memcached redis valkey",
    "test runner": "pytest unittest nose jest vitest mocha rspec junit",
    "package manager": "npm yarn pnpm bun poetry pipenv uv conda",
    "formatter": "black ruff yapf prettier gofmt rustfmt autopep8",
    "type checker": "mypy pyright pyre",
    "web framework": "django flask fastapi starlette rails express spring laravel",
    "frontend framework": "react vue angular svelte solid",
    "indentation": "tabs spaces tab space leerzeichen espacios espaces tabulations tabuladores",
    "editor": "vim neovim emacs vscode helix zed",
    "ci": "jenkins circleci travis buildkite",
    "cloud": "aws azure gcp hetzner",
    "queue": "rabbitmq kafka nats celery",
}
_PURPOSES = {
    "database": "database storage persistence state datenbank speicherung almacenamiento db",
    "cache": "caching cache",
    "test runner": "tests testing",
    "package manager": "packages dependencies pakete",
    "formatter": "formatting formatter",
    "type checker": "typing types",
    "web framework": "web backend",
    "frontend framework": "frontend ui",
    "indentation": "indentation indenting",
    "editor": "editing editor",
    "ci": "ci",
    "cloud": "hosting cloud",
    "queue": "queue messaging queueing",
}
KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split()}
"""The kind of a thing, by its plain word."""


def _purposes() -> dict[str, str]:
    words = [(word, kind) for kind, said in _PURPOSES.items() for word in said.split()]
    words += [(kind, kind) for kind in _KINDS]
    return {" ".join(sorted(telling(word))): kind for word, kind in words}


PURPOSE_OF = _purposes()
"""The kind that a purpose asks for, by its stems: "for tests" is about the test runner."""
