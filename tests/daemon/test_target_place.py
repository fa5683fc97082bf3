"""From a location, as its user wrote it, to a file and a line as an adapter wants them."""

from __future__ import annotations

import asyncio
import socket

import pytest

from treetap.daemon.target_identity import Registration
from treetap.daemon.target_place import NotYet, Place, resolve
from treetap.errors import LocationError
from treetap.model.location import Location, parse_location

HERE = Registration("127.0.0.1", 5678, "python", "shop", "/srv/shop", socket.gethostname())
THERE = HERE._replace(host="192.0.2.1", hostname="far")


class Loaded:
    """What a program has loaded, as a session tells it."""

    def __init__(self, *sources: str, function: tuple[str, int] | None = None) -> None:
        self.sources = sources
        self.function = function

    async def find_sources(self, suffix: str) -> list[str]:
        return [source for source in self.sources if source.endswith(f"/{suffix}")]

    async def find_function(self, module: str, qualname: str) -> tuple[str, int] | None:
        return self.function


def found(
    location: str | Location, registration: Registration = HERE, loaded: Loaded | None = None
):
    if isinstance(location, str):
        location = parse_location(location)
    return asyncio.run(resolve(location, registration, loaded or Loaded()))


@pytest.mark.parametrize(
    "file", ["/srv/shop/a.py", "C:\\shop\\a.py", "D:/shop/a.py", "\\\\host\\a"]
)
def test_an_absolute_path_is_the_programs_business(file):
    assert found(Location(file=file, line=3)) == Place(file, 3)


def test_a_tail_of_a_path_is_looked_for_in_what_is_loaded():
    loaded = Loaded("/srv/shop/app/a.py", "/srv/shop/b.py")
    assert found("app/a.py:3", loaded=loaded) == Place("/srv/shop/app/a.py", 3)


def test_two_files_of_one_tail_are_ambiguous_and_both_are_named():
    with pytest.raises(LocationError) as caught:
        found("a.py:3", loaded=Loaded("/one/a.py", "/two/a.py"))
    assert caught.value.slug == "location-ambiguous"
    assert "/one/a.py\n/two/a.py" in caught.value.hint


def test_what_isnt_loaded_is_looked_for_in_the_workspace(tmp_path):
    (tmp_path / "late.py").write_text("x = 1\n")
    here = HERE._replace(workspace_root=str(tmp_path))
    assert found("late.py:1", here) == Place(f"{tmp_path}/late.py", 1)
    assert found("./late.py:1", here) == Place(f"{tmp_path}/late.py", 1)
    assert isinstance(found("other.py:1", here), NotYet)
    assert isinstance(found("late.py:1", here._replace(workspace_root="")), NotYet)


def test_another_machines_disk_cant_be_seen_so_the_adapter_is_asked():
    assert found("app/a.py:3", THERE) == Place("/srv/shop/app/a.py", 3)


def test_a_function_is_the_sessions_to_find():
    assert found("shop:f", loaded=Loaded(function=("/srv/a.py", 7))) == Place("/srv/a.py", 7)
    assert "shop:f" in found("shop:f").why


def test_a_text_is_one_line_of_the_file_as_it_is_on_this_disk(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\ny = 2\nz = x + y\n")
    file = f"{tmp_path}/a.py"
    assert found(f'{file}:"z = x"') == Place(file, 3)
    for text, slug in (("nothing", "location-no-text"), ("= ", "location-ambiguous")):
        with pytest.raises(LocationError) as caught:
            found(f'{file}:"{text}"')
        assert caught.value.slug == slug
    with pytest.raises(LocationError) as caught:
        found(f'{tmp_path}/gone.py:"x"')
    assert caught.value.slug == "location-no-source"
