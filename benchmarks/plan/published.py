"""What becomes of each network that is tested on images, in words; published weights that are not to be had here."""

from __future__ import annotations

import dataclasses
import os
import urllib.error
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import zoo
from benchmarks.metrics import METRICS
from benchmarks.metrics.beginnings import facts_of, is_kept
from benchmarks.records.record import Case, Record
from zoo.weights.sources import locate, open_source

__all__ = ["absent_weights", "treatment", "with_reason"]

NO_NETWORK = "ZOO_OFFLINE"  # see `zoo.weights.fetch`


def absent_weights(models: Collection[str], weights: str, *, fetch: bool) -> Mapping[str, str]:
    """Why published weights are not to be had here, for each model of which they are not.

    Args:
        weights: "imagenet" or "imagenet:TAG".
        fetch: download what is not on this machine, which is how it turns out whether that can be done.
    """
    reasons: dict[str, str] = {}
    for model in models:
        try:
            locate(zoo.spec(model), weights)
        except zoo.WeightsError as error:
            reasons[model] = str(error)
    published = [model for model in models if model not in reasons]
    if fetch and published:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:  # PyTorch stays out of this process
            reasons |= other.submit(_fetched, published, weights).result()
    return reasons


def _fetched(models: Iterable[str], weights: str) -> dict[str, str]:
    """Downloads what is not here; after the first time that no network answered nobody waits for it again."""
    reasons: dict[str, str] = {}
    for model in models:
        try:
            open_source(zoo.spec(model), weights)
        except zoo.WeightsError as error:
            cause = error.__cause__
            reasons[model] = str(error).replace(f"{NO_NETWORK} forbids the network", "no network answered")
            if isinstance(cause, OSError) and not isinstance(cause, urllib.error.HTTPError):
                os.environ[NO_NETWORK] = "1"
    return reasons


def treatment(case: Case, without: Mapping[str, str]) -> str:
    """What is done with a network before it is tested; empty for the short training that tells networks apart.

    Args:
        without: see `absent_weights`.
    """
    if case.recipe and not is_kept(case):
        return ""
    given = case.weights_path or case.weights
    where = case.data_dir or case.dataset
    if not case.recipe:
        return f"{case.model}: {given} is tested as it is, since it knows the classes of {where}"
    how = f"with recipe {case.recipe} on {case.train_images:,} images of {where}"
    if case.weights:
        classes = facts_of(case.dataset, case.data_dir).num_classes
        return f"{case.model}: fine-tuned from {given} {how}, {classes} classes"
    return f"{case.model}: trained from scratch {how}{_because(case, without)}"


def with_reason(record: Record, without: Mapping[str, str]) -> Record:
    """A record of a training that says so where it is from scratch for want of weights."""
    reason = _because(record.case, without)
    if not reason or not METRICS[record.case.metric].trains:
        return record
    return dataclasses.replace(record, notes=(*record.notes, f"trained from scratch{reason}"))


def _because(case: Case, without: Mapping[str, str]) -> str:
    reason = without.get(case.model, "") if case.recipe and not case.weights else ""
    return f", since its weights are not to be had here: {reason}" if reason else ""
