"""Attribute files are read to the value, and everything wrong with one is said at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from infounlearn.data import Attributes, read_attributes
from infounlearn.errors import InputError

GOOD = """4
Smiling Male
1.jpg -1  1
2.jpg  1  1
3.jpg  1 -1
4.jpg -1 -1
"""


def written(place: Path, text: str | bytes, name: str = "list_attr.txt") -> Path:
    path = place / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def table(**columns: list[object]) -> Attributes:
    """Attributes in memory."""
    arrays = {name: np.array(values) for name, values in columns.items()}
    count = len(next(iter(arrays.values())))
    return Attributes(tuple(f"{k}.jpg" for k in range(count)), arrays)


@pytest.mark.parametrize("text", [GOOD, GOOD.replace("\n", " \r\n"), "\ufeff" + GOOD + "\n\n"])
def test_celebas_format(tmp_path: Path, text: str) -> None:
    found = read_attributes(written(tmp_path, text))
    assert found.names == ("1.jpg", "2.jpg", "3.jpg", "4.jpg")
    assert found.column("Smiling").tolist() == [0, 1, 1, 0]
    assert found.groups("Male").tolist() == [1, 1, 0, 0]
    assert found.groups("Smiling", "Male", min_count=1).tolist() == [[0, 1], [1, 1], [1, 0], [0, 0]]
    assert found.binary == {"Smiling", "Male"}
    assert found.policy == {"attribute_rows": 4, "attribute_format": "celeba", "signs": 2}
    some = found.subset([3, 0])
    assert (some.names, some.column("Male").tolist()) == (("4.jpg", "1.jpg"), [0, 1])


def test_tables_keep_their_types_and_signs_become_0_and_1(tmp_path: Path) -> None:
    text = "Smiling,file,age,style,all\n-1,a b.jpg,3,x,1\n1,007,,y,1\n1,c.jpg,0.5,x,1\n"
    found = read_attributes(written(tmp_path, text, "a.csv"), key="file")
    assert found.names == ("a b.jpg", "007", "c.jpg")
    assert found.column("Smiling").tolist() == [0, 1, 1]
    assert found.column("style").tolist() == ["x", "y", "x"]
    assert np.array_equal(found.column("age"), [3, np.nan, 0.5], equal_nan=True)
    assert found.binary == {"Smiling", "all"}
    assert found.policy["attribute_format"] == "csv"
    celeba = read_attributes(written(tmp_path, "image_id,Smiling\n000001.jpg,-1\n", "b.csv"))
    assert celeba.names == ("000001.jpg",)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (GOOD.replace("4\n", "5\n", 1), ["line 1 says 5 images and 4 rows follow"]),
        (GOOD.replace("2.jpg ", ""), ["1 rows have not 3 cells", "line 4 has 2"]),
        (GOOD.replace(" Male", ""), ["4 rows have not 2 cells", "line 3 has 3"]),
        (GOOD.replace("Smiling Male\n", ""), ["line 2 names no attributes", "4 images and 3 rows"]),
        (GOOD.replace("Male", "Smiling"), ["line 2 names ['Smiling'] twice"]),
        (GOOD.replace("3.jpg  1", "3.jpg  0"), ["other than 1 and -1, the first in lines [5]"]),
        (GOOD.replace("3.jpg", "2.jpg"), ["1 file names have several rows", "['2.jpg']"]),
        ("0\nSmiling\n", ["it has no rows"]),
        (GOOD[2:], ["no count of images"]),
        (b"1\nSmiling\n\xff.jpg 1\n", ["no text in UTF-8"]),
        ("", ["it is empty"]),
    ],
)
def test_files_that_do_not_fit_together(
    tmp_path: Path, text: str | bytes, messages: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        read_attributes(written(tmp_path, text))
    for message in messages:
        assert message in str(caught.value)


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = "9\nSmiling Male\n1.jpg 1\n2.jpg 1 2\n"
    with pytest.raises(InputError, match="3 problems") as caught:
        read_attributes(written(tmp_path, text))
    for message in ("line 1 says 9", "line 3 has 2", "lines [4]"):
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,a\n1.jpg,1\n,2\n", "1 rows have no file name"),
        ("file\n1.jpg\n", "one column only, 'file'"),
        ("file,a\n1.jpg,1\n1.jpg,1\n", "have several rows"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_attributes(written(tmp_path, text, "a.csv"))


def test_a_wrong_key_and_an_absent_file(tmp_path: Path) -> None:
    path = written(tmp_path, "file,a\n1.jpg,1\n", "a.csv")
    with pytest.raises(InputError, match=r"of the columns \['file', 'a'\] none is 'name'"):
        read_attributes(path, key="name")
    with pytest.raises(InputError, match="there is no file"):
        read_attributes(tmp_path / "absent.txt")


def test_an_empty_group_is_an_error_that_counts_both(tmp_path: Path) -> None:
    bald = GOOD.replace("Male", "Bald").replace(" 1\n", " -1\n")
    found = read_attributes(written(tmp_path, bald))
    with pytest.raises(InputError, match=r"Bald have fewer than 1 of the 4 .*\{1: 0, 0: 4\}"):
        found.groups("Bald", min_count=1)
    with pytest.raises(InputError, match="1 of the 2 groups of Bald"):  # and so where crossed
        found.groups("Smiling", "Bald", min_count=1)


def test_groups_of_other_values() -> None:
    found = table(style=["x", "y", "x", "y"], same=["x"] * 4, age=[1.0, np.nan, 1.0, 2.0])
    assert found.groups("style").tolist() == ["x", "y", "x", "y"]
    with pytest.raises(InputError, match="same has one value only"):
        found.groups("same")
    with pytest.raises(InputError, match=r"1 of 4 values of 'age' are missing.*\['1.jpg'\]"):
        found.groups("age")
    with pytest.raises(InputError, match="2 of the 2 groups of style have fewer than 3"):
        found.groups("style", min_count=3)
    with pytest.raises(InputError, match="pass one or more, once"):
        found.groups()


def test_a_combination_that_does_not_occur_is_no_group() -> None:
    found = table(a=[0, 0, 1, 1, 1, 1], b=["x", "x", "x", "x", "y", "y"])
    assert found.groups("a", "b").tolist()[0] == [0, "x"]
    few = table(a=[0, 0, 1, 1, 1], b=["x", "x", "x", "y", "y"])
    with pytest.raises(InputError, match=r"1 of the 3 groups of a x b .*\(1, 'x'\): 1"):
        few.groups("a", "b")


def test_an_unknown_attribute_names_those_that_are_close() -> None:
    found = table(Smiling=[0, 1], Male=[0, 1])
    with pytest.raises(InputError, match=r"no attribute 'smiling'.*\['Smiling'\]"):
        found.column("smiling")
    with pytest.raises(InputError, match=r"no attribute 'Hat'.*\['Smiling', 'Male'\]"):
        found.groups("Hat")


@pytest.mark.data("celeba_subset")
def test_the_published_counts(data_home) -> None:  # type: ignore[no-untyped-def]
    path = data_home("celeba_subset") / "celeba_subset" / "list_attr_celeba.txt"
    found = read_attributes(path)
    assert len(found.columns) == 40
    shares = {"Smiling": 0.482, "Male": 0.422, "Young": 0.777, "Eyeglasses": 0.067}
    for name, share in shares.items():
        assert abs(found.column(name).mean() - share) < 5e-4
    pairs = found.groups("Smiling", "Male").tolist()
    counts = [pairs.count(pair) for pair in ([1, 0], [0, 0], [0, 1], [1, 1])]
    assert counts == [3165, 2618, 2560, 1657]
