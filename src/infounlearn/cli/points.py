"""``infounlearn points``: unlearn records, audit the result, write the report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from infounlearn.cli.audit import Settings
from infounlearn.cli.choices import Choices, ScheduleOptions
from infounlearn.cli.methods import MethodOptions, chosen_method, with_help_of
from infounlearn.cli.parsing import as_plain, as_words, parse, read_config, words_of
from infounlearn.cli.running import finish, started
from infounlearn.errors import Problems

if TYPE_CHECKING:
    from infounlearn.experiments.cases import Case


@dataclass(frozen=True)
class Points:
    """Unlearn records from a trained model and report what it still knows about them.

    A built-in data set: the network is trained here, and so are references without the forget set.

        infounlearn points --dataset digits --forget-random 0.1 --label-noise 0.2
        infounlearn points --dataset mnist --forget-class 3 --forget-fraction 0.75
        infounlearn points --dataset digits --forget-class 3 --method scrub --scrub.alpha 0.1

    Your own model, from the folder that holds nets.py:

        infounlearn points --model nets:build --weights trained.safetensors \\
            --data nets:datasets --forget ids.csv --reference retrained-*.safetensors

        def build(): return torch.nn.Sequential(...)
        def datasets(): return {"train": ..., "holdout": ..., "test": ...}

    Each set is a Dataset, Records or a pair of tensors; holdout was never trained on, and test is
    optional. ids.csv names one row of train per line, by position from 0 (by id for Records).

    Exit codes: 0 forgotten, 1 a verdict failed or the run diverged, 2 bad input (nothing is
    written), 3 nothing could be decided, 130 interrupted (the best weights so far are written).

    Attributes:
        dataset: built-in data set.
        forget_class: forget this class, or a share of it.
        forget_fraction: share of the class.
        forget_random: forget this share of all records.
        label_noise: share of training and held-out labels made wrong.
        quick: MNIST only: fewer records and epochs.
        references: networks to retrain for comparison; 2 or more give a spread.
        cache: folder that keeps trained built-in networks.
        model: package.module:factory of your own network, with or without a seed as argument.
        weights: its weights, safetensors; a pickle is never read.
        data: package.module:callable that returns your record sets.
        reference: weights of networks you retrained without the forget set.
        forget: CSV file of the records to forget.
        how: objective, restart, stop.
        methods: published methods.
        schedule: length, batches, step size.
        audit: how the audit computes.
        seed: of everything random.
        checkpoint: folder that keeps the run; the same command started again goes on from there.
        out: folder of record.json, report.html, card.md, weights.safetensors and run.json.
        config: run.json or record.json of an earlier run, whose options are taken; those given
            here come on top.
        json: print machine-readable results on standard output, everything else on standard error.
    """

    dataset: Literal["digits", "mnist"] | None = None
    forget_class: int | None = None
    forget_fraction: float = 1.0
    forget_random: float | None = None
    label_noise: float = 0.0
    quick: bool = False
    references: int = 3
    cache: Path = Path("runs/networks")
    model: str | None = None
    weights: Path | None = None
    data: str | None = None
    reference: tuple[Path, ...] = ()
    forget: Path | None = None
    how: Annotated[Choices, tyro.conf.arg(name="")] = field(default_factory=Choices)
    methods: Annotated[MethodOptions, tyro.conf.arg(name="")] = field(default_factory=MethodOptions)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    audit: Settings = field(default_factory=Settings)
    seed: int = 0
    checkpoint: Path | None = None
    out: Path = Path("runs/points")
    config: Path | None = None
    json: bool = False


def main(words: Sequence[str]) -> int:
    """Run the job and return the exit code of its verdicts."""
    if {"-h", "--help"} & set(words):
        parse(with_help_of(Points, list(words)), words, "points")
    options = parse(Points, words, "points")
    if options.config is not None:
        words = [*read_config(options.config, "points"), *words]
        options = parse(Points, words, "points")
    from infounlearn.experiments.job import check_method, check_out, run_job
    from infounlearn.experiments.subject import built_in, own

    _require_one_source(options)
    unlearning = _unlearning(options)
    check_out(options.out, (options.weights, *options.reference))
    case = _case(options) if options.dataset is not None else None
    if case is not None and "method" in unlearning:
        check_method(unlearning["method"], case, options.seed)
    elif case is not None:
        # Read again, now that the schedule's defaults are known: words that were given still win.
        options = parse(Points, [*_schedule_words(case), *words], "points")
        unlearning = _unlearning(options)
    length = None if "method" in unlearning else options.schedule.epochs
    with started(length) as watch:
        if case is not None:
            subject = built_in(
                case, references=options.references, cache_dir=options.cache, watch=watch
            )
        else:
            assert options.model is not None
            subject = own(
                model=options.model,
                weights=options.weights,
                data=options.data,
                forget=options.forget,
                references=options.reference,
            )
        done = run_job(
            subject,
            out=options.out,
            seed=options.seed,
            unlearning={**unlearning, "checkpoint": options.checkpoint},
            auditing=as_plain(options.audit),
            command=["points", *words],
            options=_repeatable(options),
            watch=watch,
        )
    if done.record is None and options.checkpoint is not None:
        print("The same command goes on from the checkpoint.", file=sys.stderr)
    return finish(done, as_json=options.json)


def _unlearning(options: Points) -> dict[str, Any]:
    """Arguments of :func:`infounlearn.unlearn`: of the default, or of a published method."""
    share = options.how.audit_share
    default = as_words(replace(options.how, audit_share=Choices().audit_share))
    method = chosen_method(
        options.methods, [*default, *as_words(options.schedule, prefix="schedule.")]
    )
    if method is not None:
        return {"method": method, "audit_share": share}
    return {**options.how.arguments(), "schedule": options.schedule}


def _require_one_source(options: Points) -> None:
    """Either a built-in data set or a model of one's own, and no option of the other."""
    problems, usual = Problems("points"), Points()
    problems.require(
        (options.dataset is None) != (options.model is None),
        "neither --dataset nor --model is given"
        if options.model is None
        else "both --dataset and --model are given",
        fix="choose a built-in data set, or a model of your own",
    )
    own = ("weights", "data", "reference")
    built = ("forget_class", "forget_fraction", "forget_random", "label_noise", "quick")
    for name in own if options.model is None else built:
        problems.require(
            getattr(options, name) == getattr(usual, name),
            f"--{name.replace('_', '-')} has no effect "
            + ("without --model" if options.model is None else "with --model"),
            fix="leave it out",
        )
    problems.raise_if_any()


def _case(options: Points) -> Case:
    from infounlearn.data import read_ids
    from infounlearn.experiments.cases import case

    return case(
        options.dataset or "digits",
        forget_class=options.forget_class,
        forget_fraction=options.forget_fraction,
        forget_random=options.forget_random,
        forget_ids=None if options.forget is None else read_ids(options.forget),
        label_noise=options.label_noise,
        seed=options.seed,
        quick=options.quick,
    )


def _schedule_words(case: Case) -> list[str]:
    """The default schedule of a built-in case, as words."""
    from infounlearn.experiments.defaults import schedule_for

    schedule, words = schedule_for(case), list[str]()
    for one in fields(schedule):
        value = getattr(schedule, one.name)
        if value is not None:
            words += words_of(f"schedule.{one.name.replace('_', '-')}", value)
    return words


def _repeatable(options: Points) -> dict[str, Any]:
    """Options for run.json: flat where the command line is, without what only this call needs."""
    plain = as_plain(options)
    how, methods = plain.pop("how"), plain.pop("methods")
    for name in ("config", "json"):
        del plain[name]
    name = methods["method"]
    if name is None:
        return {**plain, **how}
    del plain["schedule"]
    own = methods[name.replace("-", "_")]
    return {**plain, "audit_share": how["audit_share"], "method": name, name: own}
