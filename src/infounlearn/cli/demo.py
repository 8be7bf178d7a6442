"""``infounlearn demo``: from nothing to two reports, on a network and on a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infounlearn.cli.parsing import as_plain, as_words, parse


@dataclass(frozen=True)
class Demo:
    """Unlearn a tenth of the digits from a network, and sex from a table.

    A small network is trained on 1,197 handwritten digits of which a fifth are mislabelled; it
    learns the wrong labels too. Then it is asked to forget a random tenth of its records. The
    report says what it knows about them before and after, beside five networks that never saw
    them. Then the diabetes table (442 rows) is released without what it tells of sex; its report
    says what probes find of sex, and a model of the target, before and after. Everything ships
    with scikit-learn; nothing is downloaded.

    Exit code 0 once the reports are written, whatever they say.

    Try:

        infounlearn demo
        infounlearn demo --out runs/other --seed 1

    Attributes:
        out: folder of record.json, report.html, card.md, weights.safetensors and run.json; the
            table and its report are in its folder "feature".
        seed: of everything random.
        references: networks retrained without the forgotten records; 2 or more give a spread.
        json: print machine-readable results on standard output, everything else on standard error.
    """

    out: Path = Path("runs/demo")
    seed: int = 0
    references: int = 5
    json: bool = False


def main(words: Sequence[str]) -> int:
    """Run the demo and return 0."""
    options = parse(Demo, words, "demo")
    from infounlearn.cli.feature import release_as_plain, show_release
    from infounlearn.cli.running import finish, started
    from infounlearn.cli.show import console
    from infounlearn.experiments.cases import case
    from infounlearn.experiments.defaults import method_for
    from infounlearn.experiments.feature_demo import check_demo, demo_feature
    from infounlearn.experiments.job import check_out, run_job
    from infounlearn.experiments.subject import built_in

    check_out(options.out)
    check_demo(options.out / "feature")
    chosen = case("digits", forget_random=0.1, label_noise=0.2, seed=options.seed)
    method = method_for(chosen)
    with started(method.epochs) as watch:
        subject = built_in(chosen, references=options.references, watch=watch)
        done = run_job(
            subject,
            out=options.out,
            seed=options.seed,
            unlearning={"method": method},
            command=["demo", *as_words(options)],
            options=as_plain(options),
            watch=watch,
        )
        table = None
        if done.record is not None:
            table = demo_feature(options.out / "feature", seed=options.seed, watch=watch)
    more = {} if table is None else {"feature": release_as_plain(table)}
    code = finish(done, as_json=options.json, more=more)
    if table is None:
        return code
    show_release(console(stderr=options.json), table)
    return 0
