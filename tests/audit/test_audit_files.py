"""Saved outputs come back as they were, and nothing else is ever read."""

import pickle

import numpy as np
import pytest

from infounlearn.audit import load_outputs, save_outputs
from infounlearn.errors import InputError
from infounlearn.interface import Outputs, OutputSet
from tests.audit.worlds import model


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
@pytest.mark.parametrize("grouped", [False, True])
def test_a_round_trip_changes_nothing(tmp_path, suffix, grouped):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    sets = {
        name: OutputSet(part.outputs, part.targets, part.targets // 2 if grouped else None)
        for name, part in model("some name").sets.items()
    }
    outputs = Outputs("some name", "classification", sets, {"forget": "ab" * 32}, 12.5)
    back = load_outputs(save_outputs(outputs, tmp_path / f"saved{suffix}"))
    assert (back.name, back.task, back.seconds) == ("some name", "classification", 12.5)
    assert dict(back.hashes) == {"forget": "ab" * 32}
    assert back.sets.keys() == sets.keys()
    for name, part in sets.items():
        np.testing.assert_array_equal(back[name].outputs, part.outputs)
        np.testing.assert_array_equal(back[name].targets, part.targets)
        assert (back[name].groups is None) == (not grouped)
    assert [p.name for p in tmp_path.iterdir()] == [f"saved{suffix}"], "a temporary file is left"


def test_bare_arrays_of_another_framework_suffice(tmp_path):
    arrays = {}
    for name, part in model("m").sets.items():
        arrays[f"{name}/outputs"] = part.outputs.astype(np.float32)
        arrays[f"{name}/targets"] = part.targets
    np.savez(tmp_path / "theirs.npz", **arrays)
    back = load_outputs(tmp_path / "theirs.npz")
    assert (back.name, back.task) == ("theirs", "classification")
    assert back["forget"].outputs.dtype == np.float64


def test_regression_is_told_by_its_targets(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for name in ("forget", "retain", "holdout"):
        arrays[f"{name}/outputs"] = rng.normal(size=(9, 1))
        arrays[f"{name}/targets"] = rng.normal(size=(9, 1))
    np.savez(tmp_path / "r.npz", **arrays)
    assert load_outputs(tmp_path / "r.npz").task == "regression"


def test_pickles_are_refused(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, meta=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="pickled objects, which are never loaded"):
        load_outputs(path)
    for name, content in (("p.npz", pickle.dumps({"a": 1})), ("t.npz", b"not an archive")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="pickled objects, which are never loaded"):
            load_outputs(tmp_path / name)
    with (tmp_path / "bare.npz").open("wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(InputError, match=r"is no \.npz file"):
        load_outputs(tmp_path / "bare.npz")


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_truncated_files_are_refused(tmp_path, suffix, share):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = save_outputs(model("m"), tmp_path / f"m{suffix}")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match="truncated"):
        load_outputs(path)


def test_odd_files_are_refused_with_a_remedy(tmp_path):
    part = model("m")["forget"]
    good = {"forget/outputs": part.outputs, "forget/targets": part.targets}
    cases = {
        "no holdout outputs": good,
        "it needs the numeric arrays": {**good, "forget/weights": part.targets},
        "unknown record set": {
            **good,
            "train/outputs": part.outputs,
            "train/targets": part.targets,
        },
        "not of format 1": {**good, "meta": np.array('{"format": 7}')},
        "is no JSON": {**good, "meta": np.array("{")},
        r"numeric arrays outputs": {"forget/outputs": np.array(["a"]), "forget/targets": [1]},
    }
    for index, (message, arrays) in enumerate(cases.items()):
        path = tmp_path / f"odd{index}.npz"
        np.savez(path, **arrays)
        with pytest.raises(InputError, match=message):
            load_outputs(path)
    with pytest.raises(InputError, match="there is no file"):
        load_outputs(tmp_path / "absent.npz")
    with pytest.raises(InputError, match="unknown kind of file"):
        load_outputs(tmp_path / "weights.pkl")


def test_nothing_is_written_where_it_cannot_be(tmp_path):
    with pytest.raises(InputError, match="cannot write into the folder"):
        save_outputs(model("m"), tmp_path / "absent" / "m.npz")
    bad = model("m")
    bad["forget"].outputs[0, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        save_outputs(bad, tmp_path / "m.npz")
    assert list(tmp_path.iterdir()) == []
