"""Drawing of a frontier: gap to the right, utility upwards, one line per method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infounlearn.feature.frontier_result import Frontier

# Okabe & Ito's palette without its yellow, which is pale on white; markers differ as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#AA4499", "#56B4E9", "#222222", "#767676")
MARKERS = "osD^vPX*<>hd"
WORDS = {
    "accuracy": "accuracy",
    "auroc": "AUROC",
    "mse": "mean squared error (up is better)",
    "parity": "demographic parity difference",
    "odds": "equalized odds difference",
    "ks": "Kolmogorov distance of score laws",
    "wasserstein": "Wasserstein-1 distance of score laws",
    "nats": "information about the attribute (nats)",
}


def draw(frontier: Frontier, utility: str, gap: str, axes: Any = None) -> Any:
    """See :meth:`Frontier.plot`."""
    if axes is None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 5), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
    rows = frontier.rows()
    for number, method in enumerate(frontier.methods):
        own = [row for row in rows if row["method"] == method and row.get(utility) is not None]
        own.sort(key=lambda row: row[gap])
        axes.errorbar(
            [row[gap] for row in own],
            [row[utility] for row in own],
            xerr=[row[f"{gap}_sd"] or 0.0 for row in own],
            yerr=[row[f"{utility}_sd"] or 0.0 for row in own],
            label=method,
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            linewidth=1.2,
            elinewidth=0.5,
        )
    axes.set_xlabel(WORDS[gap])
    axes.set_ylabel(WORDS[utility])
    if utility == "mse":
        axes.invert_yaxis()
    axes.set_xlim(left=0)
    return axes
