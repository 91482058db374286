"""`python -m benchmarks.run`: parse, plan, execute, report.

Exit status: 0 all is well; 1 some case failed, or was skipped although it was asked for by name, or the output folder
could not be used; 2 the command line was wrong, or a file would be replaced that is somebody else's; 128 + N ended by
signal N (130: Ctrl-C), with a true report of what was done. The same command goes on from there.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from importlib import import_module

import zoo
from benchmarks.measure.basis import code_of
from benchmarks.measure.executors.executor import (
    Executor,
    ExecutorError,
    Job,
    is_own,
    jobs_of,
    standing_of,
)  # fmt: skip
from benchmarks.metrics import METRICS, check
from benchmarks.metrics.beginnings import notes_of
from benchmarks.metrics.columns import COLUMNS
from benchmarks.metrics.trained import TRAINED
from benchmarks.plan.arguments import CHOICES, DEFAULT_METRICS, Request, parse
from benchmarks.plan.cases import plan, plan_study, skip_reason
from benchmarks.plan.cost import by_cost, counts_of
from benchmarks.plan.forecast import Forecast, duration
from benchmarks.plan.published import treatment, with_reason
from benchmarks.records.environment import observe, read_environment
from benchmarks.records.files import set_aside
from benchmarks.records.naming import conditions_of, names_of
from benchmarks.records.record import Case, Environment, Record
from benchmarks.records.store import NotOwn, Store, StoreError, open_store
from benchmarks.studies import STUDIES
from benchmarks.studies.mobilenets import GRID, label
from zoo.data import DATASETS
from zoo.shell import run_command

__all__ = ["main"]

BETWEEN_REPORTS = 60.0  # seconds at least, where cases end side by side
# what is counted does not depend on the machine, and what is learned only by rounding
ANYWHERE = tuple(name for name, metric in METRICS.items() if metric.trains or metric.shares_process)


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the command line says and returns the exit status."""
    request = parse(arguments)
    try:
        if request.action == "list":
            return _list()
        if request.action == "dry-run":
            request = request.settled(fetch=False)
            return _show(_cases(request), request)
        if request.action == "self-test":
            from benchmarks.selfcheck.selftest import self_test

            return self_test(request)
        with open_store(request.output_dir, fresh=request.fresh, writes=_written, check=check) as store:
            _say(store.notices)
            try:
                if request.action == "report-only":
                    return _report(request, store)
                if request.fresh:
                    set_aside(request.output_dir / TRAINED)
                return _run(request.settled(fetch=True), store)
            except KeyboardInterrupt:
                _say(["interrupted; what was measured is kept and reported, and the same command goes on from here"])
                raise
    except StoreError as error:
        _say([str(error)])
        return 2 if isinstance(error, NotOwn) else 1


def _written() -> list[str]:
    """Patterns of the names of what a run may write besides its records."""
    from benchmarks.report.publish import written

    return written()


def _cases(request: Request) -> tuple[Case, ...]:
    """What is asked: the models' cases, then those of the studies, each once.

    The full job counts MobileNetV1 at every width and resolution besides: the report has a figure of them.
    """
    options = request.options
    cases = dict.fromkeys(plan(options) if options.models or options.files else ())
    if "mobilenet_v1" in options.models and options.metrics == DEFAULT_METRICS:
        sixteen = tuple(zoo.spec(label(width=width, resolution=resolution)).label for width, resolution in GRID)
        cases |= dict.fromkeys(plan(replace(options, models=sixteen, metrics=("params", "mult_adds"), img_size=0)))
    for name in request.studies:
        cases |= dict.fromkeys(plan_study(STUDIES[name], request.options))
    return tuple(cases)


def _run(request: Request, store: Store) -> int:
    """Measures what is open. The report is written once everything quick is done, then after every slow case."""
    from benchmarks.measure.executors import open_executor

    cases = _cases(request)
    here = observe(request.command)
    with open_executor(request.executor, **request.placed) as executor:
        try:
            return _measure(request, store, cases, here, executor)
        except ExecutorError as error:
            _say([str(error)])
            return 2


def _measure(request: Request, store: Store, cases: Sequence[Case], here: Environment, executor: Executor) -> int:
    """Measures what is open where the executor does, and writes the report; the exit status."""
    from benchmarks.measure.progress import Display
    from benchmarks.measure.worker import stop_server

    records, stale = store.standing(here.machine_id, code_of)
    machines = [here]
    if executor.all_at_once or store.resume(cases, records):
        # both take a second, which this process has to spare while PyTorch is imported elsewhere
        threading.Thread(target=_prepare, args=("benchmarks.report.publish", cases)).start()
        machines = executor.machines(store.resume(cases, records), here, request.output_dir, lambda line: _say([line]))
    if executor.all_at_once:
        records, stale = standing_of(store, machines, code_of)
    _say(f"{count} records are stale and not used: {reason}" for reason, count in stale.items())
    jobs = jobs_of(cases, records, machines)
    todo = list(dict.fromkeys(job.case for job in jobs))
    _say(_treatments(todo, request))
    if len(todo) < len(cases):
        _say([f"{len(cases) - len(todo)} of {len(cases)} cases are done already; --fresh measures them again"])
    trouble: list[str] = []

    def write() -> None:
        """Writes the report; whatever is in its way costs no measurement."""
        try:
            from benchmarks.report.publish import publish_all

            publish_all(
                records,
                machines,
                request.output_dir,
                cases=cases,
                open_cases=list(dict.fromkeys(job.case for job in jobs_of(cases, records, machines, ended=True))),
                elsewhere=store.elsewhere(ANYWHERE, machines[0].machine_id, code_of),
                anywhere=lambda case: not is_own(case),
                sort_key=request.sort_key,
                metric=request.metric,
                asked=request.options.models,
            )
        except Exception as error:  # the disk, another's file, what matplotlib found in somebody's home
            reason = str(error) if isinstance(error, StoreError) else f"no report: {type(error).__name__}: {error}"
            if reason not in trouble:
                trouble.append(reason)
                _say([reason])

    def measure(batch: Sequence[Job], display: Display, after: Callable[[], None]) -> None:
        place = str(request.output_dir)
        ending = executor.execute(batch, timeout=request.timeout, tell=display.step, folder=place)
        with closing(ending) as found:
            for record in found:
                record = with_reason(record, request.options.without)
                store.append(record)
                records.append(record)
                display.finish(record)
                after()

    quick = [job for job in jobs if not METRICS[job.case.metric].slow]
    order = by_cost([job.case for job in jobs if METRICS[job.case.metric].slow], counts_of(records))

    def slow(order: Iterable[Case]) -> list[Job]:
        return [Job(case=case) for case in order]

    try:
        with Display(todo, records, jobs=len(jobs), lanes=executor.lanes, where=lambda: executor.said) as display:
            if executor.all_at_once:
                measure([*quick, *slow(order)], display, _now_and_then(write))
                write()
            else:
                measure(quick, display, lambda: None)
                write()
                order = by_cost(order, counts_of(records))
                measure(slow(order), display, write)
    except KeyboardInterrupt:
        stop_server()
        if records:
            write()
        raise
    settled = store.settle()
    _say(settled)
    return _conclude(request, cases, records) or (1 if trouble or settled else 0)


def _now_and_then(write: Callable[[], None]) -> Callable[[], None]:
    """Writes when a minute has passed since: records may come faster than a report is made."""
    last = time.monotonic()

    def after() -> None:
        nonlocal last
        if time.monotonic() - last > BETWEEN_REPORTS:
            write()
            last = time.monotonic()

    return after


def _prepare(module: str, cases: Iterable[Case]) -> None:
    """Imports a module and reads the code that cases depend on; what is in the way is said by whoever needs them."""
    with suppress(Exception):
        import_module(module)
        for case in cases:
            code_of(case)


def _report(request: Request, store: Store) -> int:
    """Writes the report again from the records of the machine that made the folder's last run."""
    from benchmarks.report.publish import publish

    environment = read_environment(request.output_dir) or observe(request.command)
    records = [record for record in store.records() if record.machine == environment.machine_id]
    if not records:
        _say([f"there are no records of this machine in {request.output_dir}; run without --report-only first"])
        return 1
    publish(
        records,
        environment,
        request.output_dir,
        elsewhere=store.elsewhere(ANYWHERE, environment.machine_id, code_of),
        sort_key=request.sort_key,
        metric=request.metric,
        asked=request.options.models,
    )
    return _conclude(request, [record.case for record in records], records)


def _conclude(request: Request, cases: Iterable[Case], records: Iterable[Record]) -> int:
    """Says what did not work; the exit status."""
    last = {record.case: record for record in records}
    failed = [case for case in dict.fromkeys(cases) if case in last and last[case].status not in ("ok", "skipped")]
    names = names_of(cases)
    _say(f"{last[case].status}: {names[case]}: {last[case].reason}" for case in failed)
    print(f"report: {request.output_dir / 'README.md'}")
    missed = request.missed([record for case, record in last.items() if case in names])
    _say([f"{missed} cases that were asked for by name were skipped"] if missed else [])
    return 1 if failed or missed else 0


def _treatments(cases: Iterable[Case], request: Request) -> list[str]:
    """What becomes of each network that is tested on images, where that is not the usual short training."""
    tried = [case for case in cases if METRICS[case.metric].trains]
    notes = [note for case in tried for note in notes_of(case.dataset, case.data_dir)]
    return list(filter(None, dict.fromkeys([*notes, *(treatment(case, request.options.without) for case in tried)])))


def _show(cases: Sequence[Case], request: Request) -> int:
    """Prints the plan: what each case is expected to take or why it is skipped, its conditions, the whole time."""
    reasons = {case: skip_reason(case) for case in cases}
    forecast = Forecast(case for case, reason in reasons.items() if not reason)
    for case, reason in reasons.items():
        conditions = ", ".join(conditions_of(case, METRICS[case.metric].depends_on))
        expected = f"skipped: {reason}; " if reason else f"about {duration(max(forecast.expected(case), 1.0))}, "
        print(f"{case.metric:12} {case.model:40} {expected}{conditions}")
    print(*_treatments(cases, request), sep="\n", end="\n" * bool(_treatments(cases, request)))
    print(f"{len(cases)} cases, about {duration(forecast.left)} in all, where nothing is done yet")
    return 0


def _list() -> int:
    """Prints every name the command line knows."""
    for title, lines in {
        "models": [f"{name:16} {zoo.spec(name).title}" for name in zoo.list_models()],
        "metrics": [f"{metric.name:16} {metric.title}" for metric in METRICS.values()],
        "runtimes": list(CHOICES),
        "data sets": [f"{dataset.name:16} {dataset.title}" for dataset in DATASETS.values()],
        "studies": [f"{study.name:16} {study.question}" for study in STUDIES.values()],
        "columns of results.csv": list(COLUMNS),
    }.items():
        print(f"{title}:", *(f"  {line}" for line in lines), sep="\n")
    return 0


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(f"benchmarks.run: {line}", file=sys.stderr)


if __name__ == "__main__":
    run_command(main)
