"""``infounlearn points``: unlearn records, audit the result, write the report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from infounlearn.cli.audit import Settings
from infounlearn.cli.choices import ENGINE, Choices, ScheduleOptions, engine_words
from infounlearn.cli.methods import MethodOptions, chosen_method, with_help_of
from infounlearn.cli.parsing import as_plain, as_words, parse, read_config, without
from infounlearn.cli.running import finish, started
from infounlearn.errors import Problems
from infounlearn.point.methods import METHODS, RestartTeacher

if TYPE_CHECKING:
    from infounlearn.experiments.cases import Case
    from infounlearn.experiments.subject import Subject


@dataclass(frozen=True)
class Points:
    """Unlearn records from a trained model and report what it still knows about them.

    A built-in data set: the network is trained here, and so are references without the forget set.
    Say which of its records to forget.

        infounlearn points --dataset digits --forget-random 0.1 --label-noise 0.2
        infounlearn points --dataset mnist --forget-class 3 --forget-fraction 0.75

    Your own model, from the folder that holds nets.py:

        infounlearn points --model nets:build --weights trained.safetensors \\
            --data nets:datasets --forget ids.csv --reference retrained-*.safetensors

        def build(): return torch.nn.Sequential(...)
        def datasets(): return {"train": ..., "holdout": ..., "test": ...}

    Each set is a Dataset, Records or a pair of tensors; holdout was never trained on, and test is
    optional. ids.csv names one row of train per line, by position from 0 (by id for Records).

    How to unlearn need not be said. By default a copy of the network is restarted and healed on the
    records to keep; what it then says of the others, the network learns. Or choose:

        infounlearn points --dataset digits --forget-class 3 --method scrub --scrub.alpha 0.1
        infounlearn points --dataset digits --forget-class 3 --objective auto

    The first is a published method; add --help to see its settings. The second is the information
    engine, which minimises what the model tells of the forget set; any option of that engine
    chooses it, and --objective auto --help shows them all.

    Exit codes: 0 forgotten, 1 a verdict failed or the run diverged, 2 bad input (nothing is
    written), 3 nothing could be decided, 130 interrupted (the best weights so far are written).

    Attributes:
        dataset: built-in data set; diabetes and communities are regressions.
        network: another network than the usual one of the data set: cnn for pictures.
        forget_class: forget this class, or a share of it.
        forget_fraction: share of the class.
        forget_random: forget this share of all records.
        forget_count: forget this number of records, chosen at random.
        label_noise: share of training and held-out labels made wrong.
        quick: fewer records (mnist, cifar10, adult) and epochs (mnist).
        references: networks to retrain for comparison; 2 or more give a spread.
        cache: folder that keeps trained built-in networks.
        model: package.module:factory of your own network, with or without a seed as argument.
        weights: its weights, safetensors; a pickle is never read.
        data: package.module:callable that returns your record sets.
        reference: weights of networks you retrained without the forget set.
        forget: CSV file of the records to forget.
        methods: methods.
        how: objective, restart, stop.
        schedule: information engine: length, batches, step size.
        audit: how the audit computes.
        seed: of everything random.
        checkpoint: folder that keeps the run; the same command started again goes on from there.
        out: folder of record.json, report.html, card.md, weights.safetensors and run.json.
        config: run.json or record.json of an earlier run, whose options are taken; those given
            here come on top.
        json: print machine-readable results on standard output, everything else on standard error.
    """

    dataset: Literal["digits", "mnist", "cifar10", "adult", "diabetes", "communities"] | None = None
    network: Literal["mlp", "cnn", "resnet"] | None = None
    forget_class: int | None = None
    forget_fraction: float = 1.0
    forget_random: float | None = None
    forget_count: int | None = None
    label_noise: float = 0.0
    quick: bool = False
    references: int = 3
    cache: Path = Path("runs/networks")
    model: str | None = None
    weights: Path | None = None
    data: str | None = None
    reference: tuple[Path, ...] = ()
    forget: Path | None = None
    methods: Annotated[MethodOptions, tyro.conf.arg(name="")] = field(default_factory=MethodOptions)
    how: Annotated[Choices, tyro.conf.arg(name="")] = field(default_factory=Choices)
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
        words = [*_beneath(read_config(options.config, "points"), options, words), *words]
        options = parse(Points, words, "points")
    from infounlearn.experiments.job import check_method, check_out, run_job
    from infounlearn.experiments.subject import built_in, own

    engine = engine_words(words)
    _require_one_source(options)
    _unlearning(options, engine)
    check_out(options.out, (options.weights, *options.reference))
    case, subject = None, None
    if options.dataset is not None:
        case = _case(options, engine)
    else:
        assert options.model is not None
        subject = own(
            model=options.model,
            weights=options.weights,
            data=options.data,
            forget=options.forget,
            references=options.reference,
        )
    # Read again, now that the defaults for these records are known: words given still win.
    options = parse(Points, [*_usual_words(options, engine, case, subject), *words], "points")
    unlearning = _unlearning(options, engine)
    method = unlearning["method"]
    if case is not None and method is not None:
        check_method(method, case, options.seed)
    length = getattr(method, "epochs", None) if method else options.schedule.epochs
    with started(length) as watch:
        if case is not None:
            subject = built_in(
                case, references=options.references, cache_dir=options.cache, watch=watch
            )
        assert subject is not None  # either a case or an own one
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


def _beneath(kept: list[str], options: Points, given: Sequence[str]) -> list[str]:
    """Words of an earlier run, less its way to unlearn where those given name another."""
    if engine_words(given):
        return without(kept, {"method", *METHODS})
    if options.methods.method is not None:
        return without(kept, {*ENGINE, *METHODS} - {options.methods.method})
    return kept


def _unlearning(options: Points, engine: list[str]) -> dict[str, Any]:
    """Arguments of :func:`infounlearn.unlearn`: of a method, or of the information engine."""
    method = chosen_method(options.methods, engine)
    if method is not None:
        return {"method": method, "audit_share": options.how.audit_share}
    return {**options.how.arguments(), "schedule": options.schedule}


def _usual_words(
    options: Points, engine: list[str], case: Case | None, subject: Subject | None
) -> list[str]:
    """The settings that the default has for these records, as words."""
    from infounlearn.experiments.defaults import method_for, schedule_for
    from infounlearn.point.batches import RecordSet
    from infounlearn.point.methods.restart_teacher import for_rows

    name = RestartTeacher.name
    if engine:
        return [] if case is None else as_words(schedule_for(case), prefix="schedule.")
    if options.methods.method not in (None, name):
        return []
    if case is not None:
        method = method_for(case)
    else:
        assert subject is not None
        method = for_rows(RestartTeacher(), len(RecordSet(subject.retain, "retain")))
    return ["--method", name, *as_words(method, prefix=f"{name}.")]


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
    built = (
        "network", "forget_class", "forget_fraction", "forget_random", "forget_count",
        "label_noise", "quick",
    )  # fmt: skip
    for name in own if options.model is None else built:
        problems.require(
            getattr(options, name) == getattr(usual, name),
            f"--{name.replace('_', '-')} has no effect "
            + ("without --model" if options.model is None else "with --model"),
            fix="leave it out",
        )
    problems.raise_if_any()


def _case(options: Points, engine: list[str]) -> Case:
    """The built-in case that was asked for.

    Tails, confusions and triggers are left to ``infounlearn compare``: held-out records are not of
    their law, and the audit would accuse even a network that was retrained without them.
    """
    from infounlearn.data import read_ids
    from infounlearn.experiments.cases import case

    found = case(
        options.dataset or "digits",
        network=options.network,
        forget_class=options.forget_class,
        forget_fraction=options.forget_fraction,
        forget_random=options.forget_random,
        forget_count=options.forget_count,
        forget_ids=None if options.forget is None else read_ids(options.forget),
        label_noise=options.label_noise,
        seed=options.seed,
        quick=options.quick,
    )
    problems = Problems("points")
    problems.require(
        len(found.forget) > 1 or not engine or options.how.stop != "calibrated",
        "one record would be forgotten",
        why="no test tells it from held-out ones, so a calibrated stop has nothing to say",
        fix="add --stop limits, or leave the information engine out",
    )
    problems.raise_if_any()
    return found


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
