"""From images and groups to trained maps: the closed form, the networks, the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from infounlearn.errors import InputError
from infounlearn.feature.images.batches import Rows
from infounlearn.feature.images.inquiring import inquire
from infounlearn.feature.images.latent_gaussian import (
    MOST_DIMS,
    ROWS_PER_DIRECTION,
    LatentGaussian,
    fit_latent_gaussian,
)
from infounlearn.feature.images.networks import (
    GroupMap,
    GroupPotential,
    MapMLP,
    MapNet,
    NoChange,
    Potential,
    PotentialMLP,
    laid_out,
)
from infounlearn.feature.images.pictures import WHERE, Pictures
from infounlearn.feature.images.seeds import own_randomness, stream_seed
from infounlearn.feature.images.settings import FLOWS
from infounlearn.feature.images.starts import start_of
from infounlearn.feature.images.surroundings import fingerprint_of, folder_of, looking, teller
from infounlearn.feature.images.training import Plan, Players, Training
from infounlearn.feature.sensitive import SensitiveGroups

CLOSED = ("latent-gaussian", "pixel-gaussian", "mean-shift")
"""Methods without training."""
LEAST_HELD_OUT = 8
"""Rows of each group below which a probe of held-out images would tell nothing."""
FRESH = 0.2
"""Share of the images of each group that no closed form of method "information" sees."""
ROWS_EACH, SHARE = 5, 0.9995
"""Of the methods that go on from the closed form, dims="auto": rows of the smallest group for each
direction, and share of the variance that is enough. Their aim is what is left, not
what it costs: directions that would hardly repay their error are moved all the same."""
WIDTHS = {"small": (24, 32), "tiny": (16, 24)}
"""Channels of the map and of the potential."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """What is needed to release images, and what is known of the fit."""

    maps: nn.Module
    groups: SensitiveGroups
    rows: Rows
    shape: tuple[int, ...]
    pairwise: bool
    bound: float
    history: list[dict[str, float]]
    facts: dict[str, Any]


def fit_maps(one: Any, pictures: Pictures, groups: SensitiveGroups) -> Fitted:
    """Maps of the groups of checked ``pictures`` by the settings of the estimator ``one``.

    Raises:
        InputError: images without variance, or too few for the closed form.
        DivergenceError: training left the finite numbers.
    """
    codes = torch.from_numpy(groups.codes)
    closed = one.method in CLOSED
    share = 0.0 if closed or one.method in FLOWS else one.validation
    kept = held_out(codes, len(groups), share, one.random_state)
    learned = ~kept
    whole = pictures.floats(learned)
    scale, shift = float(whole.std()), float(whole.mean())
    if not scale > 0:
        raise InputError(f"{WHERE}: all pixels of X are {shift:.4g}: pass images that differ")
    weights = torch.from_numpy(groups.weights)
    rows = Rows(pictures.pixels[learned], codes[learned], weights, shift, scale)
    fresh = torch.zeros(len(rows.codes), dtype=torch.bool)
    if one.method == "information":
        fresh = held_out(rows.codes, len(groups), FRESH, one.random_state)
    whole = (whole[~fresh] - shift) / scale
    known = _closed_form(one, whole, rows.codes[~fresh], pictures.shape)
    del whole
    if one.method in FLOWS:
        return _informed(one, pictures, groups, known, rows, fresh)
    pairwise = one.method == "pairwise"
    device = torch.device(one.device)
    plan = _plan(one)
    players = _players(one, pictures.shape, len(groups), known, pairwise)
    players.maps.to(device), players.potential.to(device), players.shadow.to(device)
    history: list[dict[str, float]] = []
    facts = _facts(known, scale, kept)
    if not closed and plan.steps > 0:
        run = _run(one, players, rows, plan, pictures.pixels[kept], codes[kept], pairwise)
        history = run.history
        parameters = [
            sum(value.numel() for value in net.parameters())
            for net in (players.maps, players.potential)
        ]
        facts |= {
            "steps": run.step,
            "best_step": run.best_step if run.evaluate is not None else run.step,
            "stopped": run.stopped,
            "map_parameters": parameters[0],
            "potential_parameters": parameters[1],
        }
    return _fitted(players.shadow, groups, rows, pictures.shape, pairwise, history, facts)


def _facts(known: LatentGaussian, scale: float, kept: Tensor) -> dict[str, Any]:
    held = {} if known.held_out is None else {"held_out_bound": known.held_out * scale**2}
    return held | {
        "bound": known.value * scale**2,
        "dims": known.barycenter.rank,
        "dims_variance_alone": known.tail,
        "trust": known.trust,
        "explained": known.explained,
        "held_out": int(kept.sum()),
        "trained_on": int((~kept).sum()),
    }


def _fitted(
    maps: nn.Module,
    groups: SensitiveGroups,
    rows: Rows,
    shape: tuple[int, ...],
    pairwise: bool,
    history: list[dict[str, float]],
    facts: dict[str, Any],
) -> Fitted:
    """Without the training rows."""
    light = replace(rows, pixels=rows.pixels[:0], codes=rows.codes[:0])
    plain = groups.without_rows()
    return Fitted(maps, plain, light, shape, pairwise, facts["bound"], history, facts)


def _informed(
    one: Any,
    pictures: Pictures,
    groups: SensitiveGroups,
    known: LatentGaussian,
    rows: Rows,
    fresh: Tensor,
) -> Fitted:
    """Methods "marginals" and "information"."""
    pixels, codes = rows.pixels[fresh], rows.codes[fresh]
    names = ("method", "rounds", "inset", "critics", "rate", "clip", "evaluate_every")
    plain = {name: getattr(one, name) for name in names}
    flow, history, found = inquire(
        one,
        known,
        start_of(known)[0],
        rows,
        fresh,
        evaluate=looking(one, rows, pixels, codes, False),
        folder=folder_of(one),
        fingerprint=fingerprint_of(one, rows, plain | {"flip": one.flip, "seed": one.random_state}),
        tell=_counting_critics(teller(one.progress)),
    )
    history = [_of_critic(row) for row in history]
    facts = _facts(known, rows.scale, torch.zeros_like(fresh)) | found
    if one.method == "information":
        facts["kept_from_closed_forms"] = int(fresh.sum())
    return _fitted(flow, groups, rows, pictures.shape, False, history, facts)


def _of_critic(row: dict[str, float]) -> dict[str, float]:
    """A look of method "information": it counts critics, and the images it looks at set stages."""
    names = {"step": "critic", "held_out_cost": "kept_cost"}
    return {names.get(name, name): value for name, value in row.items()}


def _counting_critics(
    tell: Callable[[dict[str, float]], None] | None,
) -> Callable[[dict[str, float]], None] | None:
    if tell is None:
        return None
    return lambda row: tell(_of_critic(row))


def held_out(codes: Tensor, groups: int, share: float, seed: int) -> Tensor:
    """(n,) which images training does not see: the same share of every group, or none of any."""
    kept = torch.zeros(len(codes), dtype=torch.bool)
    generator = torch.Generator().manual_seed(stream_seed(seed, "held out"))
    for z in range(groups):
        own = torch.nonzero(codes == z)[:, 0]
        count = int(len(own) * share)
        if count < LEAST_HELD_OUT:
            return torch.zeros_like(kept)
        kept[own[torch.randperm(len(own), generator=generator)[:count]]] = True
    return kept


def build_maps(
    shape: tuple[int, ...], groups: int, network: str, change: nn.Module | None, scale: float
) -> GroupMap:
    """T of a network, "closed" for none, that adds to ``change``."""
    net: nn.Module
    if network == "closed":
        net = NoChange()
    else:
        net = (
            MapNet(shape, groups, WIDTHS[network][0]) if len(shape) == 3 else MapMLP(shape, groups)
        )
    maps = GroupMap(net, change, scale)
    return laid_out(maps, shape)


def _players(
    one: Any, shape: tuple[int, ...], groups: int, known: LatentGaussian, pairwise: bool
) -> Players:
    """Networks in the units of the closed form: a step of Adam is a share of what is to be done."""
    closed = one.method in CLOSED
    change, dual = start_of(known, pairwise)
    far = known.value if known.value > 0 else 1.0
    begins = closed or one.start == "latent-gaussian"
    network = "closed" if closed else one.network
    with own_randomness(torch.device("cpu"), stream_seed(one.random_state, "weights")):
        maps = build_maps(shape, groups, network, change if begins else None, far**0.5)
        images = len(shape) == 3 and not closed
        net = (
            Potential(shape, groups, WIDTHS[one.network][1])
            if images
            else PotentialMLP(shape[:1], groups)
        )
        potential = GroupPotential(net, dual if begins else None, far)
    return Players(maps, laid_out(potential, shape if images else shape[:1]))


def _closed_form(one: Any, rows: Tensor, codes: Tensor, shape: tuple[int, ...]) -> LatentGaussian:
    """The closed form, which is the start, the scale and the bound of everything else."""
    flat, groups = rows.flatten(1).numpy(), codes.numpy()
    smallest = int(torch.bincount(codes).min())
    if one.flip and len(shape) == 3:  # moments of mirrored images too, of which training sees half
        flat = np.concatenate([flat, rows.flip(-1).flatten(1).numpy()])
        groups = np.concatenate([groups, groups])
    dims = one.dims
    if one.method == "pixel-gaussian":
        dims = None
    if one.method == "mean-shift":
        dims = 0
    if dims not in (None, "auto") and dims * ROWS_PER_DIRECTION > smallest:
        raise InputError(
            f"{WHERE}: dims is {dims} and the smallest group has {smallest} images to learn from: "
            f"pass dims of at most {smallest // ROWS_PER_DIRECTION}, or 'auto'"
        )
    sides = len(groups) // len(codes)
    share, plain = 1.0, one.method in FLOWS and dims == "auto"
    if plain:
        most = flat.shape[1] - len(torch.unique(codes)) + 1
        dims, share = min(MOST_DIMS, smallest // ROWS_EACH, most), SHARE
    return fit_latent_gaussian(
        flat, groups, dims=dims, share=share, sides=sides, lenient=plain, seed=one.random_state
    )


def _plan(one: Any) -> Plan:
    names = set(Plan.__dataclass_fields__) & set(one.get_params(deep=False))
    settings = {name: getattr(one, name) for name in sorted(names)}
    objective = "pairwise" if one.method == "pairwise" else "barycenter"
    return Plan(**settings, objective=objective, seed=one.random_state)


def _run(
    one: Any,
    players: Players,
    rows: Rows,
    plan: Plan,
    pixels: Tensor,
    codes: Tensor,
    pairwise: bool,
) -> Training:
    accelerator = None
    if one.accelerate:
        from accelerate import Accelerator  # several devices only

        accelerator = Accelerator(cpu=one.device == "cpu")
    run = Training(
        players,
        rows,
        plan,
        evaluate=looking(one, rows, pixels, codes, pairwise),
        folder=folder_of(one),
        fingerprint=fingerprint_of(one, rows, asdict(plan)),
        accelerator=accelerator,
        tell=teller(one.progress),
    )
    run.run()
    return run
