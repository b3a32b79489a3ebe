from hermes.sandbox.environment import clean_environment


def test_no_secret_passes():
    environ = {
        "PATH": "/bin",
        "HOME": "/home/someone",
        "OPENAI_API_KEY": "sk-secret",
        "HERMES_V2_API_KEY": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "LD_PRELOAD": "/tmp/x.so",
        "BASH_ENV": "/tmp/x.sh",
        "SSH_AUTH_SOCK": "/tmp/agent",
        "GIT_PAGER": "less",
    }
    seen = clean_environment(environ)
    assert seen["PATH"] == "/bin"
    assert seen["HOME"] == "/home/someone"
    assert seen["GIT_PAGER"] == "cat"
    assert seen["TERM"] == "dumb"
    assert "secret" not in " ".join(seen.values())
    assert not {"LD_PRELOAD", "BASH_ENV", "SSH_AUTH_SOCK"} & set(seen)


def test_a_path_is_always_there():
    assert clean_environment({})["PATH"]
