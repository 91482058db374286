"""What the answer to a case is computed by: where its code starts, the values it is given, the libraries it names."""

from __future__ import annotations

import functools

import zoo
from benchmarks.measure import questions
from benchmarks.measure.session import Session
from benchmarks.metrics import METRICS
from benchmarks.records.record import INTEGERS, Case
from benchmarks.records.staleness import fingerprint
from zoo.data import DATASETS
from zoo.runtimes import RUNTIMES, auto

__all__ = ["code_of"]

DERIVING: tuple[str, ...] = ("benchmarks.stats",)  # what is derived from raw samples whenever records are read
QUANTIZING: tuple[str, ...] = ("zoo.runtimes.quantizing",)  # what only a session of integers passes through


@functools.cache
def code_of(case: Case) -> str:
    """Hash of the code, values and library versions of a case; raises LookupError for an unknown metric or model."""
    metric, spec = METRICS[case.metric], zoo.spec(case.model)
    timed = (questions.prepare, questions.turn, Session.results, metric.prepare, metric.summarize)
    parts: list[object] = list(timed) if metric.prepare else [questions.measure]
    parts += metric.basis(case) if metric.basis else filter(None, [metric.measure])
    parts += [spec.build, spec.input.channels, spec.settings, type(spec), *map(type, spec.declared)]
    libraries = list(metric.libraries)
    if "runtime" in metric.depends_on:
        racing = case.runtime == "auto"
        parts += [auto.open_fastest] if racing else []
        for runtime in RUNTIMES.values() if racing else (RUNTIMES[case.runtime],):
            parts.append(runtime)
            libraries += runtime.LIBRARIES
    if case.dataset:
        libraries += DATASETS[case.dataset].libraries
    apart = DERIVING if metric.derive else ()
    if "precision" in metric.depends_on and case.precision != INTEGERS:
        apart += QUANTIZING
    return fingerprint(parts, libraries, apart)
