"""Tables come from their address when they are not at hand: small files in the public formats."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from threading import Thread

import pytest

from infounlearn.data import Source, TableData
from infounlearn.errors import InputError

ROOMS = ("adult", "compas", "german", "law_school", "communities")

_ADULT = "39, State-gov, 7, Bachelors, 13, Divorced, Sales, Own-child, White, Male, 1, 0, 40, Cuba"
_GERMAN = "A11 6 A34 A43 1169 A65 A75 4 {} A101 4 A121 {} A143 A152 2 A173 1 A192 A201 {}"
_COMPAS = (
    "name,sex,age,age_cat,race,juv_fel_count,juv_misd_count,juv_other_count,priors_count,"
    "days_b_screening_arrest,is_recid,score_text,c_charge_degree,c_charge_desc,priors_count,"
    "two_year_recid\n"
)
_SCREENED = '"Who, Ever",Male,30,25 - 45,{},0,0,0,3,{},{},{},{},,99,1\n'
_LAW = "lsat,zfygpa,zgpa,fam_inc,age,gpa,gender,cluster,pass_bar,race1,more\n"
_NAMES = "-- Donor: Some One\nAttribute Information:\n" + "".join(
    f"-- {name}: words (numeric)\n"
    for name in ("state", "fold", "racepctblack", "OtherPerCap", "gappy", "x")
)

FILES = {
    "adult.data": f"{_ADULT}, <=50K\n{_ADULT.replace('Cuba', '?')}, <=50K\n\n",
    "adult.test": f"|1x3 Cross validator\n{_ADULT.replace('White', 'Other')}, >50K.\n\n",
    "compas-scores-two-years.csv": _COMPAS
    + _SCREENED.format("Caucasian", -30, 0, "Low", "F")
    + _SCREENED.format("Asian", 30, 1, "High", "M")
    + _SCREENED.format("Asian", 31, 1, "High", "M")
    + _SCREENED.format("Asian", "", 1, "High", "M")
    + _SCREENED.format("Asian", 0, -1, "High", "M")
    + _SCREENED.format("Asian", 0, 1, "N/A", "M")
    + _SCREENED.format("Asian", 0, 1, "Low", "O"),
    "german.data": _GERMAN.format("A93", 25, 1) + "\n" + _GERMAN.format("A92", 26, 2) + "\n",
    "bar_pass_prediction.csv": _LAW
    + "44,1.3,1.8,5,-62,3.5,female,1.0,1,white,\n41,1.0,1.1,4,-60,3.0,male,3.0,0,black,7\n"
    + "41,,1.1,4,-60,3.0,male,3.0,0,black,7\n",
    "communities.names": _NAMES + "-- ViolentCrimesPerPop: the goal\n",
    "communities.data": "8,1,0.3,0.5,?,0.1,0.2\n8,1,0.29,?,0.1,0.1,0.4\n",
}


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = FILES[self.path.strip("/")].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def sources(room: str) -> list[Source]:
    module = import_module(f"infounlearn.data.{room}")
    return [module.SOURCE] if hasattr(module, "SOURCE") else [*module.SOURCES.values()]


def point_to(monkeypatch: pytest.MonkeyPatch, room: str, base: str) -> None:
    module = import_module(f"infounlearn.data.{room}")
    ours = {
        source.file: Source(
            source.folder,
            source.file,
            hashlib.sha256(FILES[source.file].encode()).hexdigest(),
            (base + source.file,),
        )
        for source in sources(room)
    }
    if hasattr(module, "SOURCE"):
        monkeypatch.setattr(module, "SOURCE", next(iter(ours.values())))
    else:
        monkeypatch.setattr(module, "SOURCES", ours)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        thread = Thread(target=partial(server.serve_forever, poll_interval=0.02), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def download(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., TableData]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def load(room: str, **options: object) -> TableData:
        point_to(monkeypatch, room, address)
        module = import_module(f"infounlearn.data.{room}")
        table: TableData = getattr(module, f"load_{room}")(tmp_path, **options)
        folder = tmp_path / room
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            source.file for source in sources(room)
        )
        return table

    return load


def test_adult(download: Callable[..., TableData]) -> None:
    table = download("adult")
    assert table.ids.tolist() == [0, 2]  # the row with a question mark is left out
    assert table.target.tolist() == [0, 1]
    assert len(download("adult", two_races=True)) == 1


def test_compas(download: Callable[..., TableData]) -> None:
    table = download("compas")
    assert table.ids.tolist() == [0, 1]
    assert table.sensitive["race"].tolist() == ["Caucasian", "other"]
    assert table.columns["priors_count"].tolist() == [3, 3]  # the first column of that name
    assert table.columns["c_charge_desc"].tolist() == ["missing", "missing"]


def test_german(download: Callable[..., TableData]) -> None:
    table = download("german")
    assert table.target.tolist() == [1, 0]
    assert table.sensitive["sex"].tolist() == ["Male", "Female"]
    assert table.sensitive["age"].tolist() == ["25 or younger", "over 25"]


def test_law_school(download: Callable[..., TableData]) -> None:
    table = download("law_school")
    assert table.target.tolist() == [3.5, 3.0]  # the incomplete row is left out
    assert table.columns["pass_bar"].tolist() == ["passed", "failed"]
    assert table.columns["cluster"].tolist() == ["1", "3"]


def test_communities(download: Callable[..., TableData]) -> None:
    table = download("communities")
    assert [*table.columns] == ["OtherPerCap", "x"]
    assert table.columns["OtherPerCap"].tolist() == [0.5, 0.5]
    assert table.sensitive["race"].tolist() == ["black share high", "other"]


@pytest.mark.parametrize("room", ROOMS)
def test_without_files_or_network_one_clear_error(
    room: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    point_to(monkeypatch, room, "http://127.0.0.1:9/")
    with pytest.raises(InputError, match=r"is not at .* and could not be downloaded"):
        getattr(import_module(f"infounlearn.data.{room}"), f"load_{room}")(tmp_path)


@pytest.mark.parametrize("room", ROOMS)
def test_addresses_are_https_and_carry_their_file_name(room: str) -> None:
    for source in sources(room):
        assert source.folder == room
        assert len(source.sha256) == 64
        for url in source.urls:
            assert url.startswith("https://")
            assert url.endswith("/" + source.file)
