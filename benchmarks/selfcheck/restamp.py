"""Records that stood before a change of code stand after it, if the answers are the same to the bit.

A change that moves or rewrites code makes records stale even where no answer changes. `python -m benchmarks.selfcheck
restamp --since COMMIT` proves that none did: every count is counted again, and of each family the network that trained
fastest is trained again, with the record's own seed and threads. It must give the record's answers. Where no record is
of this kind of machine, whose last bits may differ, it must give those of the code of COMMIT here, after one epoch on
few images: as many steps as it takes to pass through every line; with `--short` that is enough for all of them. Where
nothing but times moved, every file that ONNX Runtime was timed with must be the same but for names. Only then the
records that stood at COMMIT are stamped with the present code, and `restamp.md` keeps the proof.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import zoo
from benchmarks.measure.basis import code_of
from benchmarks.measure.engine import execute
from benchmarks.metrics import METRICS
from benchmarks.plan.arguments import Parser
from benchmarks.records.environment import observe
from benchmarks.records.files import replace_file
from benchmarks.records.manifest import adopt
from benchmarks.records.naming import conditions_of
from benchmarks.records.record import Case, Record
from benchmarks.records.standing import stale_reason
from benchmarks.records.store import RECORDS, read_records
from benchmarks.report.page import provenance, section, write_page
from benchmarks.report.table import TableColumn, table
from benchmarks.report.words import count_of
from zoo.training.recipes import Recipe

__all__ = ["Trial", "answers", "main", "to_try"]

ROOT = Path(zoo.__file__).resolve().parents[1]
TIMEOUT = 7200.0
FEW_IMAGES = 640  # twenty steps
PROGRAM = "python -m benchmarks.selfcheck restamp"
# run in a checkout of the earlier commit, with a file of records: which of them stood, and their cases measured there
STOOD = """
import json, sys
from pathlib import Path
from benchmarks.measure.basis import code_of
from benchmarks.records.standing import stale_reason
from benchmarks.records.store import read_records
records = read_records(Path(sys.argv[1])).records
print(json.dumps([stale_reason(record, record.machine, code_of) is None for record in records]))
"""
AGAIN = """
import dataclasses, json, sys
from pathlib import Path
from benchmarks.measure.engine import execute
from benchmarks.records.environment import observe
from benchmarks.records.record import Case, Record
from benchmarks.records.store import read_records
def known(fields, kind):
    return {field.name: fields[field.name] for field in dataclasses.fields(kind) if field.name in fields}
if __name__ == "__main__":
    path = Path(sys.argv[1])
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    plain = [known(line, Record) | {"case": known(line["case"], Case)} for line in lines]  # no field of later times
    path.write_text("".join(json.dumps(line) + "\\n" for line in plain), encoding="utf-8")
    cases = [record.case for record in read_records(path).records]
    Path(sys.argv[2]).write_text("".join(r.to_json() + "\\n" for r in execute(cases, observe(""), timeout=7200.0)),
                                 encoding="utf-8")
"""
# the files that ONNX Runtime runs, by what they are made of
FILES = """
import hashlib, json, sys, tempfile
from pathlib import Path
import onnx, torch, zoo
from zoo.runtimes.onnxruntime import write_onnx
found = []
for name, batch, side, dynamic in json.loads(sys.argv[1]):
    torch.manual_seed(0)
    model = zoo.create(name).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        write_onnx(model, path, torch.zeros(batch, 3, side or 64, side or 64), dynamic_batch=dynamic)
        file = onnx.load(path)
    for node in file.graph.node:
        node.name = ""  # which changes no number
    found.append(hashlib.sha256(file.SerializeToString(deterministic=True)).hexdigest())
print(json.dumps(found))
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One case measured again.

    Args:
        expected: the answer that is to be found again.
        found: the answer of the present code.
        source: whose the expected one is.
    """

    expected: Record
    found: Record
    source: str

    @property
    def same(self) -> bool:
        """Whether the two are equal to the bit."""
        return self.found.status == self.expected.status == "ok" and answers(self.found) == answers(self.expected)


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0 all that stood stands; 1 an answer differs, or nothing that is stale stood."""
    parser = Parser(prog=PROGRAM, description="Records stand after a change of code that changed no answer.")
    parser.add_argument("--output-dir", type=Path, default=Path("reports"), help="folder of the records")
    parser.add_argument("--since", default="HEAD", metavar="COMMIT", help="at which they stood")
    parser.add_argument("--short", action="store_true", help="hold no whole training against its record, but the first "
                        "steps of each against those of the code of COMMIT here")  # fmt: skip
    given = parser.parse_args(arguments)
    path = given.output_dir / RECORDS
    records = list(read_records(path).records)
    stale = {id(record) for record in records if stale_reason(record, record.machine, code_of)}
    if not stale:
        print("every record stands")
        return 0
    environment = observe(shlex.join([*PROGRAM.split(), *arguments]))
    with _checkout(given.since) as earlier:
        stood = json.loads(_run(earlier, STOOD, path.resolve()))
        moved = {id(record) for record, before in zip(records, stood, strict=True) if before} & stale
        tried = to_try([record for record in records if id(record) in moved], environment.machine_id)
        whole = "" if given.short else environment.machine_id  # no machine bears an empty name
        trials = list(_trials(tried, whole, earlier, given.since))
        files = _files([record.case for record in records if id(record) in moved], earlier) if not trials else {}
    differing = [trial for trial in trials if not trial.same]
    for trial in differing:
        print(f"differs: {trial.found.case.metric} {trial.found.case.model}: {trial.found.reason}", file=sys.stderr)
    for name in (name for name, same in files.items() if not same):
        print(f"differs: the file of {name} for ONNX Runtime", file=sys.stderr)
    if differing or not (trials or files) or not all(files.values()):
        print(
            f"{len(stale)} records are stale, {len(moved)} of them stood at {given.since}; {len(differing)} of "
            f"{len(trials)} answers differ; no record was stamped",
            file=sys.stderr,
        )
        return 1
    stamped = [dataclasses.replace(r, code=code_of(r.case)) if id(r) in moved else r for r in records]
    adopt(given.output_dir, worked_in=True)
    replace_file(path, "".join(record.to_json() + "\n" for record in stamped))
    write_page(given.output_dir / "restamp.md", _page(trials, len(files), len(moved), given.since, provenance(
        environment.machine, environment.software, environment.command)))  # fmt: skip
    return 0


def to_try(records: Iterable[Record], machine: str) -> list[Record]:
    """Every count once, and each family's fastest training, of this kind of machine if there is one."""
    tried: dict[object, Record] = {}
    for record in records:
        if record.status == "ok" and METRICS[record.case.metric].shares_process:
            tried[record.case] = record
        elif record.status == "ok" and record.case.metric == "accuracy" and not record.case.weights:
            family = zoo.spec(record.case.model).family
            held = tried.setdefault(family, record)
            if (record.machine != machine, record.seconds) < (held.machine != machine, held.seconds):
                tried[family] = record
    return list(tried.values())


def answers(record: Record) -> list[Any]:
    """What must be equal to the bit: every figure of a count; of a training each answer, and each loss on the way."""
    if record.case.metric != "accuracy":
        return [(each.name, each.value, each.details) for each in record.measurements]
    top1 = record.find("top1")
    details = dict(top1.details) if top1 else {}
    curve = [{name: value for name, value in point.items() if name != "seconds"} for point in details.get("curve", ())]
    recipe = Recipe(**details.get("recipe", {}))  # one of earlier times does not have all fields of today's
    return [*(details.get(name) for name in ("answers", "labels", "fingerprint")), recipe, curve]


def _trials(tried: Sequence[Record], machine: str, earlier: Path, commit: str) -> Iterator[Trial]:
    """Each case measured by the present code, beside what it should give."""
    elsewhere = [_shortened(r) for r in tried if r.case.metric == "accuracy" and r.machine != machine]
    expected = {r.case: (r, "the record") for r in tried if r.case.metric != "accuracy" or r.machine == machine}
    if elsewhere:
        asked, found = earlier / "asked.jsonl", earlier / "found.jsonl"
        asked.write_text("".join(record.to_json() + "\n" for record in elsewhere), encoding="utf-8")
        _run(earlier, AGAIN, asked, found)
        again = read_records(found).records
        if len(again) < len(elsewhere):
            raise RuntimeError(f"the code of {commit} gave {len(again)} of {len(elsewhere)} answers")
        expected |= {record.case: (record, f"the code of {commit}, here") for record in again}
    for found_record in execute(list(expected), observe(PROGRAM), timeout=TIMEOUT):
        record, source = expected[found_record.case]
        yield Trial(expected=record, found=found_record, source=source)


def _files(cases: Sequence[Case], earlier: Path) -> dict[str, bool]:
    """By what is asked, whether ONNX Runtime is given the same file but for names; empty where more than that moved."""
    timed = [case for case in cases if case.runtime == "onnxruntime" and case.precision == "fp32"]
    schemes = [case for case in cases if case.metric == "schemes"]  # whose integers are made of files for any batch
    if len(timed) + len(schemes) < len(cases):
        return {}
    asked = list(dict.fromkeys([
        *((case.model, case.batch_size, case.img_size, False) for case in timed),
        *((case.model, 2, case.img_size, True) for case in schemes),
    ]))  # fmt: skip
    before, now = (json.loads(_run_aside(folder, FILES, json.dumps(asked))) for folder in (earlier, ROOT))
    return {str(each): was == has for each, was, has in zip(asked, before, now, strict=True)}


def _shortened(record: Record) -> Record:
    """The same training on few images."""
    return dataclasses.replace(record, case=dataclasses.replace(record.case, epochs=1, train_images=FEW_IMAGES))


def _page(trials: Sequence[Trial], files: int, stamped: int, commit: str, origin: str) -> list[str]:
    trainings = [trial for trial in trials if trial.found.case.metric == "accuracy"]
    columns = (
        TableColumn("network", lambda trial: trial.found.case.model, align="l"),
        TableColumn("conditions", lambda trial: ", ".join(conditions_of(trial.found.case)), align="l"),
        TableColumn("right, %", lambda trial: 100 * (trial.found.value("top1") or 0.0), digits=-2),
        TableColumn("equal to the bit to", lambda trial: trial.source, align="l"),
    )
    counted = f"{count_of(len(trials) - len(trainings), 'count')} and {count_of(len(trainings), 'training')}"
    are = "is" if files == 1 else "are"
    same = f"{count_of(files, 'file')} that ONNX Runtime is given {are} the same but for names of nodes"
    proof = f"{counted} gave the same answers to the bit" if trials else same
    trained = section("Trained again", "One network of each family; every answer and every loss compared.",
                      table(columns, trainings))  # fmt: skip
    return [
        "# Records stamped again",
        f"{count_of(stamped, 'record')} that stood at {commit} stand with the present code: {proof}.",
        *([trained] if trainings else []),
        origin,
    ]


@contextlib.contextmanager
def _checkout(commit: str) -> Iterator[Path]:
    """The files of a commit, in a folder of their own."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        yield Path(folder)


def _run_aside(folder: Path, script: str, *arguments: str) -> str:
    """The same of a script that starts no process, without a file in the folder."""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout


def _run(folder: Path, script: str, *arguments: object) -> str:
    """What a script prints that runs with the code in a folder."""
    (folder / "asked.py").write_text(script, encoding="utf-8")
    command = [sys.executable, "asked.py", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
