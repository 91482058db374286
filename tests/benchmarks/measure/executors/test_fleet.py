"""Which node takes which cases, and what is done anew; no cluster is needed for that."""

from __future__ import annotations

import dataclasses
import marshal
from typing import Any

from benchmarks.measure.executors.executor import Job, jobs_of
from benchmarks.measure.executors.fleet import Node, choose, impossible
from benchmarks.measure.executors.ledger import joined
from benchmarks.measure.executors.loaded import _anywhere, loaded_code
from benchmarks.measure.executors.node import Facts
from benchmarks.measure.executors.task import Task, Waiting, again, tasks_of
from benchmarks.records.environment import observe
from benchmarks.records.record import Case, Environment, Record

HERE = observe("test")


def kind(name: str) -> Environment:
    return dataclasses.replace(HERE, machine={**HERE.machine, "kind": name})


def node(id: str, name: str = "a", **fields: Any) -> Node:
    shares_folder, lacks = fields.pop("shares_folder", True), fields.pop("lacks", {})
    facts = Facts(environment=kind(name), code="", versions={}, shares_folder=shares_folder, lacks=lacks)
    return Node(id=id, host=id, facts=facts, **{"cpus": 2, "gpus": 0, "memory": 1e11, "head": False} | fields)


def case(metric: str = "accuracy", model: str = "resnet18", **fields: Any) -> Case:
    return Case(metric=metric, model=model, **fields)


def begin(nodes: list[Node], tasks: list[Task]) -> dict[str, list[str]]:
    """The models that begin on each node."""
    waiting = Waiting(tasks)
    for task, chosen in choose(nodes, waiting):
        waiting.remove(task)
        for each in chosen:
            each.tasks.append(task)
    return {node.id: [each.model for task in node.tasks for each in task.cases] for node in nodes}


def jobs(*cases: Case, machine: str = "") -> list[Job]:
    return [Job(case=each, machine=machine) for each in cases]


def test_trainings_take_processors_and_spread() -> None:
    models = ("resnet18", "resnet34", "resnet50", "nin", "alexnet")
    tasks = tasks_of(jobs(*(case(model=model, train_threads=1) for model in models)), 4)
    assert begin([node("x"), node("y")], tasks) == {"x": ["resnet18", "resnet50"], "y": ["resnet34", "nin"]}


def test_a_training_on_gpus_takes_one_each() -> None:
    models = ("resnet18", "resnet34", "resnet50", "nin", "alexnet")
    tasks = tasks_of(jobs(*(case(model=model, device="cuda") for model in models)), 8)
    assert len(begin([node("x", cpus=8, gpus=4)], tasks)["x"]) == 4


def test_one_timed_session_has_an_idle_node_to_itself_which_is_not_the_head() -> None:
    machine = kind("a").machine_id
    timed = jobs(case("latency"), case("latency", "nin"), case("throughput"), machine=machine)
    nodes = [node("head", head=True), node("x"), node("y")]
    found = begin(nodes, tasks_of([*timed, *jobs(case(train_threads=1))], 6))
    assert found["x"] == ["resnet18", "nin"] and found["y"] == ["resnet18"] and found["head"] == ["resnet18"]
    assert [task.kind for task in nodes[0].tasks] == ["training"]


def test_a_kind_of_machine_is_timed_on_that_kind_only() -> None:
    timed = jobs(case("latency"), machine=kind("b").machine_id)
    assert begin([node("x"), node("y", "b")], tasks_of(timed, 4)) == {"x": [], "y": ["resnet18"]}


def test_a_node_that_is_waited_for_takes_nothing_else() -> None:
    nodes = [node("x"), node("y", head=True)]
    nodes[0].tasks += tasks_of(jobs(case(train_threads=1)), 1)
    machine = kind("a").machine_id
    tasks = tasks_of([*jobs(case("latency"), machine=machine), *jobs(case(model="nin", train_threads=1))], 4)
    assert begin(nodes, tasks) == {"x": ["resnet18"], "y": ["nin"]}


def test_what_died_goes_elsewhere_each_case_by_itself() -> None:
    (task,) = tasks_of(jobs(case("params"), case("params", "nin")), 0)[:1]
    task.cases = [case("params"), case("params", "nin")]
    tasks = again(task, task.cases, "x")
    assert [len(each.cases) for each in tasks] == [1, 1] and {each.tries for each in tasks} == {1}
    assert begin([node("x"), node("y")], tasks[:1]) == {"x": [], "y": ["resnet18"]}


def test_why_nothing_can_take_a_case_is_said() -> None:
    (task,) = tasks_of(jobs(case(train_threads=8)), 4)
    assert "needs 8 processors" in impossible([node("x")], task)
    assert impossible([node("x", cpus=8)], task) == ""
    (timed,) = tasks_of(jobs(case("latency"), machine=kind("b").machine_id), 4)
    assert "no node of this kind" in impossible([node("x")], timed)
    lacking = node("x", cpus=8, lacks={task.cases[0]: "no such folder"})
    assert impossible([lacking], task).endswith("no such folder")


def test_a_training_of_several_processes_is_spread_over_as_few_nodes_as_can_hold_it() -> None:
    def tasks(processes: int) -> list[Task]:
        return tasks_of(jobs(case(train_threads=1, train_processes=processes)), 6)

    assert begin([node("x"), node("y")], tasks(2)) == {"x": ["resnet18"], "y": []}
    nodes = [node("x"), node("y"), node("z")]
    (task,) = tasks(4)
    assert begin(nodes, [task]) == {"x": ["resnet18"], "y": ["resnet18"], "z": []}
    assert (task.parts, task.cpus) == (2, 2) and nodes[0].free_cpus == 0
    assert begin([node("x"), node("y")], [task]) == {"x": ["resnet18"], "y": ["resnet18"]}  # again, elsewhere
    assert begin([node("x", cpus=8), node("y")], [task]) == {"x": ["resnet18"], "y": []} and task.parts == 1
    assert impossible([node("x"), node("y")], *tasks(4)) == ""
    assert "needs 6 processors and 0 GPUs on one node, or an equal share" in impossible([node("x")] * 2, *tasks(6))
    apart = [node("x", shares_folder=False), node("y")]
    assert begin(apart, tasks(4)) == {"x": [], "y": []} and "that see the run's folder" in impossible(apart, *tasks(4))


def test_nodes_that_train_together_leave_one_record() -> None:
    def record(status: str, reason: str = "") -> Record:
        return Record(case=case(), status=status, reason=reason, where={"node": f"{status} {reason}"})

    ended = joined([record("ok"), record("ok", "")])
    assert ended.status == "ok" and ended.where["nodes"] == ["ok ", "ok "]
    failed = joined([record("failed", "process 0: another process has gone"), record("failed", "no space is left")])
    assert failed.reason == "no space is left" and len(failed.where["nodes"]) == 2
    assert joined([record("ok"), record("failed", "another process has gone")]).status == "failed"


def test_a_time_is_wanted_of_every_kind_and_a_count_once() -> None:
    machines = [kind("a"), kind("b")]
    cases = [case("latency"), case("params"), case()]
    done = [Record(case=case("latency"), status="ok", machine=kind("a").machine_id),
            Record(case=case("params"), status="ok", machine="gone")]  # fmt: skip
    left = jobs_of(cases, done, machines)
    assert left == [Job(case=case("latency"), machine=kind("b").machine_id), Job(case=case())]


def test_constants_of_code_are_written_down_in_one_way() -> None:
    code = (lambda: None).__code__.replace(co_consts=(None, (slice(1, None), frozenset("ba"))))
    again = code.replace(co_filename="elsewhere.py", co_consts=(None, (slice(1, None), frozenset("ab"))))
    assert marshal.dumps(_anywhere(code), 0) == marshal.dumps(_anywhere(again), 0)


def test_the_hash_of_the_code_is_the_same_wherever_it_is_asked() -> None:
    assert loaded_code() == loaded_code() and len(loaded_code()) == 12
