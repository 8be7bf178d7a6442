"""Information of sampled labels: precision, gradients, absent groups and unusable input."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf
from tests.math.information_cases import CASES, cases

from infounlearn.errors import InputError
from infounlearn.math import (
    Groups,
    Pools,
    group_log_laws,
    information_from_log_laws,
    marginal_ceiling,
    marginal_information,
    mutual_information,
)

LN2 = math.log(2.0)


# Precision --------------------------------------------------------------------------------------


def exact_marginal(retain_rows, weights, forget_row, prior=(0.5, 0.5)) -> float:
    """The same in 60 digits, from few distinct retain rows with multiplicities."""
    with mp.workdps(60):

        def softmax(row):
            e = [mp.exp(mpf(float(v))) for v in row]
            return [v / sum(e) for v in e]

        n = sum(weights)
        rows = [softmax(row) for row in retain_rows]
        q = [
            sum(mpf(w) * r[y] for w, r in zip(weights, rows, strict=True)) / n
            for y in range(len(forget_row))
        ]
        gone = softmax(forget_row)
        alpha = mpf(1) / (n + 1)
        p = [(1 - alpha) * a + alpha * b for a, b in zip(q, gone, strict=True)]
        w0, w1 = mpf(prior[0]), mpf(prior[1])
        bar = [w0 * a + w1 * b for a, b in zip(p, q, strict=True)]
        total = sum(
            w0 * a * mp.log(a / m) + w1 * b * mp.log(b / m)
            for a, b, m in zip(p, q, bar, strict=True)
        )
        return float(total)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [5_000, 1_000_000])
def test_one_forget_row_among_a_million(dtype, n):
    rng = torch.Generator().manual_seed(11)
    kinds = (2 * torch.randn(30, 10, generator=rng)).to(dtype)
    which = torch.randint(30, (n - 1,), generator=rng)
    gone = (2 * torch.randn(1, 10, generator=rng)).to(dtype)
    logits = torch.cat((kinds[which], gone))
    forget = torch.zeros(n, dtype=torch.bool)
    forget[-1] = True
    weights = torch.bincount(which, minlength=30).tolist()
    expected = exact_marginal(kinds.tolist(), weights, gone[0].tolist())
    value = marginal_information(logits, forget).item()
    # ½ π0 π1 χ²/n², with χ² of order one to ten: about 1e-13 at a million.
    assert 0.1 < expected * n**2 < 10
    assert value == pytest.approx(expected, rel=1e-8, abs=0)


def test_one_row_as_its_own_group_among_many():
    rng = torch.Generator().manual_seed(12)
    kinds = torch.randn(7, 4, generator=rng)
    which = torch.randint(7, (100_000,), generator=rng)
    logits = kinds[which]
    z = torch.zeros(len(which), dtype=torch.int64)
    z[0] = 1
    with mp.workdps(50):
        p = [[mp.exp(mpf(v)) for v in row] for row in kinds.tolist()]
        p = [[v / sum(row) for v in row] for row in p]
        one = p[int(which[0])]
        n = len(which)
        counts = torch.bincount(which, minlength=7).tolist()
        bar = [sum(c * row[y] for c, row in zip(counts, p, strict=True)) / n for y in range(4)]
        rest = [(n * b - o) / (n - 1) for b, o in zip(bar, one, strict=True)]
        expected = sum(
            o * mp.log(o / b) / n + (n - 1) * r * mp.log(r / b) / n
            for o, r, b in zip(one, rest, bar, strict=True)
        )
    assert mutual_information(logits, z).item() == pytest.approx(float(expected), rel=1e-9, abs=0)


def test_nearly_equal_groups_keep_their_digits():
    """Second order in the step, some 1e-15 nats: first-order rounding must cancel term by term."""
    x = torch.tensor([0.3, 0.5, -1.0, 0.1], dtype=torch.float64)
    rows = [x, x + 1e-7 * x.sin(), x - 1e-7 * x.cos()]
    with mp.workdps(50):
        p = [[mp.exp(mpf(v)) for v in row.tolist()] for row in rows]
        p = [[v / sum(row) for v in row] for row in p]
        bar = [sum(column) / 3 for column in zip(*p, strict=True)]
        expected = sum(v * mp.log(v / b) / 3 for row in p for v, b in zip(row, bar, strict=True))
    found = mutual_information(torch.stack(rows), torch.arange(3)).item()
    assert found == pytest.approx(float(expected), rel=1e-7, abs=0)


def test_tiny_but_positive_probability_beside_a_large_one_is_finite():
    logits = torch.tensor([[0.0, -200.0], [-200.0, 0.0], [-900.0, 0.0]], dtype=torch.float64)
    logits.requires_grad_()
    value = mutual_information(logits, torch.tensor([0, 1, 2]))
    value.backward()
    assert value.item() == pytest.approx(math.log(3) - 2 / 3 * LN2, rel=1e-12, abs=0)
    assert torch.isfinite(logits.grad).all()


def test_gradient_by_a_tiny_probability_has_its_own_digits():
    """p(1|row 0) = e^-100: beside P̄ the gap is exactly -P̄, and ln(T/E) must not come from it."""
    logits = torch.tensor([[0.0, -100.0], [0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    mutual_information(logits, torch.tensor([0, 1])).backward()
    p = math.exp(-100)
    # (1/n) p (w_1 - w_0) with w = ln(P_0/P̄), P̄ = (3/4, 1/4) but for p.
    expected = 0.5 * p * (-100 - math.log(1 / 4) - math.log(4 / 3))
    assert logits.grad[0, 1].item() == pytest.approx(expected, rel=1e-12, abs=0)


def test_float32_and_half_logits_are_accumulated_in_float64():
    logits = torch.randn(200, 10, generator=torch.Generator().manual_seed(2))
    z = torch.arange(200) % 2
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        value = mutual_information(logits.to(dtype), z)
        assert value.dtype is torch.float64
        assert value.item() == mutual_information(logits.to(dtype).double(), z).item()


def test_indicator_product_and_index_add_agree(monkeypatch):
    logits = torch.randn(300, 6, generator=torch.Generator().manual_seed(2))
    z = torch.arange(300) % 3
    given_ = torch.arange(300) % 4
    value = mutual_information(logits, z, given=given_).item()
    monkeypatch.setattr("infounlearn.math.tables._DENSE", 0)
    assert mutual_information(logits, z, given=given_).item() == pytest.approx(
        value, rel=1e-12, abs=0
    )


# Gradients --------------------------------------------------------------------------------------


@CASES
@given(cases(), st.booleans())
def test_gradient_is_the_analytic_one_and_finite(case, conditional):
    """∂I/∂logit = (π_z/n_z) p_j(y)(w_y - Σ p_j w), w = ln P_z/P̄, written out row by row."""
    logits, z = case
    c = torch.arange(len(z)) % 2 if conditional else torch.zeros(len(z), dtype=torch.int64)
    leaf = logits.clone().requires_grad_()
    mutual_information(leaf, z, given=c if conditional else None).backward()
    p = torch.softmax(logits, 1)
    for j in range(len(z)):
        mine, stratum = (z == z[j]) & (c == c[j]), c == c[j]
        ratio = torch.log(p[mine].mean(0)) - torch.log(p[stratum].mean(0))
        w = torch.where(p[j] > 0, ratio, 0.0)
        expected = p[j] * (w - (p[j] * w).sum()) / len(z)
        torch.testing.assert_close(leaf.grad[j], expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("prior", [None, (0.2, 0.5, 0.3)])
def test_gradcheck_of_groups(conditional, prior):
    rng = torch.Generator().manual_seed(1)
    logits = torch.randn(12, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    z, c = torch.arange(12) % 3, torch.arange(12) % 2 if conditional else None
    torch.autograd.gradcheck(lambda v: mutual_information(v, z, given=c, prior=prior), logits)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("alpha", [None, 0.01, 1.0])
def test_gradcheck_of_pools(conditional, alpha):
    rng = torch.Generator().manual_seed(1)
    logits = torch.randn(10, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    forget = torch.arange(10) % 3 == 0
    c = torch.arange(10) % 2 if conditional else None
    torch.autograd.gradcheck(
        lambda v: marginal_information(v, forget, alpha=alpha, prior=(0.3, 0.7), given=c),
        logits,
        atol=1e-9,
    )


def test_gradcheck_through_log_laws():
    rng = torch.Generator().manual_seed(1)
    logits = torch.randn(9, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    z = torch.arange(9) % 3

    def direct(v):
        return information_from_log_laws(
            group_log_laws(torch.log_softmax(v, 1), z, 3), (0.2, 0.3, 0.5)
        )

    torch.autograd.gradcheck(direct, logits)
    same = mutual_information(logits, z, prior=(0.2, 0.3, 0.5))
    assert direct(logits).item() == pytest.approx(same.item(), rel=1e-12, abs=0)


def test_log_laws_survive_underflow_and_exact_zero():
    logs = torch.tensor([[0.0, -2000.0], [0.0, -2001.0], [0.0, -math.inf]], dtype=torch.float64)
    logs.requires_grad_()
    out = group_log_laws(logs, torch.tensor([0, 0, 1]), 2)
    assert out[0, 1].item() == pytest.approx(-2000 + math.log1p(math.exp(-1)) - LN2)
    assert out[1, 1].item() == -math.inf
    (out[0].sum() + out[1, 0]).backward()
    assert torch.isfinite(logs.grad).all()


def test_gradient_passes_to_float32_logits_in_their_type():
    logits = torch.randn(8, 3, requires_grad=True)
    marginal_information(logits, torch.arange(8) < 2).backward()
    assert logits.grad is not None
    assert logits.grad.dtype is torch.float32
    assert logits.grad.abs().sum() > 0


# Groups that are absent, and input that cannot be used ------------------------------------------


def test_absent_group_contributes_nothing():
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    z = torch.tensor([0, 0, 2, 2, 2, 0])
    value = mutual_information(logits, z, num_groups=4).item()
    assert value == pytest.approx(mutual_information(logits, z // 2).item(), rel=1e-12, abs=0)
    assert value > 0
    single = logits.clone().requires_grad_()
    nothing = mutual_information(single, torch.ones_like(z), num_groups=3)
    nothing.backward()
    assert nothing.item() == pytest.approx(0.0, abs=1e-16)
    assert single.grad.abs().max() < 1e-16
    prior = (0.5, 0.0, 0.5)
    assert torch.isfinite(mutual_information(logits, z, prior=prior))


def test_stratum_that_one_side_fills_adds_nothing():
    rng = torch.Generator().manual_seed(4)
    logits = torch.randn(9, 3, generator=rng, dtype=torch.float64, requires_grad=True)
    forget = torch.arange(9) >= 6
    c = torch.tensor([0, 0, 0, 2, 2, 2, 3, 3, 3])
    value = marginal_information(logits, forget, given=c)
    value.backward()
    assert value.item() == pytest.approx(0.0, abs=1e-16)
    assert logits.grad.abs().max() < 1e-16


GOOD = torch.zeros(4, 3)
Z = torch.tensor([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mutual_information(GOOD[0], Z), "logits have shape"),
        (lambda: mutual_information(GOOD.long(), Z), "floating-point"),
        (lambda: mutual_information(GOOD[:0], Z[:0]), "logits have shape"),
        (lambda: mutual_information(GOOD, Z[:3]), "z has shape"),
        (lambda: mutual_information(GOOD, Z.float()), "one integer"),
        (lambda: mutual_information(GOOD, Z - 1), "number from 0"),
        (lambda: mutual_information(GOOD, Z, num_groups=1), "values below 1"),
        (lambda: mutual_information(GOOD, Z == 1, num_groups=1), "values below 1"),
        (lambda: mutual_information(GOOD, Z, prior=(0.5, 0.25, 0.25)), "3 entries for 2"),
        (lambda: mutual_information(GOOD, Z, prior=(0.5, 0.6)), "no distribution"),
        (lambda: mutual_information(GOOD, Z, prior=(1.5, -0.5)), "no distribution"),
        (lambda: mutual_information(GOOD, Z, prior=(math.nan, 0.5)), "no distribution"),
        (lambda: mutual_information(GOOD, 2 * Z, prior=(0.3, 0.3, 0.4)), r"groups \[1\]"),
        (lambda: mutual_information(GOOD, Z, given=Z[:2]), "given has shape"),
        (lambda: marginal_information(GOOD, Z == 5), "no forget row"),
        (lambda: marginal_information(GOOD, Z < 5), "no retain row"),
        (lambda: marginal_information(GOOD, 2 * Z), "values below 2"),
        (lambda: marginal_information(GOOD, Z == 0, alpha=0.0), "alpha is 0.0"),
        (lambda: marginal_information(GOOD, Z == 0, alpha=math.nan), "alpha is nan"),
        (lambda: marginal_ceiling(1.5), "alpha is 1.5"),
        (lambda: group_log_laws(GOOD, Z, 3), r"groups \[2\]"),
    ],
)
def test_unusable_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_not_a_number_is_not_hidden():
    logits = GOOD.clone()
    logits[0, 0] = math.nan
    assert math.isnan(mutual_information(logits, Z).item())
    assert math.isnan(marginal_information(logits, Z == 0).item())


def test_designs_name_their_cells():
    assert Groups(3, None, 2).shape == (2, 3)
    assert Pools(num_given=4).shape == (4, 2)
