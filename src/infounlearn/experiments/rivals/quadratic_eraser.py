"""EleutherAI's QuadraticEraser: groups get one mean and covariance, by affine transport."""

from __future__ import annotations

import numpy as np

from infounlearn.experiments.rivals.preprocess import Change, Preprocessor


class QuadraticRival(Preprocessor):
    """``amount`` 1 is the published method, which has no dial: less of it is a mixture."""

    def fit_change(self, columns: np.ndarray, codes: np.ndarray) -> Change:
        """Fit the eraser with its defaults."""
        import torch
        from concept_erasure import QuadraticEraser

        eraser = QuadraticEraser.fit(torch.from_numpy(columns), torch.from_numpy(codes))

        def change(columns: np.ndarray, codes: np.ndarray) -> np.ndarray:
            return np.asarray(eraser(torch.from_numpy(columns), torch.from_numpy(codes)))

        return change
