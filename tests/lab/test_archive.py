"""Kernels of Debian's archive, by an apt with folders of its own: of any suite, in any layout."""

from __future__ import annotations

import json
import lzma
import os
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from counterexamples import kernels as command
from counterexamples.lab.errors import CannotRun
from counterexamples.lab.kernels import Kernel, at_hand, named
from model.debian import apt, index, source
from model.kernel.editions import UsageError
from model.machine import cache_folder
from tests.lab.fake_archive import IMAGE, MODULE, Archive, archive

__all__ = ["archive"]
BRD = "kernel/drivers/block/brd.ko"
FETCHED = "fetching "
ASKED = "asking Debian's archive"


def old(archive: Archive, suite: str, release: str, abi: str, brd: str = "lib") -> str:
    """As packaged up to 6.18: all in one."""
    name = f"linux-image-{abi}-cloud-amd64"
    archive.put(suite, name, f"{release}-1", {
        f"boot/vmlinuz-{abi}-cloud-amd64": IMAGE + release.encode(),
        f"{brd}/modules/{abi}-cloud-amd64/{BRD}.xz": lzma.compress(MODULE + release.encode())})
    return name


def split(archive: Archive, suite: str, release: str, modules: bool = True,
          image: str = "usr/lib/modules/{abi}/vmlinuz") -> None:
    """As since 6.19: `image` in one, modules in another, and one that has nothing."""
    abi = f"{release}+deb13-cloud-amd64"
    archive.put(suite, f"linux-image-{abi}", f"{release}-1", depends=f"linux-binary-{abi}")
    archive.put(suite, f"linux-binary-{abi}", f"{release}-1",
                {image.format(abi=abi): IMAGE + release.encode()})
    if modules:
        archive.put(suite, f"linux-modules-{abi}", f"{release}-1",
                    {f"usr/lib/modules/{abi}/{BRD}": MODULE + release.encode()})


def fetched(archive: Archive, name: str) -> Kernel:
    return at_hand(named(name), archive.progress)


def test_a_kernel_is_found_in_any_suite_and_layout(archive: Archive) -> None:
    old(archive, "bookworm", "6.1.170", "6.1.0-47")
    old(archive, "trixie-backports", "6.18.15", "6.18.15+deb13", brd="usr/lib")
    split(archive, "experimental", "7.3.4")
    split(archive, "sid", "7.1.13", image="boot/vmlinuz-{abi}")
    for name, release in (("6.1", "6.1.170"), ("6.18", "6.18.15"), ("7.3.4", "7.3.4"),
                          ("7.1", "7.1.13")):
        kernel = fetched(archive, f"debian:{name}")
        assert kernel.image
        assert kernel.image.read_bytes() == IMAGE + release.encode()
        assert [m.read_bytes() for m in kernel.modules] == [MODULE + release.encode()]
    assert archive.count(ASKED) == 1
    assert archive.count(FETCHED) == 4


def test_the_machines_own_configuration_stays_as_it_is(archive: Archive) -> None:
    old(archive, "sid", "6.1.170", "6.1.0-47")
    before = {p: p.stat().st_mtime_ns for p in archive.top.rglob("*") if "pool" not in str(p)}
    fetched(archive, "debian:6.1")
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert not list((archive.top / "machine/lists").glob("*_Packages*"))


def test_without_modules_a_kernel_still_boots(archive: Archive) -> None:
    split(archive, "sid", "7.1.13", modules=False)
    assert fetched(archive, "debian:7.1").modules == ()
    assert fetched(archive, "debian:7.1").modules == ()
    assert archive.count(FETCHED) == 1


def test_the_newest_of_a_line_is_the_newest_of_all_suites(archive: Archive) -> None:
    old(archive, "bookworm", "6.12.90", "6.12.90+deb12")
    old(archive, "trixie", "6.12.118", "6.12.118+deb13")
    old(archive, "sid", "6.12.9", "6.12.9+deb13")
    old(archive, "experimental", "6.12~rc7", "6.12-rc7")
    assert "6.12.118" in fetched(archive, "debian:6.12").version
    assert "6.12.9-1" in fetched(archive, "debian:6.12.9").version
    with pytest.raises(UsageError, match=r"^Debian offers no cloud image of Linux 6\.12\.4; it "
                       r"offers 6\.12~rc7, 6\.12\.9, 6\.12\.90, 6\.12\.118; python -m"):
        fetched(archive, "debian:6.12.4")
    with pytest.raises(UsageError, match=r"image of Linux 6\.2; it offers the lines 6\.12;"):
        fetched(archive, "debian:6.2")


def test_a_candidate_is_its_line_until_there_is_a_release(archive: Archive) -> None:
    old(archive, "experimental", "7.4~rc2", "7.4-rc2")
    assert "7.4~rc2" in fetched(archive, "debian:7.4").version
    assert named("debian:7.4~rc2").edition is None


def test_what_is_new_is_asked_for_and_what_is_known_is_not(
        archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1e9
    monkeypatch.setattr(index, "_now", lambda: now)
    old(archive, "sid", "6.1.170", "6.1.0-47")
    fetched(archive, "debian:6.1")
    old(archive, "sid", "6.1.192", "6.1.0-56")
    assert "6.1.170" in fetched(archive, "debian:6.1").version
    with pytest.raises(UsageError):
        fetched(archive, "debian:6.1.192")
    now += index.AGAIN
    assert "6.1.192" in fetched(archive, "debian:6.1.192").version
    assert archive.count(ASKED) == 2
    now += index.DAY
    fetched(archive, "debian:6.1.170")  # one release, once fetched, is no question
    assert archive.count(ASKED) == 2
    fetched(archive, "debian:6.1")
    assert archive.count(ASKED) == 3


def test_without_a_network_what_was_kept_is_used(archive: Archive,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    old(archive, "sid", "6.1.170", "6.1.0-47")
    fetched(archive, "debian:6.1")
    (archive.top / "archive").rename(archive.top / "away")
    now = time.time() + 2 * index.DAY
    monkeypatch.setattr(index, "_now", lambda: now)
    assert "6.1.170" in fetched(archive, "debian:6.1").version
    assert re.fullmatch(r"Debian's archive cannot be asked: .*; going by what it said 48 hours ago",
                        archive.said[-1])
    (cache_folder() / "apt/index.json").unlink()
    assert "6.1.170" in fetched(archive, "debian:6.1").version
    assert archive.said[-1].endswith("; going by what was fetched before")
    with pytest.raises(CannotRun, match=r"^Debian's archive cannot be asked: "):
        fetched(archive, "debian:6.12")


def test_a_machine_without_debians_archive_says_so(archive: Archive) -> None:
    (archive.top / "machine.list").write_text("deb [trusted=yes] file:/nowhere stable other\n")
    with pytest.raises(CannotRun, match="apt has no source of Debian's archive on this machine"):
        fetched(archive, "debian:6.1")


def test_a_repository_that_is_not_debians_is_left_alone(archive: Archive) -> None:
    """By what its own Release file says of its origin."""
    old(archive, "bookworm", "6.1.170", "6.1.0-47")
    release = archive.top / "archive/dists/bookworm/Release"
    release.write_text(release.read_text().replace("Origin: Debian", "Origin: Somebody"))
    with pytest.raises(UsageError, match="it offers the lines none"):
        fetched(archive, "debian:6.1")


@pytest.mark.parametrize("damage", ["cut", "other", "gone"])
def test_a_package_that_is_not_what_the_index_says(damage: str, archive: Archive) -> None:
    name = old(archive, "sid", "6.1.170", "6.1.0-47")
    deb = next((archive.top / "archive/pool").glob(f"{name}_*"))
    data = deb.read_bytes()
    deb.unlink()
    if damage != "gone":
        deb.write_bytes(data[:5000] if damage == "cut" else data[:-9] + b"x" + data[-8:])
    with pytest.raises(CannotRun) as caught:
        fetched(archive, "debian:6.1")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(
        "Debian's archive lists linux-image-6.1.0-47-cloud-amd64 6.1.170-1 and no longer has it"
        if damage == "gone" else "cannot fetch linux-image-6.1.0-47-cloud-amd64 6.1.170-1: ")
    deb.write_bytes(data)
    assert fetched(archive, "debian:6.1").image


def test_what_is_listed_and_gone_is_passed_over(archive: Archive) -> None:
    old(archive, "sid", "6.1.170", "6.1.0-47")
    name = old(archive, "sid", "6.1.192", "6.1.0-56")
    next((archive.top / "archive/pool").glob(f"{name}_*")).unlink()
    assert "6.1.170" in fetched(archive, "debian:6.1").version
    assert archive.count("Debian's archive lists linux-image-6.1.0-56-cloud-amd64") == 1


def _index_of(version: str) -> str:
    package = {"name": "linux-image-6.1-cloud-amd64", "version": version, "sha256": ""}
    return json.dumps({"asked": 1e12, "suites": [
        {"name": "sid", "source": "", "note": "", "packages": [package]}]})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"asked": 1}', '{"asked": "x", "suites": []}',
                                     '{"asked": 1e12, "suites": [{"name": 1}]}', "[" * 100_000,
                                     '{"asked": NaN, "suites": []}',
                                     *(_index_of(v) for v in ("abc", "9" * 5000 + ".1"))])
def test_a_damaged_index_is_asked_for_anew(content: str, archive: Archive,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    old(archive, "sid", "6.1.170", "6.1.0-47")
    first = index.known(archive.progress)
    file = cache_folder() / "apt/index.json"
    file.write_text(content)
    assert index.known(archive.progress).suites == first.suites
    assert capsys.readouterr().err == f"{file} is not whole: it is made or fetched anew\n"


def test_a_damaged_list_of_apts_is_asked_for_anew(archive: Archive) -> None:
    """apt takes a list for what it was as long as its suite stays the same."""
    old(archive, "sid", "6.1.170", "6.1.0-47")
    first = index.known(archive.progress)
    for file in (cache_folder() / "apt/state/lists").glob("*_Packages*"):
        file.write_bytes(file.read_bytes()[:10])
    assert index.known(archive.progress, refresh=0).suites == first.suites


def test_a_suite_that_nobody_signs_anew_is_used_and_that_is_said(
        archive: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    old(archive, "sid", "6.1.170", "6.1.0-47")
    archive.publish("sid", until=timedelta(days=-5))
    assert command.main(["--quiet"]) == 0
    assert re.search(r"^sid: signed as fresh until .* GMT, and used all the same$",
                     capsys.readouterr().out, re.MULTILINE)


def test_what_can_be_named_is_listed(archive: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    for release, abi in (("6.1.170", "6.1.0-47"), ("6.1.192", "6.1.0-56")):
        old(archive, "bookworm", release, abi)
    split(archive, "sid", "7.9.1", modules=False)
    archive.put("sid", "linux-source-7.9", "7.9.1-1")
    fetched(archive, "debian:6.1")
    assert command.main(["--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"debian:6\.1\.192 +v6\.1 +cached +bookworm", lines[1])
    assert re.fullmatch(r"debian:7\.9\.1 +not modelled; nearest v7\.\d+ +sid; without modules: no "
                        r"swap, no mapping file", lines[2])
    assert re.fullmatch(r"tree:linux-source-7\.9 +7\.9\.1 +sid", lines[3])
    assert command.main(["--quiet", "--all", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(k["name"], k["edition"], k["cached"], k["modules"]) for k in told["kernels"]] == [
        ("debian:6.1.170", "v6.1.170", False, True), ("debian:6.1.192", "v6.1", True, True),
        ("debian:7.9.1", None, False, False)]
    assert told["kernels"][2]["hint"].startswith("not modelled after v7.")
    assert command.main(["6.1.170", "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("debian:6.1.170")
    with pytest.raises(UsageError, match=r"no cloud image of Linux 6\.3; it offers the lines 6\.1, "
                       r"7\.9;"):
        command.main(["6.3", "--quiet"])


def test_without_an_archive_the_list_is_a_skip(archive: Archive,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--quiet"]) == 4
    assert re.fullmatch(r"SKIP: Debian's archive cannot be asked: .*\n", capsys.readouterr().out)
    assert command.main(["--quiet", "--format", "json"]) == 4
    said = json.loads(capsys.readouterr().out)
    assert (said["verdict"], said["asked"], said["kernels"]) == ("skip", None, [])


def test_a_tree_may_be_a_package_of_sources(archive: Archive) -> None:
    archive.put("experimental", "linux-source-7.3", "7.3.4-1",
                {"usr/src/linux-source-7.3.tar.xz": b"the newest"})
    archive.put("sid", "linux-source-7.3", "7.3.1-1",
                {"usr/src/linux-source-7.3.tar.xz": b"older"})
    assert named("tree:linux-source-7.3").edition == "v7.3"
    found = source.archive_of("linux-source-7.3", archive.progress)
    assert found.read_bytes() == b"the newest"
    assert source.here("linux-source-7.3") == found
    assert source.archive_of("linux-source-7.3", archive.progress) == found
    assert archive.count(FETCHED) == 1
    found.write_bytes(b"damaged")
    assert source.archive_of("linux-source-7.3", archive.progress).read_bytes() == b"the newest"
    with pytest.raises(UsageError, match=r"Debian has no package 'linux-source-9\.1'; it has "
                       r"linux-source-7\.3$"):
        source.archive_of("linux-source-9.1", archive.progress)


def test_an_installed_package_of_sources_is_taken_first(archive: Archive) -> None:
    source.INSTALLED.mkdir()
    installed = source.INSTALLED / "linux-source-7.3.tar.xz"
    installed.write_bytes(b"installed")
    assert source.archive_of("linux-source-7.3", archive.progress) == installed
    assert archive.said == []


SOURCES = {
    "machine.list": "deb [arch=amd64 signed-by=/a.gpg,/b.gpg] http://d/debian bookworm main\n",
    "machine.sources": """\
Types: deb
URIs: http://other/
Suites: x
Components: main
Signed-By: /wrong.gpg

# a comment
Types: deb
URIs: http://d/debian/
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
""",
}


@pytest.mark.parametrize(("name", "trust"), [
    ("machine.list", "signed-by: /a.gpg /b.gpg"),
    ("machine.sources", "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc")])
def test_the_keys_are_those_that_the_machine_trusts(name: str, trust: str,
                                                    archive: Archive) -> None:
    sources = archive.top / name
    sources.write_text(SOURCES[name])
    conf = archive.top / "apt.conf"
    conf.write_text(conf.read_text().replace("machine.list", name))
    found, = apt.repositories()
    assert found.trust == trust
    assert {"bullseye", "bookworm-backports", "trixie-updates", "experimental"} <= {*found.suites}
    assert not any(s.endswith("-security") for s in found.suites)


def test_the_security_archive_is_one_apart(archive: Archive) -> None:
    (archive.top / "machine.list").write_text(
        "deb http://d/debian bookworm main\ndeb http://s/debian-security bookworm-security main\n"
        "deb http://elsewhere/ bookworm-extra main\n")
    suites = {r.uri: r.suites for r in apt.repositories()}
    assert suites.keys() == {"http://d/debian/", "http://s/debian-security/"}
    assert all(s.endswith("-security") for s in suites["http://s/debian-security/"])
    assert os.environ["APT_CONFIG"]


PACKAGES = Path(__file__).with_name("packages.txt")


def test_what_suites_list_is_read() -> None:
    """Records of bullseye, bookworm-security, trixie-backports and experimental."""
    found = {(p.name, p.version) for p in index.parsed(PACKAGES.read_text())}
    assert found == {
        ("linux-image-5.10.0-46-cloud-amd64", "5.10.262-1"),
        ("linux-image-6.12.117+deb12-cloud-amd64-unsigned", "6.12.117-1~deb12u1"),
        ("linux-binary-7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1"),
        ("linux-modules-7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1"),
        ("linux-binary-unsigned-7.3-cloud-amd64", "7.3~rc7-1~exp1"),
        ("linux-source-7.3", "7.3.4-1~bpo13+1")}
    versions = ["7.3~rc7-1~exp1", "7.3.1-1", "7.3.4-1~bpo13+1", "7.3.4-1", "7.3.4-1.1", "7.3.12-1"]
    packages = [index.Package("linux-source-7.3", version, "") for version in versions]
    assert sorted({*packages}, key=lambda p: p.order) == packages


def test_an_answer_of_a_clock_that_was_ahead_is_asked_for_anew(
        archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would have been the newest for as long."""
    old(archive, "sid", "6.1.170", "6.1.0-47")
    now = index._now()
    for hours in (10_000, 0):
        monkeypatch.setattr(index, "_now", lambda hours=hours: now + hours * 3600)
        index.known(archive.progress)
    assert archive.count("asking") == 2


def test_a_record_that_is_no_kernels_is_passed_over() -> None:
    record = "Package: linux-source-{}\nVersion: {}\nSHA256: 0\n\n"
    text = record.format("6.1", "9" * 5000) + record.format("7.3", "7.3.4-1")
    assert [p.version for p in index.parsed(text)] == ["7.3.4-1"]
