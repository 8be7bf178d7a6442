"""The estimator: what it gives back, what stays as it is, what it refuses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from infounlearn.errors import InputError
from infounlearn.feature.images import NeuralBarycenter
from infounlearn.feature.images.latent_gaussian import fit_latent_gaussian

from .toys import stripes

QUICK = {
    "steps": 4,
    "batch_size": 12,
    "evaluate_every": 2,
    "network": "tiny",
    "dims": 6,
    "critics": 2,
}


def fitted(method="barycenter", groups=2, **more):
    images, codes = stripes(groups=groups)
    one = NeuralBarycenter(method=method, **(QUICK | more))
    return one.fit(images, sensitive=codes), images, codes


@pytest.mark.parametrize("method", ["latent-gaussian", "mean-shift", "pixel-gaussian"])
def test_the_closed_forms_are_those_of_the_room(method):
    one, images, codes = fitted(method, clip=False)
    dims = {"latent-gaussian": 6, "mean-shift": 0, "pixel-gaussian": None}[method]
    rows = images.flatten(1).numpy()
    known = fit_latent_gaussian(rows, codes.numpy(), dims=dims)
    moved = one.transform(images, sensitive=codes)
    np.testing.assert_allclose(
        moved.flatten(1).numpy(), known.transport(rows, codes.numpy()), atol=2e-5
    )
    assert one.value_ == pytest.approx(known.value, rel=1e-4)
    assert one.bound_ == pytest.approx(known.value, rel=1e-4)


@pytest.mark.parametrize(("method", "groups"), [("barycenter", 3), ("pairwise", 2)])
def test_without_a_step_the_networks_are_the_closed_form(method, groups):
    one, images, codes = fitted(method, groups, steps=0, validation=0.0)
    plain, _, _ = fitted("latent-gaussian", groups)
    torch.testing.assert_close(
        one.transform(images, sensitive=codes),
        plain.transform(images, sensitive=codes),
        atol=1e-5,
        rtol=0,
    )
    start, _, _ = fitted(method, groups, steps=0, start="identity")
    torch.testing.assert_close(start.transform(images, sensitive=codes), images)


@pytest.mark.parametrize(
    "method", ["barycenter", "pairwise", "marginals", "information", "latent-gaussian"]
)
def test_an_image_does_not_feel_its_batch(method):
    one, images, codes = fitted(method)
    whole = one.transform(images, sensitive=codes)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))
    assert torch.equal(one.transform(images[order], sensitive=codes[order]), whole[order])
    for row in (0, 33, 299):
        alone = one.transform(images[row : row + 1], sensitive=codes[row : row + 1])
        assert torch.equal(alone[0], whole[row])


def test_the_dial_is_a_line_and_zero_changes_no_bit():
    one, images, codes = fitted(clip=False)
    whole = one.transform(images, sensitive=codes)
    half = one.set_params(amount=0.5).transform(images, sensitive=codes)
    torch.testing.assert_close(half, (images + whole) / 2)
    one.set_params(amount=0)
    for source in (images, images.numpy(), (images * 255).to(torch.uint8), images[:, 0]):
        same = one.transform(source, sensitive=codes)
        assert type(same) is type(source)
        assert same.dtype == source.dtype
        assert (same == source).all()
        assert same is not source


@dataclass(frozen=True, eq=False)
class Folder:
    pixels: torch.Tensor
    names: tuple[str, ...]


def test_images_come_back_in_the_form_they_came():
    one, images, codes = fitted()
    raw = (images * 255).round().to(torch.uint8)
    moved = one.transform(raw, sensitive=codes)
    assert moved.dtype == torch.uint8
    floats = one.transform(raw.float() / 255, sensitive=codes)
    torch.testing.assert_close(moved, (floats * 255).round().to(torch.uint8))
    assert 0 <= floats.min() <= floats.max() <= 1
    assert np.array_equal(one.transform(raw.numpy(), sensitive=codes.numpy()), moved.numpy())
    assert torch.equal(one.transform(raw[:, 0], sensitive=codes), moved[:, 0])
    kept = one.transform(Folder(raw, ("a",)), sensitive=codes)
    assert kept.names == ("a",)
    assert torch.equal(kept.pixels, moved)


def test_the_same_seed_gives_the_same_images_and_another_does_not():
    first, images, codes = fitted()
    state = torch.random.get_rng_state()
    again, other = fitted()[0], fitted(random_state=1)[0]
    assert torch.equal(state, torch.random.get_rng_state())
    moved = first.transform(images, sensitive=codes)
    assert torch.equal(moved, again.transform(images, sensitive=codes))
    assert not torch.equal(moved, other.transform(images, sensitive=codes))


@pytest.mark.parametrize(
    "method",
    [
        "barycenter",
        "pairwise",
        "marginals",
        "information",
        "latent-gaussian",
        "pixel-gaussian",
    ],
)
def test_what_is_saved_is_loaded(tmp_path, method):
    images, codes = stripes()
    names = np.array(["old", "young"])[codes.numpy()]
    one = NeuralBarycenter(method=method, **QUICK).fit(images, sensitive=names)
    one.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "barycenter.json",
        "maps.safetensors",
    ]
    back = NeuralBarycenter.load(tmp_path)
    assert back.groups_ == ("old", "young")
    assert back.facts_ == one.facts_
    assert back.bound_ == one.bound_
    np.testing.assert_array_equal(back.weights_, one.weights_)
    assert torch.equal(
        back.transform(images, sensitive=names), one.transform(images, sensitive=names)
    )
    (tmp_path / "barycenter.json").write_text("[1]")
    with pytest.raises(InputError, match="another version"):
        NeuralBarycenter.load(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        NeuralBarycenter.load(tmp_path / "none")


def test_critics_are_called_critics_where_they_are_told():
    seen = []
    one, _, _ = fitted(method="information", progress=seen.append)
    told = [row["critic"] for row in seen if "critic" in row]
    assert told == [row["critic"] for row in one.history_]
    assert told[:2] == [0, 1]
    assert not any("step" in row for row in [*seen, *one.history_])


def test_looks_are_kept_and_told_and_a_checkpoint_is_taken_up(tmp_path):
    seen = []
    one, images, codes = fitted(checkpoint=tmp_path, progress=seen.append, validation=0.2)
    assert [row["step"] for row in seen] == [0, 2, 4]
    assert seen == one.history_
    assert {"cost", "held_out_cost", "probe_accuracy", "probe_auc"} <= set(seen[1])
    assert one.facts_["held_out"] == 60
    assert one.facts_["trained_on"] == 240
    assert len(one.limits_) == 2
    again, _, _ = fitted(checkpoint=tmp_path, progress=seen.append, validation=0.2)
    assert len(seen) == 3  # nothing was left to do
    moved = one.transform(images, sensitive=codes)
    assert torch.equal(moved, again.transform(images, sensitive=codes))


def test_a_column_of_a_table_of_attributes_is_read_by_name():
    images, codes = stripes()
    table = {"Old": codes.numpy(), "Other": np.zeros(len(codes))}
    one = NeuralBarycenter("Old", method="mean-shift").fit(images, sensitive=table)
    assert one.groups_ == (0, 1)
    with pytest.raises(InputError, match="no column 'New'"):
        NeuralBarycenter("New", method="mean-shift").fit(images, sensitive=table)


def test_everything_wrong_is_said_at_once_before_any_work():
    images, codes = stripes()
    one = NeuralBarycenter(amount=2, method="best", steps=-1, critics=0, device="abacus", lr=0)
    with pytest.raises(InputError) as caught:
        one.fit(images * 3 - 1, sensitive=0 * codes)
    told = str(caught.value)
    numbers = ("amount is 2", "steps is -1", "critics is 0", "lr is 0")
    for part in (*numbers, "'best'", "abacus", "values from"):
        assert part in told
    assert "one group" in told


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda x, z: (x, None), "sensitive is missing"),
        (lambda x, z: (x, z[:5]), "300 images and 5 sensitive"),
        (lambda x, z: (x.double().mul(float("nan")), z), "not finite"),
        (lambda x, z: (x[:0], z[:0]), "shape"),
        (lambda x, z: ("x.png", z), "X is str"),
        (lambda x, z: ((x * 255).int(), z), "type torch.int32"),
        (lambda x, z: (x, torch.where(z == 0, 0, torch.arange(len(z)) % 19)), "fewer than 16"),
        (lambda x, z: (0 * x, z), "all pixels"),
        (lambda x, z: (x[:32], z[:32]), "dims is 9"),
    ],
)
def test_bad_images_and_groups_are_refused(change, match):
    images, codes = change(*stripes())
    few = {} if "dims" not in match else {"dims": 9, "validation": 0.0}
    with pytest.raises(InputError, match=match):
        NeuralBarycenter(**(QUICK | few)).fit(images, sensitive=codes)


def test_releases_are_refused_too():
    with pytest.raises(NotFittedError):
        NeuralBarycenter().transform(torch.zeros(2, 1, 8, 8), sensitive=[0, 1])
    one, images, codes = fitted("mean-shift")
    with pytest.raises(InputError, match="fitted were"):
        one.transform(images[..., :4], sensitive=codes)
    with pytest.raises(InputError, match="not fitted"):
        one.transform(images, sensitive=codes + 5)
    with pytest.raises(InputError, match="3 groups"):
        fitted("pairwise", groups=3)
    assert clone(one).get_params() == one.get_params()
