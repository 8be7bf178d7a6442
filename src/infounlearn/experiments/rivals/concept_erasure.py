"""EleutherAI's concept-erasure: LEACE (Belrose et al. 2023), no linear trace of the attribute."""

from __future__ import annotations

import numpy as np

from infounlearn.experiments.rivals.preprocess import Change, Preprocessor


class LeaceRival(Preprocessor):
    """``amount`` 1 is the published method, which has no dial: less of it is a mixture."""

    def fit_change(self, columns: np.ndarray, codes: np.ndarray) -> Change:
        """Fit the eraser with its defaults."""
        import torch
        from concept_erasure import LeaceEraser

        one_hot = torch.from_numpy((codes[:, None] == np.arange(self.levels[-1])).astype(float))
        eraser = LeaceEraser.fit(torch.from_numpy(columns), one_hot)

        def change(columns: np.ndarray, codes: np.ndarray) -> np.ndarray:
            return np.asarray(eraser(torch.from_numpy(columns)))

        return change
