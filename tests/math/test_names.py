"""The public list of the room: complete, importable, cheap."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import infounlearn.math as room


def test_every_name_is_there_and_comes_from_where_the_list_says():
    assert sorted(room._HOME) == sorted(room.__all__)
    for name, home in room._HOME.items():
        assert getattr(room, name) is getattr(import_module(home), name)
        assert name in dir(room)


@pytest.mark.parametrize("module", ["certificates", "conversions", "inference"])
def test_what_a_module_offers_is_on_the_list(module):
    home = import_module(f"infounlearn.math.{module}")
    assert set(home.__all__) == set(room._ROOM[module])


def test_import_is_cheap_and_unknown_names_are_refused():
    code = "import sys, infounlearn.math; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = room.nothing
