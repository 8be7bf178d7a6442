"""German credit (Hofmann, UCI Statlog; CC BY 4.0): is the applicant a good risk?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from infounlearn.data.assemble import assemble, numbers, words
from infounlearn.data.sources import Source, fetch
from infounlearn.data.tabular import TableData

SOURCE = Source(
    "german",
    "german.data",
    "b21f3d81db8071257d5ff1deaeba1fd4303b62712e6fcc9715c7a86202cb5871",
    ("https://archive.ics.uci.edu/ml/machine-learning-databases/statlog/german/german.data",),
)

FIELDS = (
    "checking_account",
    "duration",
    "credit_history",
    "purpose",
    "credit_amount",
    "savings",
    "employment_since",
    "installment_rate",
    "personal_status",
    "other_debtors",
    "residence_since",
    "property",
    "age",
    "other_installments",
    "housing",
    "existing_credits",
    "job",
    "people_liable",
    "telephone",
    "foreign_worker",
)
_NUMERIC = {
    "duration",
    "credit_amount",
    "installment_rate",
    "residence_since",
    "age",
    "existing_credits",
    "people_liable",
}
_MEN = ("A91", "A93", "A94")


def load_german(
    data_home: str | Path | None = None, *, sensitive: str | Sequence[str] = ("sex", "age")
) -> TableData:
    """1,000 rows; label 1 is class 1 of the file, a good risk (700 rows). Codes are the file's.

    Args:
        data_home: see :func:`~infounlearn.data.sources.data_folder`.
        sensitive: "sex" is read from the personal status (A91, A93 and A94 are men; 690 rows),
            and no form of that status stays: each of its codes belongs to one sex. "age" is over
            25 (810 rows) or not, "age_years" the number. Or any column; what is not named stays
            a column.

    Raises:
        InputError: the file is absent and cannot be downloaded or is not the published one, or
            ``sensitive`` is unknown.
    """
    rows = [line.split() for line in fetch(SOURCE, data_home).read_text("ascii").splitlines()]
    fields = {
        name: (numbers if name in _NUMERIC else words)(row[place] for row in rows)
        for place, name in enumerate(FIELDS)
    }
    men = np.isin(fields["personal_status"].astype(str), _MEN)
    over = fields["age"] > 25
    return assemble(
        "german",
        fields,
        target=np.array([row[-1] == "1" for row in rows], dtype=np.int64),
        target_name="good risk",
        task="classification",
        ids=np.arange(len(rows)),
        sensitive=sensitive,
        forms={
            "sex": np.where(men, "Male", "Female").astype(object),
            "age": np.where(over, "over 25", "25 or younger").astype(object),
            "age_years": fields["age"],
        },
        states=(("sex", "personal_status"), ("age", "age_years")),
        ordinal=("employment_since", "job"),
    )
