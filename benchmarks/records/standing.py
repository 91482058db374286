"""Which records count: those that answer their case here and now, and of several looks at one question one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmarks.records.record import Case, Record

__all__ = ["counting", "stale_reason"]


def stale_reason(record: Record, machine: str, code: Callable[[Case], str]) -> str | None:
    """Why a record does not answer its case here and now; None if it does.

    Args:
        machine: `Environment.machine_id` of this machine.
        code: hash of what a case is computed by (`benchmarks.measure.basis.code_of`).
    """
    if record.machine != machine:
        return "made on another machine"
    try:
        now = code(record.case)
    except (LookupError, TypeError, ValueError):
        return "of a model or metric this version does not know"
    if record.code != now:
        return "made by other code, library versions or files"
    return None


def counting(records: Iterable[Record], asked: Iterable[Case] = ()) -> list[Record]:
    """One record for each question and machine, in the order they were written.

    Of several looks at one question the last counts; where one was made with the effort that is `asked` for, that one.
    """
    wanted = set(asked)
    chosen: dict[tuple[str, Case], Record] = {}
    for record in records:
        key = (record.machine, record.case.question)
        held = chosen.pop(key, None)
        chosen[key] = record if held is None or record.case in wanted or held.case not in wanted else held
    return list(chosen.values())
