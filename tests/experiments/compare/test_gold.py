"""Tuning and judging share what every user has, and the yardstick is what it says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import pytest
import torch
from torch import nn

from infounlearn.errors import InputError
from infounlearn.experiments.compare.gold import (
    MOST_ROWS,
    PARTS,
    Gold,
    build_gold,
    case_key,
    cut,
    show,
    steps_of,
)
from infounlearn.experiments.compare.pack import Packed
from infounlearn.experiments.networks import Mlp
from infounlearn.math import distance_to_ensemble

from .conftest import draw, make_case


def ids(records: dict) -> set[int]:
    return {int(one) for part in records.values() for one in part.ids}


def test_tuner_and_judge_see_all_that_a_user_has_and_share_nothing_else() -> None:
    case = make_case()
    _, tuning, final, notes = cut(case)
    assert tuning.keys() == {"forget", "retain", "test"}
    for view in (tuning, final):
        assert torch.equal(view["forget"].ids, case.forget.ids)
        assert torch.equal(view["retain"].ids, case.retain.ids)
    trained_on = {int(one) for one in case.train.ids}
    assert ids(tuning) & ids(final) == trained_on
    assert not notes


def test_held_out_records_are_of_the_methods_or_the_tuner_or_the_attacks() -> None:
    case = make_case()
    given, tuning, final, _ = cut(case)
    assert torch.equal(final["test"].ids, case.test.ids)
    parts = [given, tuning["test"], final["holdout"]]
    assert [len(part) for part in parts] == [48, 24, 24]
    together = torch.cat([part.ids for part in parts])
    assert torch.equal(together.sort().values, case.holdout.ids.sort().values)
    for part in parts:
        counts = part.targets.bincount(minlength=3)
        assert counts.max() - counts.min() <= 1


def test_one_record_is_seen_by_both() -> None:
    _, tuning, final, notes = cut(make_case(forget=1))
    assert tuning["forget"].ids.tolist() == final["forget"].ids.tolist() == [0]
    assert not notes


def test_large_sets_are_sampled_and_a_note_says_so() -> None:
    case = make_case()
    many = draw(MOST_ROWS + 30, 5, 5000, "test")
    _, _, final, notes = cut(replace(case, test=many))
    assert len(final["test"]) == MOST_ROWS
    assert "sample of 5,000" in notes[0]
    _, tuning, final, notes = cut(replace(case, retain=many))
    assert len(final["retain"]) == MOST_ROWS
    assert torch.equal(final["retain"].ids, tuning["retain"].ids)
    assert "sample of 5,000" in notes[0]


def test_all_networks_are_different_ones(gold: Gold) -> None:
    own = [*gold.originals, gold.tuning_original, *gold.networks]
    first = [next(model.parameters()) for model in own]
    for one, other in combinations(first, 2):
        assert not torch.equal(one, other)
    for view in (gold.final, gold.tuning):
        for one, other in combinations(view.ensemble["test"], 2):
            assert not torch.equal(one, other)
    for one in gold.final.ensemble["forget"]:
        assert torch.allclose(one.exp().sum(1), torch.ones(len(one), dtype=torch.float64))


def test_the_ensemble_shows_what_its_networks_show(gold: Gold) -> None:
    for k, network in enumerate(gold.networks):
        for name, records in gold.final.records.items():
            assert torch.equal(gold.final.ensemble[name][k], show(network, records))


def test_distances_are_those_to_the_ensemble_on_the_same_records(gold: Gold) -> None:
    shown = {name: show(gold.originals[0], own) for name, own in gold.final.records.items()}
    found = gold.final.distances(shown)
    assert set(found) == set(PARTS)
    for name in PARTS:
        direct = distance_to_ensemble(shown[name], gold.final.ensemble[name])
        assert found[name].ratio == direct.ratio
    # The original knows the forget records; retrained networks do not.
    assert found["forget"].ratio > 1.5


def test_requests_of_a_sequence_keep_what_later_ones_forget() -> None:
    case = make_case(forget=9, requests=3)
    steps = list(steps_of(case))
    assert [step.forget.ids.tolist() for step in steps] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert [len(step.retain) for step in steps] == [177, 174, 171]
    assert 8 in steps[1].retain.ids
    assert 0 not in steps[1].retain.ids
    assert torch.equal(steps[-1].retain.ids, case.retain.ids)


def test_the_key_names_the_request_and_the_records() -> None:
    case = make_case()
    keys = [
        case_key(case),
        case_key(make_case(forget=23)),
        case_key(make_case(requests=2)),
        case_key(replace(case, test=case.test.subset(range(59)))),
        case_key(replace(case, holdout=case.holdout.subset(range(95)))),
        case_key(replace(case, recipe=replace(case.recipe, epochs=29))),
    ]
    assert len(set(keys)) == len(keys)
    assert case_key(make_case()) == keys[0]


def test_a_yardstick_survives_the_way_to_a_worker(gold: Gold) -> None:
    packed = Packed(gold)
    packed.key += " another process"  # so that it is unpacked, not remembered
    there = packed.gold()
    assert torch.equal(there.case.retain.inputs, gold.case.retain.inputs)
    for name in gold.final.ensemble:
        assert torch.equal(there.final.ensemble[name], gold.final.ensemble[name])
    for one, other in zip(there.originals, gold.originals, strict=True):
        test = gold.case.test
        assert torch.equal(show(one, test), show(other, test))
    assert len(packed.rest) < sum(array.nbytes for array in packed.arrays)


@dataclass(frozen=True)
class Constant:
    """A factory that ignores its seed."""

    def __call__(self, seed: int) -> nn.Module:
        return Mlp((4, 16, 3))(0)


def test_a_factory_that_ignores_its_seed_is_no_gold(networks: Path) -> None:
    with pytest.raises(InputError):
        build_gold(replace(make_case(), factory=Constant()), seeds=1, references=2)


def test_bad_numbers_are_listed_together() -> None:
    short = replace(make_case(), holdout=draw(20, 1, 1000, "holdout"))
    with pytest.raises(InputError) as caught:
        build_gold(short, seeds=0, references=1)
    for words in ("seeds is 0", "references is 1", "holds 20 records"):
        assert words in str(caught.value)
