"""Trained weights as a runtime runs them, in whatever precision: the very session that is timed answers the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.records.record import PLAIN, Case, Measurement
from zoo.training.devices import PRECISIONS

if TYPE_CHECKING:
    import zoo
    from benchmarks.metrics.subject import Subject
    from zoo.data.dataset import Data
    from zoo.runtimes import Session

__all__ = ["in_pytorch", "session_of"]


def in_pytorch(case: Case) -> bool:
    """Whether the network itself answers, without a session."""
    return case.runtime == PLAIN and case.precision in PRECISIONS


def session_of(subject: Subject, model: zoo.Classifier, data: Data) -> tuple[Session, tuple[Measurement, ...]]:
    """The network opened as it is timed, one image a call, and what the session says of itself.

    Integers are calibrated on the training images of the data alone.
    """
    import torch

    from benchmarks.metrics.subject import facts_of, opened

    case = subject.case
    images = torch.zeros(1, model.in_channels, case.img_size, case.img_size, device=case.device)
    session = opened(model.eval(), images, case, data)
    facts = facts_of(session)
    if "top1" not in facts:
        return session, ()
    calibrated = facts.get("calibration_images")
    return session, (
        Measurement(
            name="agreement",
            value=float(facts["top1"]),
            unit="fraction",
            method=f"images of {facts['source']} with the first answer of the plain network, {facts['images']} in all",
            details={"session": facts},
        ),
        *([Measurement(name="calibration_images", value=int(calibrated), unit="count")] if calibrated else []),
    )
