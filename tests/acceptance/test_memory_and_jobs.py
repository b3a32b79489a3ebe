"""What is remembered and what is due, through the door."""

import json

import anyio
from house import House, call, play
from stranger import calls

from hermes.config import Settings


def test_the_shipped_model_remembers_and_recalls(stranger):
    told = stranger.ask("remember that the database runs on port 5433", "--yes")
    assert told.code == 0
    assert [event["name"] for event in told.of("tool_called")] == ["Remember"]
    listed = json.loads(stranger.run("memory", "list", "--json", check=True).out)
    assert len(listed) == 1
    assert "5433" in listed[0]["content"]
    found = json.loads(stranger.run("memory", "search", "database port", "--json", check=True).out)
    assert [one["id"] for one in found] == [listed[0]["id"]]


def test_what_is_remembered_is_there_in_another_conversation(stranger):
    told = call("Remember", content="The walrus is called Ottokar.")
    model = stranger.script(told, {"text": "ok"})
    assert stranger.ask("go", *model, "--yes").code == 0
    model = stranger.script(call("Recall", query="walrus called"), {"text": "ok"})
    done = stranger.ask("go", *model)
    assert "The walrus is called Ottokar." in done.of("tool_finished")[0]["result"]


def test_memory_stays_with_its_project(stranger):
    stranger.run("memory", "add", "here: the walrus", check=True)
    elsewhere = stranger.base / "elsewhere"
    elsewhere.mkdir()
    stranger.project = elsewhere
    model = stranger.script(call("Recall", query="walrus"), {"text": "ok"})
    assert stranger.ask("go", *model).of("tool_finished")[0]["result"] == "nothing found"


def test_without_a_yes_nothing_is_remembered(stranger):
    model = stranger.script(call("Remember", content="x"), {"text": "ok"})
    assert stranger.ask("go", *model).code == 3
    assert json.loads(stranger.run("memory", "list", "--json").out) == []


def test_earlier_sessions_are_found(stranger):
    stranger.ask("the otter sleeps in the kelp", *stranger.script({"text": "noted"}), check=True)
    model = stranger.script(call("SessionSearch", query="otter kelp"), {"text": "ok"})
    done = stranger.ask("go", *model)
    assert "otter sleeps" in done.of("tool_finished")[0]["result"]


async def runs_of(client, job):
    with anyio.fail_after(30):
        while True:
            runs = await client.query("jobs.runs", id=job)
            if runs and runs[0]["state"] not in {"claimed", "running"}:
                return runs
            await anyio.sleep(0.02)


async def test_a_command_runs_when_it_is_due(stranger):
    house = House(stranger.base)
    directory = stranger.env["XDG_RUNTIME_DIR"]
    house.settings = Settings(
        data_dir=stranger.state / "data",
        config_dir=stranger.state / "config",
        runtime_dir=type(stranger.base)(directory) / "hermes-v2",
        search_servers=False,
    )
    async with house.client(interactive=True) as client:
        words = ["jobs", "add", "in 1 second", "--command", "echo walrus; touch ran", "--json"]
        added = await anyio.to_thread.run_sync(lambda: stranger.run(*words, check=True))
        job = json.loads(added.out)["id"]
        (run,) = await runs_of(client, job)
    assert run["state"] == "done"
    assert "walrus" in run["result"]
    assert (stranger.project / "ran").exists()


async def test_what_a_model_schedules_is_done_by_an_agent(stranger):
    house = House(stranger.base)
    later = house.script({"text": "I looked."}, name="later.jsonl")
    house.settings = Settings(
        data_dir=stranger.state / "data",
        config_dir=stranger.state / "config",
        runtime_dir=house.settings.runtime_dir,
        search_servers=False,
        model=later,
    )
    model = house.script(
        call("Schedule", when="in 1 second", task="look around"), call("Jobs"), {"text": "ok"}
    )
    async with house.client(interactive=True) as client:
        events = await play(client, house.request(model=model, yes=True))
        results = [e.result for e in events if type(e).__name__ == "ToolFinished"]
        (job,) = await client.query("jobs.list")
        (run,) = await runs_of(client, job["id"])
    assert results[0].startswith("job ")
    assert "look around" in results[1]
    assert run["state"] == "done"
    assert "I looked." in run["result"]


def test_hostile_times_are_answers(stranger):
    times = ["", "whenever", "in -5 minutes", "99 99 99 99 99", "in 1e999 years", "x" * 10_000]
    asked = calls(*(("Schedule", {"when": when, "task": "x"}) for when in times))
    done = stranger.ask("go", *stranger.script(asked, {"text": "ok"}), "--yes")
    assert done.code == 0
    results = [event["result"] for event in done.of("tool_finished")]
    assert all(result.startswith("error: ") for result in results), results
    assert json.loads(stranger.run("jobs", "list", "--json").out) == []
