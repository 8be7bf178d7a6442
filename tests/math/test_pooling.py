"""Two processes with half the rows each, and many micro-batches, equal one process with all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from infounlearn.errors import InputError
from infounlearn.math import (
    Groups,
    PooledLaws,
    Pools,
    marginal_information,
    mutual_information,
    pooled_marginal_information,
    pooled_mutual_information,
)

# The second half holds no row of group 2 and none of the forget set; halves are of unequal size.
CUT = 14
PRIOR = (0.2, 0.5, 0.3)


def rows():
    rng = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(40, 5, generator=rng, dtype=torch.float64)
    logits[3, 2] = -torch.inf
    z = torch.where(torch.arange(40) < CUT, torch.arange(40) % 3, torch.arange(40) % 2)
    return logits, z, torch.arange(40) < 6, torch.arange(40) % 4


def everything(logits, z, forget, c, average=False):
    """Every pooled form of the rows of one process: (value, gradient) by name."""
    more = {"average": average}
    forms = {
        "groups": lambda v: pooled_mutual_information(v, z, num_groups=3, **more),
        "prior": lambda v: pooled_mutual_information(v, z, num_groups=3, prior=PRIOR, **more),
        "given": lambda v: pooled_mutual_information(
            v, z, num_groups=3, given=c, num_given=4, **more
        ),
        "pools": lambda v: pooled_marginal_information(v, forget, **more),
        "given pools": lambda v: pooled_marginal_information(
            v, forget, alpha=0.2, prior=(0.4, 0.6), given=c, num_given=4, **more
        ),
    }
    found = {}
    for name, form in forms.items():
        leaf = logits.clone().requires_grad_()
        value = form(leaf)
        value.backward()
        found[name] = (value.detach(), leaf.grad)
    laws = PooledLaws(Groups(3, PRIOR), average=average)
    leaf = logits.clone().requires_grad_()
    laws.add(leaf[:5], z[:5])
    laws.add(leaf[5:], z[5:])
    value = laws.pool()
    for part in (slice(0, 9), slice(9, None)):
        laws.surrogate(leaf[part], z[part]).backward()
    found["two-pass"] = (value, leaf.grad)
    return found


def worker(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    mine = [whole[:CUT] if rank == 0 else whole[CUT:] for whole in rows()]
    found = {average: everything(*mine, average=average) for average in (False, True)}
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("gloo")
    mp.spawn(worker, (str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


NAMES = ["groups", "prior", "given", "pools", "given pools", "two-pass"]


def single(name: str):
    logits, z, forget, c = rows()
    leaf = logits.requires_grad_()
    value = {
        "groups": lambda: mutual_information(leaf, z),
        "prior": lambda: mutual_information(leaf, z, prior=PRIOR),
        "given": lambda: mutual_information(leaf, z, given=c),
        "pools": lambda: marginal_information(leaf, forget),
        "given pools": lambda: marginal_information(
            leaf, forget, alpha=0.2, prior=(0.4, 0.6), given=c
        ),
        "two-pass": lambda: mutual_information(leaf, z, prior=PRIOR),
    }[name]()
    value.backward()
    return value.detach(), leaf.grad


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_equal_one(ranks, name):
    value, grad = single(name)
    for rank in ranks:
        torch.testing.assert_close(rank[False][name][0], value, rtol=1e-12, atol=1e-15)
        # Averaging frameworks divide by two what is asked for twice.
        torch.testing.assert_close(rank[True][name][1], 2 * rank[False][name][1])
        assert rank[True][name][0] == rank[False][name][0]
    both = torch.cat([rank[False][name][1] for rank in ranks])
    torch.testing.assert_close(both, grad, rtol=1e-9, atol=1e-15)
    assert grad.abs().max() > 1e-4


def test_the_mean_of_shard_informations_is_something_else():
    logits, z, _, _ = rows()
    shards = [mutual_information(logits[:CUT], z[:CUT]), mutual_information(logits[CUT:], z[CUT:])]
    assert abs(sum(shards) / 2 - mutual_information(logits, z)) > 0.01


@pytest.mark.parametrize("name", NAMES)
def test_without_processes_the_pooled_forms_are_the_plain_ones(name):
    value, grad = single(name)
    found = everything(*rows(), average=True)[name]
    torch.testing.assert_close(found, (value, grad), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("size", [1, 7, 40])
@pytest.mark.parametrize("conditional", [False, True])
def test_micro_batches_add_up_to_value_and_gradient(size, conditional):
    """Through a network, so that gradients add up in its weights, as they do in training."""
    _, _, forget, c = rows()
    rng = torch.Generator().manual_seed(1)
    inputs = torch.randn(40, 6, generator=rng, dtype=torch.float64)
    weight = torch.randn(6, 5, generator=rng, dtype=torch.float64, requires_grad=True)
    given = c if conditional else None
    whole = marginal_information(inputs @ weight, forget, alpha=0.3, given=given)
    (expected,) = torch.autograd.grad(whole, weight)
    laws = PooledLaws(Pools(0.3, num_given=4 if conditional else 1))
    for _ in range(2):  # The second round checks reset().
        weight.grad = None
        parts = [slice(i, i + size) for i in range(0, 40, size)]
        strata = [c[part] if conditional else None for part in parts]
        for part, stratum in zip(parts, strata, strict=True):
            laws.add(inputs[part] @ weight, forget[part], stratum)
        value = laws.pool()
        assert not value.requires_grad
        total = 0.0
        for part, stratum in zip(parts, strata, strict=True):
            surrogate = laws.surrogate(inputs[part] @ weight, forget[part], stratum)
            surrogate.backward()
            total += surrogate.item()
        assert value.item() == pytest.approx(whole.item(), rel=1e-12, abs=0)
        assert total == pytest.approx(whole.item(), rel=1e-9, abs=0)
        torch.testing.assert_close(weight.grad, expected, rtol=1e-9, atol=1e-15)
        laws.reset()


def test_order_of_calls_is_checked():
    logits, z, _, c = rows()
    laws = PooledLaws(Groups(3))
    with pytest.raises(InputError, match="call add"):
        laws.pool()
    laws.add(logits, z)
    with pytest.raises(InputError, match="call pool"):
        laws.surrogate(logits, z)
    laws.pool()
    with pytest.raises(InputError, match="call reset"):
        laws.add(logits, z)
    with pytest.raises(InputError, match="values below 3"):
        laws.surrogate(logits, z + 1)
    with pytest.raises(InputError, match="num_given is missing"):
        pooled_mutual_information(logits, z, num_groups=3, given=c)
    with pytest.raises(InputError, match="4 strata"):
        PooledLaws(Groups(3, num_given=4)).add(logits, z)
    with pytest.raises(InputError, match="no forget row"):
        pooled_marginal_information(logits, z == 7)


def test_an_empty_shard_is_allowed_to_pool():
    laws = PooledLaws(Groups(2))
    laws.add(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
    laws.add(torch.zeros(2, 3), torch.tensor([0, 1]))
    assert laws.pool().item() == pytest.approx(0.0, abs=1e-16)
