"""Fit the transform on one part of a table file, and release every row of it, batch by batch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from infounlearn.data import TableForm, TableScan, TableWriter
from infounlearn.experiments.feature_request import FeatureRequest, Roles
from infounlearn.experiments.feature_survey import Survey, joined, missing
from infounlearn.feature.barycenter import WassersteinBarycenter

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Audited", "fit_transform_of", "release_rows"]

LARGEST_KERNEL = 2**28
"""Cells of a kernel matrix that are held for the certificate (2 GiB)."""
Said = Callable[[str], None]
Step = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Audited:
    """Held-out rows, aligned.

    Attributes:
        before, after: arrow tables of the features.
        z: (n,) or (n, k) sensitive cells.
        y: (n,) target cells.
        given: (n,) stratum of each row; None without.
        kernels: (n, J) release probabilities, where they are known and fit into memory.
    """

    before: pa.Table
    after: pa.Table
    z: np.ndarray
    y: np.ndarray
    given: np.ndarray | None
    kernels: np.ndarray | None


def fit_transform_of(
    scan: TableScan, roles: Roles, survey: Survey, *, note: Said, step: Step
) -> tuple[WassersteinBarycenter, int]:
    """The fitted transform, and how many rows it has learnt from.

    "line" and "gaussian" take in every row that is not held out, "common-support" a uniform sample
    of at most ``fit_rows`` of each group. Rows without a target are left out where it is used.

    Raises:
        InputError: what the estimator cannot use.
    """
    request = survey.request
    estimator = _estimator(request, roles)
    streams = roles.method != "common-support"
    held: list[dict[str, np.ndarray]] = []
    start = rows = 0
    with _notes_to(note):
        for batch in scan.batches(request.rows_per_batch, roles.read):
            count = len(batch[request.target])
            places = survey.places(start, count)
            start += count
            codes = survey.groups.encode(joined(batch, request.sensitive), where=str(scan.path))
            keep = places >= request.holdout if streams else survey.chosen(places, codes)
            if request.use_target:
                keep &= ~missing(batch[request.target])
            step(start, survey.rows, f"{start:,} rows read")
            if not keep.any():
                continue
            part = {name: values[keep] for name, values in batch.items()}
            rows += int(keep.sum())
            if streams:
                estimator.partial_fit(**_call(part, scan, roles, survey, fit=True))
            else:
                held.append(part)
        if not streams:
            names = list(held[0])
            whole = {name: np.concatenate([part[name] for part in held]) for name in names}
            estimator.fit(**_call(whole, scan, roles, survey, fit=True))
    return estimator, rows


def release_rows(
    estimator: WassersteinBarycenter,
    scan: TableScan,
    roles: Roles,
    survey: Survey,
    target: Path,
    *,
    note: Said,
    step: Step,
) -> Audited:
    """Write the release of every row to ``target``, and keep the held-out rows to be audited.

    Raises:
        InputError: rows that cannot be released; nothing is written then.
    """
    request = survey.request
    found = _Collected()
    writer: TableWriter | None = None
    start = 0
    with _notes_to(note), _closing() as opened:
        for batch in scan.batches(request.rows_per_batch, roles.read):
            count = len(batch[request.target])
            names = np.arange(start, start + count) if request.key is None else batch[request.key]
            call = _call(batch, scan, roles, survey, fit=False)
            # Without a key rows are named by their number: copies of a row draw apart.
            after = estimator.transform(**call, keys=names)
            if writer is None:
                form = _form(scan, roles, after)
                writer = opened(TableWriter(target, form))
            columns = {name: _cells(after, name) for name in roles.features}
            writer.write(columns | {name: batch[name] for name in roles.kept})
            audited = np.flatnonzero(survey.places(start, count) < survey.audit_share)
            if len(audited):
                found.add(estimator, call, after, batch, audited, survey)
            start += count
            step(start, survey.rows, f"{start:,} rows released")
    return found.whole(survey, note)


def _estimator(request: FeatureRequest, roles: Roles) -> WassersteinBarycenter:
    mixed = roles.method == "common-support"
    return WassersteinBarycenter(
        amount=request.amount,
        method=roles.method,  # type: ignore[arg-type]
        mode=request.mode,
        numeric=list(request.numeric),
        categorical=list(request.categorical),
        ordinal=list(request.ordinal),
        use_target=request.use_target,
        missing=request.missing,
        missing_features="level" if mixed else "error",
        unseen_categories="other" if mixed else "error",
        max_rows=request.fit_rows,
        engine_options={"release": request.release} if mixed else None,
        random_state=request.noise_seed,
    )


def _call(
    batch: dict[str, np.ndarray], scan: TableScan, roles: Roles, survey: Survey, *, fit: bool
) -> dict[str, Any]:
    """Arguments of the estimator for one batch."""
    request = survey.request
    call: dict[str, Any] = {"X": _arrow(batch, scan, roles)}
    if fit or request.mode == "aware":
        call["sensitive"] = joined(batch, request.sensitive)
    if survey.strata is not None:
        # By name, as the survey saw them: bins are then the same in every batch and in the audit.
        codes = survey.strata.encode(joined(batch, request.given), where=str(scan.path))
        call["given"] = codes.astype(str).astype(object)
    if fit and request.use_target:
        call["y"] = batch[request.target]
    return call


def _arrow(batch: dict[str, np.ndarray], scan: TableScan, roles: Roles) -> pa.Table:
    """The features as an arrow table; whole numbers that will move are real numbers from here."""
    import pyarrow as pa

    types = {"text": pa.string(), "boolean": pa.bool_()}
    kinds = {column.name: column.type for column in scan.columns}
    arrays = {}
    for name in roles.features:
        values = batch[name]
        if roles.method != "common-support":
            values = values.astype(np.float64, copy=False)
        arrays[name] = pa.array(values, types.get(kinds[name]))
    return pa.table(arrays)


def _form(scan: TableScan, roles: Roles, after: pa.Table) -> TableForm:
    """Columns of the release: features as the transform returns them, the rest as they were."""
    import pyarrow as pa

    form = scan.changed(without=[name for name in scan.names if name not in roles.names])
    columns = []
    for column in form.columns:
        if column.name in roles.features and column.type == "integer":
            whole = scan.columns[scan.names.index(column.name)].dtype.kind == "i"
            broken = pa.types.is_floating(after.schema.field(column.name).type)
            if broken and (whole or roles.method != "common-support"):
                column = replace(column, type="number")
        columns.append(column)
    return replace(form, columns=tuple(columns))


def _cells(table: pa.Table, name: str) -> np.ndarray:
    found: np.ndarray = table.column(name).to_numpy()
    return found


class _Collected:
    """Audited rows of one batch after the other."""

    def __init__(self) -> None:
        self.parts: list[tuple[Any, ...]] = []
        self.kernels: list[np.ndarray] = []
        self.known = True

    def add(
        self,
        estimator: WassersteinBarycenter,
        call: dict[str, Any],
        after: pa.Table,
        batch: dict[str, np.ndarray],
        rows: np.ndarray,
        survey: Survey,
    ) -> None:
        request = survey.request
        z, y = joined(batch, request.sensitive)[rows], batch[request.target][rows]
        given = call["given"][rows] if "given" in call else None
        before = call["X"].take(rows)
        self.parts.append((before, after.take(rows), z, y, given))
        # Conditional claims carry no certificate, and a mixture with the row itself none either.
        self.known = self.known and request.amount == 1 and given is None
        if not self.known:
            return
        part = {"X": before, "sensitive": z} if "sensitive" in call else {"X": before}
        kernels = estimator.release_kernels(**part)
        self.known = (
            kernels is not None and survey.audited * np.asarray(kernels).shape[1] <= LARGEST_KERNEL
        )
        if self.known:
            self.kernels.append(np.asarray(kernels))

    def whole(self, survey: Survey, note: Said) -> Audited:
        import pyarrow as pa

        before, after, z, y, given = zip(*self.parts, strict=True)
        return Audited(
            pa.concat_tables(before),
            pa.concat_tables(after),
            np.concatenate(z),
            np.concatenate(y),
            None if given[0] is None else np.concatenate(given),
            np.concatenate(self.kernels) if self.known else None,
        )


@contextmanager
def _closing() -> Iterator[Callable[[TableWriter], TableWriter]]:
    """Opens a writer inside the block, when the first batch has shown its columns."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield stack.enter_context


@contextmanager
def _notes_to(note: Said) -> Iterator[None]:
    """Pass warnings of the transform on as sentences, each once."""
    from infounlearn.feature.policies import FeatureWarning

    said: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", FeatureWarning)
        # Rows are named by their number or by a key here, so that copies do not share their draws.
        warnings.filterwarnings(
            "ignore", message=r".*are copies of another row", category=FeatureWarning
        )
        usual = warnings.showwarning

        def show(message: Any, category: Any, *rest: Any, **more: Any) -> None:
            if not issubclass(category, FeatureWarning):
                usual(message, category, *rest, **more)
            elif str(message) not in said:
                said.add(str(message))
                note(str(message))

        warnings.showwarning = show
        yield
