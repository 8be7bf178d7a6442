"""Running a model for an audit leaves no trace, and shows the audit exactly what it showed."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from infounlearn.audit import audit, collect_outputs, load_outputs, save_outputs
from infounlearn.data.records import Records
from infounlearn.errors import InputError


def network(seed=0, classes=4):
    generator = torch.Generator().manual_seed(seed)
    net = nn.Sequential(
        nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, classes)
    )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(generator=generator)
    return net


def records(n, seed, classes=4):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 6, generator=generator)
    return TensorDataset(x, torch.randint(classes, (n,), generator=generator))


SIZES = {"forget": 40, "retain": 90, "holdout": 50, "test": 30, "validation": 20}


def sets(**changes):
    return {**{name: records(n, i) for i, (name, n) in enumerate(SIZES.items())}, **changes}


class Slow(Dataset):
    """The same records through __getitem__, one by one, drawing random numbers on the way."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        torch.rand(1), random.random(), np.random.rand()  # noqa: NPY002 - as transforms do
        return self.data[index]


def global_randomness():
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), str(np.random.get_state())  # noqa: NPY002


def test_collecting_leaves_model_and_random_numbers_as_they_were():
    net = network().train()
    net[1].eval()  # a mixed mode, as with frozen batch-norm
    modes = [m.training for m in net.modules()]
    state = {key: value.clone() for key, value in net.state_dict().items()}
    loader = DataLoader(Slow(sets()["forget"]), batch_size=7, shuffle=True)
    original = network(1)
    before = global_randomness()
    audit(net, original=original, permutations=9, **sets(forget=loader))
    assert global_randomness() == before
    assert [m.training for m in net.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_outputs_are_those_of_eval_mode_in_every_way_of_passing_records():
    net, data = network(), sets()
    expected = net.eval()(data["forget"].tensors[0]).detach().double().numpy()
    both = TensorDataset(*(torch.cat([t, t]) for t in data["forget"].tensors))
    ways = {
        "tensors": data["forget"].tensors,
        "dataset": Slow(data["forget"]),
        "subset": Subset(both, range(40, 80)),
        "loader": DataLoader(data["forget"], batch_size=9),
        "records": Records(*data["forget"].tensors, torch.arange(40), "forget"),
    }
    hashes = set()
    for way in ways.values():
        found = collect_outputs(net.train(), name="n", **sets(forget=way))
        np.testing.assert_allclose(found["forget"].outputs, expected, rtol=1e-5, atol=1e-5)
        hashes.add(found.hashes["forget"])
    assert len(hashes) == 1, "the hash is that of the records, not of how they were passed"


def test_a_dataset_with_a_transform_is_never_short_cut():
    class Transformed(Dataset):
        def __init__(self, data):
            self.inputs, self.targets = data.tensors

        def __len__(self):
            return len(self.targets)

        def __getitem__(self, index):
            return self.inputs[index] + 1, self.targets[index]

    data = sets()
    found = collect_outputs(network(), name="n", **sets(forget=Transformed(data["forget"])))
    expected = network().eval()(data["forget"].tensors[0] + 1).detach().numpy()
    np.testing.assert_allclose(found["forget"].outputs, expected, rtol=1e-5, atol=1e-5)


def test_dictionary_batches_and_logits_objects():
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network()

        def forward(self, features):
            return type("Shown", (), {"logits": self.net(features)})

    x, y = sets()["forget"].tensors
    rows = [{"features": a, "labels": b} for a, b in zip(x, y, strict=True)]
    changes = {n: [{"features": a, "labels": b} for a, b in d] for n, d in sets().items()}
    found = collect_outputs(Wrapped(), name="n", **{**changes, "forget": rows})
    plain = collect_outputs(network(), name="n", **sets())
    np.testing.assert_allclose(found["forget"].outputs, plain["forget"].outputs, atol=1e-6)


def test_saved_outputs_give_exactly_the_audit_of_the_live_model(tmp_path):
    nets = {"unlearned": network(0), "original": network(1)}
    nets |= {f"retrained {k}": network(2 + k) for k in range(2)}
    live = audit(
        nets["unlearned"],
        original=nets["original"],
        reference=[nets["retrained 0"], nets["retrained 1"]],
        permutations=49,
        **sets(),
    )
    paths = {
        name: save_outputs(collect_outputs(net, name=name, **sets()), tmp_path / f"{name}.npz")
        for name, net in nets.items()
    }
    references = [paths["retrained 0"], load_outputs(paths["retrained 1"])]
    saved = audit(
        paths["unlearned"], original=paths["original"], reference=references, permutations=49
    )
    assert saved == live
    # One live model beside saved ones is the same audit too.
    mixed = audit(
        nets["unlearned"],
        original=paths["original"],
        reference=references,
        permutations=49,
        **sets(),
    )
    assert mixed == live


def test_every_overlap_is_found_by_hash():
    data = sets()
    x, y = data["holdout"].tensors
    fx, fy = data["forget"].tensors
    shared = TensorDataset(torch.cat([x, fx[:3]]), torch.cat([y, fy[:3]]))
    with pytest.raises(InputError, match=r"3 record\(s\) are in both forget and holdout"):
        audit(network(), **sets(holdout=shared))
    with pytest.raises(InputError, match="in both forget and retain"):
        audit(network(), **sets(retain=data["forget"]))
    with pytest.raises(InputError, match="in both retain and test"):
        audit(network(), **sets(test=data["retain"]))
    with pytest.raises(InputError, match="in both holdout and validation"):
        audit(network(), **sets(validation=data["holdout"]))


class Broken(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how = how

    def forward(self, x):
        return self.how(x)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda x: x[:, :4] * float("nan"), "not finite"),
        (lambda x: x[:, :4] / 0, "not finite"),
        (lambda x: x[:, 0], "outputs have shape"),
        (lambda x: x[:, :1], "at least 2 classes"),
        (lambda x: x[:, :2], r"label\(s\) outside 0..1"),
        (lambda x: x[:3, :4], "one row per record"),
        (lambda x: x[None, :, :4], "one row per record"),
    ],
)
def test_models_that_cannot_be_audited(how, message):
    with pytest.raises(InputError, match=message):
        audit(Broken(how), **sets())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"forget": records(0, 9)}, "forget is empty"),
        ({"forget": DataLoader(records(0, 9))}, "forget is empty"),
        ({"holdout": None}, "holdout is missing"),
        ({"forget": "forget.csv"}, "forget is a str"),
        ({"forget": (torch.zeros(3, 6), torch.zeros(2).long())}, "3 inputs with 2 targets"),
        ({"forget": DataLoader(records(9, 9), batch_size=4, drop_last=True)}, "drops its last"),
        ({"forget": TensorDataset(torch.zeros(3, 6))}, "no .inputs, targets. pair"),
        ({"forget": (torch.zeros(3, 6), torch.tensor([0, 1, 9]))}, "outside 0..3"),
        ({"forget": (torch.zeros(3, 6), torch.tensor([0, 1, -1]))}, "outside 0..3"),
        ({"forget": (torch.zeros(3, 6), torch.zeros(3, 4).long())}, "one integer class label"),
    ],
)
def test_record_sets_that_cannot_be_audited(changes, message):
    with pytest.raises(InputError, match=message):
        audit(network(), **sets(**changes))


def test_problems_are_told_together():
    with pytest.raises(InputError, match="2 problems") as error:
        audit(network(), **sets(forget=None, holdout=None))
    assert "forget is missing" in str(error.value)
    assert "holdout is missing" in str(error.value)
