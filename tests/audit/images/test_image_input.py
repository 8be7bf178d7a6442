"""Bad input, extractors, repeatability and reports of image audits."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from infounlearn.audit import audit_images
from infounlearn.audit.images import probe_net
from infounlearn.audit.images.checks import read_pixels
from infounlearn.audit.images.features import given_extractor
from infounlearn.errors import DivergenceError, InputError, Problems
from infounlearn.interface import Audit, Record
from infounlearn.report import write_report
from tests.audit.images.worlds import FAST, extractor, inverted, larger

N = 120
WORLD = inverted(N)
X, Z = WORLD.shown, WORLD.z


def small(images=X, z=Z, **options) -> Audit:
    return audit_images(images, z, **(FAST | {"refits": 1} | options))


@pytest.fixture(scope="module")
def plain() -> Audit:
    return small(before=X, others={"even": WORLD.even})


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((X, Z[:-1]), {}, "z has 119 labels for 120 images"),
        ((X, np.zeros(N)), {}, "one value only"),
        ((X[:50], Z[:50]), {}, "there are 50 images"),
        ((X, np.where(np.arange(N) < 3, "rare", "other")), {}, r"rare \(3\)"),
        ((X[:, 0], Z), {}, "images has shape"),
        ((X.repeat(2, 1), Z), {}, "images has shape"),
        ((X[:, :, :4], Z), {}, "4 x 8 pixels"),
        ((np.where(X == 1, np.nan, X), Z), {}, "not finite"),
        ((255 * X, Z), {}, "divide them"),
        ((X.astype(np.int64), Z), {}, "images has shape"),
        ((X.astype(np.uint16), Z), {}, "type uint16"),
        ((X, Z), {"before": X[:-1]}, "before has shape"),
        ((X, Z), {"before": larger(X, 2)}, "before has shape"),
        ((X, Z), {"reference": X[:5]}, "reference has shape"),
        ((X, Z), {"others": [Z]}, "others is list"),
        ((X, Z), {"others": {"young": Z[:-1]}}, r"others\['young'\] has 119 labels"),
        ((X, Z), {"others": {"young": np.ones(N)}}, r"others\['young'\] has one value"),
        ((X, Z), {"extractor": "inception"}, "extractor is str"),
        ((X, Z), {"extractor": lambda t: t.sum()}, r"extractor returned \(\) for"),
        ((X, Z), {"extractor": lambda t: t.flatten(1) / 0}, "not finite"),
        ((X, Z), {"limit": 0}, "limit is 0"),
        ((X, Z), {"margin": 5}, "margin is 5"),
        ((X, Z), {"folds": 2}, "folds is 2: pass 5, or 3 at least: of two folds no interval"),
        ((X, Z), {"refits": 0}, "refits is 0"),
        ((X, Z), {"epochs": 0}, "epochs is 0"),
        ((X, Z), {"device": "abacus"}, "device is 'abacus'"),
        ((X, Z), {"jobs": 0}, "jobs is 0"),
    ],
)
def test_a_problem_is_named(arguments, options, message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(*arguments, **options)


def test_problems_are_told_together() -> None:
    with pytest.raises(InputError) as caught:
        small(X, Z[:-1], before=X[:-1], others={"young": np.ones(N)})
    assert "3 problems" in str(caught.value)


def test_the_same_seed_gives_the_same_audit_and_no_generator_is_touched(plain: Audit) -> None:
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    threads, kept = torch.get_num_threads(), X.copy()
    told: list[tuple[int, int, str]] = []
    torch.manual_seed(99)  # whatever was drawn before
    again = small(before=X, others={"even": WORLD.even}, progress=lambda *step: told.append(step))
    assert again == plain
    assert torch.equal(torch.get_rng_state(), torch.Generator().manual_seed(99).get_state())
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert torch.get_num_threads() == threads
    assert np.array_equal(X, kept)
    # Refits, after and before, twice; the other attribute after and before; then the planted leak.
    assert [done for done, total, _ in told if total == 24] == list(range(1, 25))
    assert any("planted" in what for _, _, what in told)
    other = small(seed=1)
    assert other.finding("probes/cnn").value != plain.finding("probes/cnn").value


def test_bytes_and_tensors_are_read_as_floats_are() -> None:
    problems, coarse = Problems("audit_images"), np.round(255 * X).astype(np.uint8)
    tensor = torch.from_numpy(coarse.astype(np.float32) / 255)
    first, second = (read_pixels(problems, "images", one) for one in (coarse, tensor))
    assert first.dtype == second.dtype == np.float32
    assert np.array_equal(first, second)
    assert np.array_equal(read_pixels(problems, "images", SimpleNamespace(pixels=coarse)), first)
    problems.raise_if_any()


def test_a_loss_that_is_not_finite_names_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_net, "RATE", 1e38)
    with pytest.raises(DivergenceError, match=r"the probe for .*, fold 0, left the finite numbers"):
        small(before=X)


def test_a_distance_is_named_after_its_extractor() -> None:
    module = extractor()
    module.train()
    state = torch.get_rng_state()
    audit = small(before=X, extractor=module, extractor_name="tiny net", reference=WORLD.plain)
    assert module.training
    assert module[2].training
    assert torch.equal(torch.get_rng_state(), state)
    for name in ("distance/between_groups", "distance/to_reference", "probes/linear"):
        assert "tiny net" in audit.finding(name).title
        assert "FID" not in audit.finding(name).title
    detail = audit.settings["extractor"]["detail"]
    assert detail.startswith("325 weights, SHA-256 ")
    other = given_extractor(extractor(1), None, "cpu")
    assert other.detail != detail
    assert other.name == "Sequential"
    assert not any("No feature extractor" in sentence for sentence in audit.not_proved)


def test_an_extractor_is_read_in_evaluation_mode() -> None:
    module = extractor()
    expected = module.eval()(torch.from_numpy(X)).detach().numpy()
    found = given_extractor(module.train(), None, "cpu").apply(X)
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert module.training
    assert module[2].training


def test_the_record_can_be_written_and_says_what_it_is(plain: Audit, tmp_path) -> None:
    audit = replace(plain, settings=dict(plain.settings))
    write_report(Record("Images", audit), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    card = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert (tmp_path / "record.json").exists()
    for text in (page, card):
        assert "majority rate 50.0" in text
        assert "random filters" in text
        assert "FID" not in text.replace("The distance is no FID.", "")
    assert "bits" in page
