"""fairlearn's CorrelationRemover: subtracts what is linear in the attribute."""

from __future__ import annotations

import numpy as np

from infounlearn.experiments.rivals.preprocess import Change, Preprocessor


class CorrelationRemoverRival(Preprocessor):
    """``amount`` is its ``alpha``; 1 is the published default."""

    def fit_change(self, columns: np.ndarray, codes: np.ndarray) -> Change:
        """Fit fairlearn's projection; one-hot codes but one, as its guide has it."""
        from fairlearn.preprocessing import CorrelationRemover

        groups = int(self.levels[-1])

        def beside(columns: np.ndarray, codes: np.ndarray) -> np.ndarray:
            return np.column_stack([columns, codes[:, None] == np.arange(1, groups)])

        width = columns.shape[1]
        remover = CorrelationRemover(sensitive_feature_ids=range(width, width + groups - 1))
        remover.fit(beside(columns, codes))

        def change(columns: np.ndarray, codes: np.ndarray) -> np.ndarray:
            changed: np.ndarray = remover.transform(beside(columns, codes))
            return changed

        return change
