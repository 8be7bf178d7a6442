"""A finished frontier: every run, what it says about each method, and whether methods differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from infounlearn.errors import InputError, Problems
from infounlearn.feature.frontier_cells import Cell
from infounlearn.feature.frontier_measures import GAPS, UTILITIES
from infounlearn.math.hypervolume import PairedDifference, frontier_area, paired_difference

__all__ = ["Area", "Frontier"]

FORMAT = "infounlearn-frontier"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Area:
    """The hypervolume of one method.

    Attributes:
        method: its name.
        mean, sd: over the folds, in the unit of the utility (for "mse": minus it); None where a
            fold has no finished run.
        folds: of each fold; empty where a fold has no finished run.
        difference: this method minus ``against``, paired by fold; None for that method itself.
        against: the method compared with.
    """

    method: str
    mean: float | None
    sd: float | None
    folds: tuple[float, ...]
    against: str
    difference: PairedDifference | None


@dataclass(frozen=True)
class Frontier:
    """Utility against gap for several methods, each over its dial, on the same folds.

    Attributes:
        cells: every run, failed ones included, by method, setting and fold.
        constants: per fold, utilities of the predictor that ignores its input.
        plain: the method whose gap is the limit of the areas: the model as it was.
        test_to_train: n_test / n_train of a fold.
        settings: number of rows, folds and repeats, seed, task, groups and their sizes.
    """

    cells: tuple[Cell, ...]
    constants: tuple[Mapping[str, float], ...]
    plain: str
    test_to_train: float
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods, in the order given."""
        return tuple(dict.fromkeys(cell.method for cell in self.cells))

    @property
    def failures(self) -> tuple[Cell, ...]:
        """The runs that ended in an error."""
        return tuple(cell for cell in self.cells if cell.error is not None)

    def rows(self) -> list[dict[str, Any]]:
        """One mapping per method and setting: mean and one sd over folds of every measure.

        Keys: ``method``, ``parameter``, ``value``, ``finished`` and ``failed`` folds, ``seconds``
        (mean), for each measure its name and ``NAME_sd`` (None where nothing finished; sd None with
        one fold), and ``error``: the first one's text, or None.
        """
        names = [name for name in (*UTILITIES, *GAPS) if self._has(name)]
        found = []
        for (method, position), cells in self._settings().items():
            done = [cell for cell in cells if cell.error is None]
            errors = [cell.error for cell in cells if cell.error is not None]
            row: dict[str, Any] = {
                "method": method,
                "parameter": cells[0].parameter,
                "value": position,
                "finished": len(done),
                "failed": len(errors),
                "seconds": float(np.mean([cell.seconds for cell in cells])),
            }
            for name in names:
                values = [cell.figures[name] for cell in done if name in cell.figures]
                row[name] = float(np.mean(values)) if values else None
                row[f"{name}_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
            found.append({**row, "error": errors[0] if errors else None})
        return found

    def table(
        self, utility: str | None = None, gap: str | None = None
    ) -> tuple[tuple[str, ...], ...]:
        """Rows of text, the header first: every method and setting, failures included.

        Raises:
            InputError: a measure that was not taken.
        """
        utility, gap = self._chosen(utility, gap)
        lines = [("method", "dial", utility, "sd", gap, "sd", "seconds", "failed")]
        for row in self.rows():
            dial = "" if row["parameter"] is None else f"{row['parameter']}={_short(row['value'])}"
            figures = (row[utility], row[f"{utility}_sd"], row[gap], row[f"{gap}_sd"])
            failed = f"{row['failed']}: {row['error']}" if row["failed"] else ""
            told = ["" if figure is None else f"{figure:.4f}" for figure in figures]
            lines.append((row["method"], dial, *told, f"{row['seconds']:.1f}", failed))
        return tuple(lines)

    def limit(self, gap: str | None = None) -> float:
        """D: the mean gap of the plain model over the folds.

        Raises:
            InputError: it has no finished run, or no gap.
        """
        _, gap = self._chosen(None, gap)
        means = [row[gap] for row in self.rows() if row["method"] == self.plain]
        largest = max((mean for mean in means if mean is not None), default=0.0)
        if largest <= 0:
            raise InputError(
                f"Frontier: the plain method {self.plain!r} has no gap in {gap!r}: pass limit="
            )
        return float(largest)

    def hypervolumes(
        self,
        utility: str | None = None,
        gap: str | None = None,
        *,
        limit: float | None = None,
        against: str | None = None,
        confidence: float = 0.95,
        mixtures: bool = False,
    ) -> tuple[Area, ...]:
        """Area of each method, largest mean first, and its paired difference to one of them.

        Args:
            utility: "accuracy", "auroc" or "mse" (counted negative); default the task's own.
            gap: "parity", "odds", "ks", "wasserstein" or "nats"; default parity, for a regression
                ks.
            limit: gaps count from 0 to this; default the plain model's mean gap.
            against: method to compare with; default the one of largest mean.
            confidence: of the intervals.
            mixtures: count coins between a method's settings too, and between one and the constant
                predictor (see :func:`infounlearn.math.frontier_area`).

        Raises:
            InputError: a measure that was not taken, an unknown method, or no limit.
        """
        utility, gap = self._chosen(utility, gap)
        limit = self.limit(gap) if limit is None else limit
        areas = {name: self._areas(name, utility, gap, limit, mixtures) for name in self.methods}
        ranked = sorted(areas, key=lambda name: -float(np.mean(areas[name] or [-np.inf])))
        against = ranked[0] if against is None else against
        problems = Problems("Frontier.hypervolumes")
        problems.require(
            bool(areas.get(against)),
            f"against is {against!r}",
            fix=f"choose one that finished on all folds: {[n for n in ranked if areas[n]]}",
        )
        problems.raise_if_any()
        found = []
        for name in ranked:
            own = areas[name]
            compared = None
            if own and name != against and len(own) > 1:
                compared = paired_difference(
                    own, areas[against], test_to_train=self.test_to_train, confidence=confidence
                )
            mean = float(np.mean(own)) if own else None
            sd = float(np.std(own, ddof=1)) if len(own) > 1 else None
            found.append(Area(name, mean, sd, tuple(own), against, compared))
        return tuple(found)

    def plot(self, utility: str | None = None, gap: str | None = None, *, axes: Any = None) -> Any:
        """Mean of each setting with one sd over folds, a line per method; returns the axes.

        Raises:
            InputError: a measure that was not taken.
        """
        from infounlearn.feature.frontier_drawing import draw

        utility, gap = self._chosen(utility, gap)
        return draw(self, utility, gap, axes)

    def to_json(self) -> str:
        """Everything, as standard JSON."""
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "plain": self.plain,
            "test_to_train": self.test_to_train,
            "settings": dict(self.settings),
            "constants": [dict(one) for one in self.constants],
            "cells": [asdict(cell) for cell in self.cells],
        }
        return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Frontier:
        """The frontier that :meth:`to_json` wrote.

        Raises:
            InputError: it is no such text.
        """
        try:
            document = json.loads(text)
            known = document["format"] == FORMAT and document["format_version"] == FORMAT_VERSION
            if not known:
                raise ValueError(f"format {document['format']!r} {document['format_version']!r}")
            return cls(
                tuple(Cell(**cell) for cell in document["cells"]),
                tuple(document["constants"]),
                document["plain"],
                document["test_to_train"],
                document["settings"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"Frontier.from_json: the text is no frontier ({error}): pass what to_json wrote"
            ) from error

    def _settings(self) -> dict[tuple[str, Any], list[Cell]]:
        found: dict[tuple[str, Any], list[Cell]] = {}
        for cell in self.cells:
            found.setdefault((cell.method, cell.value), []).append(cell)
        return found

    def _areas(
        self, method: str, utility: str, gap: str, limit: float, mixtures: bool
    ) -> list[float]:
        sign = UTILITIES[utility]
        found = []
        for fold, constant in enumerate(self.constants):
            points = [
                (cell.figures[gap], sign * cell.figures[utility])
                for cell in self.cells
                if cell.method == method and cell.fold == fold and utility in cell.figures
            ]
            if not points:
                return []
            gaps, utilities = zip(*points, strict=True)
            floor = sign * constant[utility]
            area = frontier_area(gaps, utilities, limit=limit, constant=floor, mixtures=mixtures)
            found.append(area)
        return found

    def _has(self, name: str) -> bool:
        return any(name in cell.figures for cell in self.cells)

    def _chosen(self, utility: str | None, gap: str | None) -> tuple[str, str]:
        regression = self.settings.get("task") == "regression"
        utility = utility or ("mse" if regression else "accuracy")
        gap = gap or ("ks" if regression else "parity")
        problems = Problems("Frontier")
        for what, name, known in (("utility", utility, tuple(UTILITIES)), ("gap", gap, GAPS)):
            taken = [one for one in known if self._has(one)]
            problems.require(
                name in taken,
                f"{what} {name!r} was not measured",
                fix=f"choose one of {taken}; with none, see .failures",
            )
        problems.raise_if_any()
        return utility, gap


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def ranking(areas: Sequence[Area]) -> tuple[tuple[str, ...], ...]:
    """Areas as rows of text, the header first."""
    lines = [("method", "area", "sd", f"minus {areas[0].against}", "standard error", "interval")]
    for area in areas:
        own = ("failed", "") if area.mean is None else (f"{area.mean:.4f}", f"{area.sd or 0:.4f}")
        other = area.difference
        told = ("", "", "")
        if other is not None:
            low, high = other.interval
            told = (
                f"{other.mean:+.4f}",
                f"{other.standard_error:.4f}",
                f"{low:+.4f} to {high:+.4f}",
            )
        lines.append((area.method, *own, *told))
    return tuple(lines)
