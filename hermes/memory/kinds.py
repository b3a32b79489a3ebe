"""What a project has one of at a time, and the words that people use for it.

Two values for one of these contradict each other. Only what is rarely used side by side stands
here; everything else is compared by its own words.
"""

from hermes.memory.words import telling

_KINDS = {
    "database": "postgresql postgres mysql mariadb sqlite mongodb cockroachdb duckdb clickhouse",
    "cache": "memcached redis valkey dragonfly keydb",
    "test runner": "pytest unittest nose nose2 jest vitest mocha rspec junit",
    "package manager": "npm yarn pnpm poetry pipenv conda pdm",
    "formatter": "black yapf prettier gofmt rustfmt autopep8",
    "type checker": "mypy pyright pyre",
    "web framework": "django flask fastapi starlette rails express spring laravel",
    "front end": "react vue angular svelte solidjs preact htmx",
    "indentation": "tabs spaces leerzeichen espacios espaces tabulations tabuladores",
    "editor": "vim neovim emacs vscode helix",
    "ci": "jenkins circleci travis buildkite",
    "hosting": "aws azure gcp hetzner scaleway linode vultr",
    "message queue": "rabbitmq kafka nats pulsar redpanda",
    "issue tracker": "jira linear youtrack redmine bugzilla",
    "team chat": "slack zulip mattermost discord",
}
_NAMES = {
    "database": "database|data|store|stored|storage|persistence|keep data|store data|data live|store everything|"
    "state|datenbank|base données|base datos",
    "cache": "cache|caching|cache sessions|sessions cached|session cache",
    "test runner": "test runner|tests|run tests|tests run|testing|what runs tests|tests laufen|"
    "tests starten|tests tournent|pruebas ejecutan",
    "package manager": "package manager|packages|dependencies|install packages|install dependencies|"
    "dependencies installed|abhängigkeiten installieren|dependencias instalan",
    "formatter": "formatter|formatting|format code|code formatted",
    "linter": "linter|lint|lint code|ci lints|linter proyecto",
    "type checker": "type checker|check types|typing",
    "web framework": "web framework|backend framework",
    "front end": "front end|frontend|web client|user interface|write front end|front end written|"
    "build web client|front end framework|frontend framework|ui framework|front-end écrit",
    "indentation": "indentation|indent|indenting|style guide indentation|code indented",
    "editor": "editor",
    "ci": "ci|ci system|ci server|continuous integration",
    "hosting": "hosting|cloud|hosting provider|cloud provider|servers|host|host everything|"
    "rent servers|server stehen",
    "message queue": "message queue|queue|message broker|broker|broker events|events|send events|"
    "message bus|nachrichten laufen|message-queue",
    "issue tracker": "issue tracker|bug tracker|bugs|tickets|issues|track issues|bugs tracked|file bugs|"
    "tickets live|track bugs|fehler erfassen",
    "team chat": "team chat|team talks|chat|alerts|post alerts|alerts posted|announce releases",
    "staging server": "staging|staging server|staging machine|deploy staging|staging lives|"
    "name staging machine|staging läuft",
    "production region": "production|cloud region|region|production region|production cluster|"
    "production cluster sits|deploy production|keep production cluster",
    "release day": "release|releases|release day|release days|cut releases|releases go out|livraisons sortent",
    "default branch": "default branch|main branch|branch|pull requests|pull requests go|open pull requests|"
    "branch pull requests",
    "wire format": "wire format|serialise|serialize|messages encoded|encode messages|message format",
    "licence": "licence|license|code|license code|new files carry licence|new files|put new files licence",
    "login": "logins|login|logins go|identity provider|single sign|single sign done|do single sign|login system|"
    "authentication|auth|auth provider",
    "cli language": "cli|command line tool|command line tool written|write command line tool|write cli|"
    "cli language|cli program",
    "documentation language": "documentation written|docs|manual|manual kept|write documentation|"
    "keep manual|language documentation",
    "monitoring": "metrics|metrics go|monitoring|monitor|dashboards|dashboards read|send metrics|"
    "monitoring system",
    "money": "amounts|amounts stored|prices|money columns|money columns hold|store amounts|"
    "keep prices|unit amounts",
    "time zone": "time zone|reports time zone|cron|cron runs|run cron|reports|render reports|"
    "time zone reports",
    "diagrams": "diagrams|diagrams drawn|draw diagrams|keep diagrams|architecture pictures|"
    "architecture pictures made|make architecture pictures|tool diagrams",
    "shell": "shell|deploy scripts|deploy scripts written|write deploy scripts|write scripts|"
    "build machines shell|shell deploy scripts",
    "migrations": "migrations|database migrations|schema changes|migrate|migrations written",
    "coverage": "coverage|test coverage|coverage threshold|least coverage",
}  # fmt: skip
KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split()}
"""The kind of a thing, by its plain word."""


def normal(text: str) -> str:
    """Telling stems in alphabetical order."""
    return " ".join(sorted(set(telling(text))))


def named(text: str) -> str:
    """The kind that words mean, else the words in normal form without the lightest verbs."""
    stems = set(telling(text))
    kept = " ".join(sorted(stems - _LIGHT or stems))
    return NAME_OF.get(kept, kept)


_LIGHT = frozenset(telling("come comes go goes get gets kommen gehen"))
NAME_OF = {
    " ".join(sorted(set(telling(name)) - _LIGHT)): kind
    for kind, names in _NAMES.items()
    for name in (*names.split("|"), kind)
}
"""The kind that words in normal form mean."""
