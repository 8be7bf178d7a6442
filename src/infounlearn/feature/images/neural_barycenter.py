"""Images without their sensitive variable, as a scikit-learn transformer."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from infounlearn.errors import InputError, Problems
from infounlearn.feature.images.fitting import CLOSED, Fitted, fit_maps
from infounlearn.feature.images.pictures import WHERE, Pictures, read_pictures, sensitive_of
from infounlearn.feature.images.release import push
from infounlearn.feature.images.settings import Method, check_settings
from infounlearn.feature.images.storage import load_folder, save_folder
from infounlearn.feature.sensitive import SensitiveGroups, encode_sensitive
from infounlearn.files import writable_folder

__all__ = ["NeuralBarycenter"]


class NeuralBarycenter(TransformerMixin, BaseEstimator):
    """Move images as little as possible so that they no longer tell of Z.

    The release X̂ of least mean squared change that is independent of Z has the law of the
    Wasserstein-2 barycenter of the groups. Here the map of each group to it is a network that
    starts from the closed form of Gaussians and is trained against potentials, all maps to one
    shared law. What an image becomes depends on its pixels and its group, never on its batch.
    Nothing is proved of the result: audit fresh images.

    Args:
        sensitive: name of a column, where ``fit`` and ``transform`` are given a table of
            attributes; None: they are given the values.
        amount: the dial t in [0, 1]: (1 - t) x + t T(x). 0 returns the images bit for bit. It may
            be set after the fit.
        method: "barycenter": all maps to one shared law, any number of groups. "pairwise": two
            groups, each to the other, and X̄ = w_z x + (1 - w_z) T_z(x). "information": rounds, then
            critics of several designs one after another, each of which moves images until it reads
            nothing. Without training: "marginals" (the rounds alone), "latent-gaussian" (affine, in
            ``dims`` principal components), "pixel-gaussian" (in every value) and "mean-shift".
        network: "small", or "tiny" (about half the time). Vectors take small perceptrons.
        start: "latent-gaussian": networks add to the closed form; "identity": they begin at x.
        dims: principal components of the closed form, at most 768 of "auto": as many as kept rows
            speak for; of the rounds, which aim at what is left, one per five rows of a group.
        steps: of the potential, each with ``map_steps`` of the maps.
        map_steps: steps of the maps per step of the potential.
        rounds: of methods "marginals" and "information": how often single values, small patterns
            and moments are moved to the barycenters of their laws, one after the other.
        inset: of the same: images at full strength are cut off this share of the range before black
            and before white, where how many values end tells less than at the ends themselves.
        critics: of method "information", how many are asked at most; it ends when one of every
            design tells nothing of images it did not learn from. Its looks are ``evaluate_every``
            critics apart, at the fifth of the images that no closed form saw and by which stages
            are set; of the settings of training ``flip`` and ``checkpoint`` hold.
        rate: share of the way to the barycenter of a critic's log odds that images go.
        batch_size: rows per step, the same number of every group.
        lr, potential_lr: of Adam, along half a cosine.
        penalty: λ of the proximal penalty on the slope of the potential, which is no bias: slower
            where large, less steady where small.
        ema: share of the running mean of the maps that stays at each step.
        flip: mirror training images at random, and take the moments of the closed form from both
            sides (not where left and right have a meaning).
        validation: share of each group kept from training, on which cost and a fresh small probe
            are looked at every ``evaluate_every`` steps; the maps that it sees least through are
            kept. 0: none, the last maps are kept.
        evaluate_every: steps between two looks, and two writings of ``checkpoint``.
        patience: steps without a better look after which training stops; None: never.
        min_group: least number of images of a group.
        clip: confine released pixels to [0, 1]; of vectors never.
        precision: "float32", or "bf16" for the networks' sums in training.
        device: of torch, such as "cpu" or "cuda".
        accelerate: train through accelerate, in as many processes as it was launched with.
        checkpoint: folder in which the state of training is kept, and taken up again.
        progress: True writes a line per look to standard error; a function is called with each row
            of the history.
        random_state: seed; on the CPU the same seed gives the same weights.

    Attributes:
        groups_: labels of the groups, in their order.
        weights_: (m,) P(Z = z) of the fitted images.
        value_: mean squared change per pixel value of the fitted images, at full strength.
        bound_: what the Gaussians with their moments would need, below which no law can be had
            that hides Z: in the directions of the closed form.
        history_: looks of the training: step, cost, held-out cost, probe accuracy and area.
        facts_: figures of the fit.
        limits_: what was not shown, in sentences.

    References:
        Kolesov et al. (2024), arXiv:2402.03828; Korotin et al. (2022), arXiv:2201.12220;
        Xu & Strohmer (2023), JMLR 24.
    """

    def __init__(
        self,
        sensitive: Any = None,
        amount: float = 1.0,
        method: Method = "barycenter",
        network: Literal["small", "tiny"] = "small",
        *,
        start: Literal["latent-gaussian", "identity"] = "latent-gaussian",
        dims: int | Literal["auto"] = "auto",
        steps: int = 2000,
        map_steps: int = 2,
        rounds: int = 5,
        inset: float = 0.02,
        critics: int = 32,
        rate: float = 0.7,
        batch_size: int = 64,
        lr: float = 1e-3,
        potential_lr: float = 1e-3,
        penalty: float = 0.1,
        ema: float = 0.999,
        flip: bool = False,
        validation: float = 0.1,
        evaluate_every: int = 500,
        patience: int | None = None,
        min_group: int = 16,
        clip: bool = True,
        precision: Literal["float32", "bf16"] = "float32",
        device: str = "cpu",
        accelerate: bool = False,
        checkpoint: Any = None,
        progress: bool | Callable[[dict[str, float]], None] = False,
        random_state: int = 0,
    ) -> None:
        self.sensitive = sensitive
        self.amount = amount
        self.method = method
        self.network = network
        self.start = start
        self.dims = dims
        self.steps = steps
        self.map_steps = map_steps
        self.rounds = rounds
        self.inset = inset
        self.critics = critics
        self.rate = rate
        self.batch_size = batch_size
        self.lr = lr
        self.potential_lr = potential_lr
        self.penalty = penalty
        self.ema = ema
        self.flip = flip
        self.validation = validation
        self.evaluate_every = evaluate_every
        self.patience = patience
        self.min_group = min_group
        self.clip = clip
        self.precision = precision
        self.device = device
        self.accelerate = accelerate
        self.checkpoint = checkpoint
        self.progress = progress
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, sensitive: Any = None) -> NeuralBarycenter:
        """Learn the maps of the groups to their barycenter.

        Args:
            X: (n, c, h, w) or (n, h, w) images, bytes or floats in [0, 1], as tensor, array or
                what ``read_images`` gives; or (n, d) vectors.
            y: not used.
            sensitive: (n,) values, or a table with the column ``sensitive``.

        Raises:
            InputError: everything that cannot be used, in one message, before any work.
            DivergenceError: training left the finite numbers.
        """
        began = time.perf_counter()
        problems = Problems(WHERE)
        check_settings(self, problems)
        pictures = read_pictures(X, problems)
        values = sensitive_of(sensitive, self.sensitive, len(pictures.pixels), problems)
        groups = None if values is None else self._groups_of(values, problems)
        problems.raise_if_any()
        # Groups that could not be read are a problem, and were raised.
        groups = cast("SensitiveGroups", groups)
        self._fitted = fit_maps(self, pictures, groups)
        self._take_over(self._fitted)
        codes = torch.from_numpy(groups.codes)
        moved = self._full(pictures, codes)
        self.value_ = float(((moved - pictures.floats()) ** 2).mean(dtype=torch.float64))
        self.facts_ |= {"value": self.value_, "seconds": time.perf_counter() - began}
        return self

    def transform(self, X: Any, *, sensitive: Any = None) -> Any:
        """Release images.

        Args:
            X: images of the fitted size and channels, in any form.
            sensitive: as in :meth:`fit`.

        Returns:
            Images in the form they came: bytes are rounded to the nearest.

        Raises:
            InputError: images that cannot be released; NotFittedError before a fit.
        """
        check_is_fitted(self, "_fitted")
        problems = Problems(WHERE)
        check_settings(self, problems)
        pictures = read_pictures(X, problems, self._fitted.shape)
        values = sensitive_of(sensitive, self.sensitive, len(pictures.pixels), problems)
        problems.raise_if_any()
        codes = torch.from_numpy(self._fitted.groups.encode(values, where=WHERE))
        if self.amount == 0:
            return pictures.unchanged()
        moved = self._full(pictures, codes)
        if self.amount < 1:
            moved = (1.0 - self.amount) * pictures.floats() + self.amount * moved
        if self.clip and len(self._fitted.shape) == 3:
            moved = moved.clamp(0.0, 1.0)
        return pictures.like(moved)

    def fit_transform(self, X: Any, y: Any = None, *, sensitive: Any = None) -> Any:
        """:meth:`fit`, then :meth:`transform` of the same images."""
        return self.fit(X, y, sensitive=sensitive).transform(X, sensitive=sensitive)

    def save(self, folder: Any) -> Path:
        """Write the maps (safetensors) and everything else (JSON) to ``folder``.

        Raises:
            InputError: the folder cannot be written; NotFittedError before a fit.
        """
        check_is_fitted(self, "_fitted")
        path = writable_folder(folder, WHERE, "folder")
        facts = {"facts": self.facts_, "history": self.history_, "value": self.value_}
        save_folder(path, self.get_params(deep=False), self._fitted, facts)
        return path

    @classmethod
    def load(cls, folder: Any) -> NeuralBarycenter:
        """What :meth:`save` wrote.

        Raises:
            InputError: files that are absent, damaged or of another version.
        """
        settings, fitted, facts = load_folder(Path(folder))
        one = cls(**settings)
        one._fitted = fitted
        one._take_over(fitted)
        one.facts_, one.history_ = facts["facts"], facts["history"]
        one.value_ = facts["value"]
        return one

    def _full(self, pictures: Pictures, codes: torch.Tensor) -> torch.Tensor:
        """Images at full strength, not yet confined to the range of pixels."""
        fitted = self._fitted
        return push(fitted.maps, pictures.pixels, codes, fitted.rows, fitted.pairwise)

    def _groups_of(self, values: Any, problems: Problems) -> SensitiveGroups | None:
        """Groups of the fitted images; what is wrong with them joins the other problems."""
        try:
            groups = encode_sensitive(values, where=WHERE, min_count=max(self.min_group, 2))
        except InputError as error:
            problems.found.append(str(error).removeprefix(f"{WHERE}: "))
            return None
        if problems.require(
            len(groups) > 1,
            f"all images are in one group ({groups.labels[0]!r})",
            fix="pass images of two or more groups",
        ):
            pairs = self.method != "pairwise" or len(groups) == 2
            problems.require(
                pairs, f"there are {len(groups)} groups", fix='set method="barycenter"'
            )
        return groups

    def _take_over(self, fitted: Fitted) -> None:
        """Attributes for readers."""
        self.groups_ = fitted.groups.labels
        self.weights_ = np.asarray(fitted.groups.weights)
        self.bound_ = fitted.bound
        self.history_, self.facts_ = fitted.history, fitted.facts
        self.limits_ = [
            "Nothing is proved of images from continuous maps: audit images that were not fitted.",
            f"The bound holds for the {fitted.facts['dims']} directions of the closed form, and "
            "for the moments of the fitted images.",
        ]
        if self.method in CLOSED:
            self.limits_.append("Affine maps match two moments: a network may still read Z.")
        if self.method == "information":
            self.limits_.append("Critics of a few designs were asked: others may still read Z.")
        if self.method == "marginals":
            self.limits_.append("What groups tell by how values hang together was left as it is.")
