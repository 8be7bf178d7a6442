"""The comparison of the default with retraining: what it computes, and that it can say no."""

import pytest

from infounlearn.experiments.cases import case
from infounlearn.experiments.figures import default_unlearning
from infounlearn.experiments.figures.default_drawing import COLOURS
from infounlearn.experiments.figures.default_table import met, missed, table
from infounlearn.experiments.figures.default_unlearning import METHODS, Design, options_of, run
from infounlearn.point.methods import RestartTeacher


def test_a_target_is_met_only_inside_its_band():
    good = {
        "forget_gap": -0.019, "retain_gap": 0.004, "test_gap": 0.0, "forget_js": 1.2,
        "forget_floor": 1.0, "row_share": 0.09,
    }  # fmt: skip
    assert all(met(good).values())
    for name, value in (
        ("forget_gap", -0.021), ("retain_gap", -0.006), ("test_gap", 0.006), ("forget_js", 1.3),
        ("row_share", 0.11),
    ):  # fmt: skip
        assert len(missed([{**good, name: value}])) == 1


def test_small_comparison_on_digits(tmp_path, monkeypatch):
    request = {"75% of the 3s": default_unlearning.REQUESTS["75% of the 3s"]}
    monkeypatch.setattr(default_unlearning, "REQUESTS", request)
    design = Design(data=("digits",), seeds=1, references=3, rivals=())
    found = run(True, tmp_path, design=design, workers=1)
    header, *lines = found.table
    assert [line[1] for line in lines] == ["default", "restart and transport", "warm restart"]
    assert all(path.exists() for path in found.files)
    assert table([]) == [header]


def test_the_default_is_a_method_and_everything_else_the_engine():
    built = case("digits", forget_class=3)
    shown = {name: options_of(name, built) for name in METHODS}
    assert isinstance(shown.pop("default")["method"], RestartTeacher)
    for options in shown.values():
        assert options["method"] is None
        assert options["schedule"].epochs == pytest.approx(7.8)
    assert len({str(options) for options in shown.values()}) == len(METHODS) - 1
    assert len(set(COLOURS)) >= len(METHODS)
