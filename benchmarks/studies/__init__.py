"""The studies, one a file. A new one is its file and its line here."""

from collections.abc import Mapping
from types import MappingProxyType

from benchmarks.studies.study import Study

__all__ = ["STUDIES"]

STUDIES: Mapping[str, Study] = MappingProxyType({study.name: study for study in ()})
