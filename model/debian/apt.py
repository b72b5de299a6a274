"""apt with folders of its own: every suite of the archive that the machine's own source offers.

The machine's configuration (proxies, credentials, keys, mirrors) is read; that, its lists and its
packages stay as they are. (apt.conf(5), sources.list(5), apt-get(8): indextargets)
"""

from __future__ import annotations

import glob
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from model.files import write_whole
from model.machine import CannotRun, cache_folder, capture, need
from model.processes import group

_RELEASES = ("buster", "bullseye", "bookworm", "trixie", "forky", "duke")
"""Debian's releases, oldest first (https://www.debian.org/releases/)."""
_ROLLING = ("sid", "experimental")
_ADDED = ("", "-updates", "-backports", "-backports-sloppy")
_SECURITY = "-security"
_NAMED = ("stable", "oldstable", "oldoldstable", "testing", "unstable")
"""What a machine's source may call them besides."""
_ORIGINS = ("Debian", "Debian Backports")
_CONFIGURATION = """\
#clear APT::Update;
#clear APT::Architectures;
#clear Acquire::Languages;
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "";
Acquire::Check-Valid-Until "false";
Acquire::GzipIndexes "true";
Acquire::Languages {{ "none"; }};
Acquire::PDiffs "false";
Acquire::Retries "1";
Dir::State "{top}/state";
Dir::State::lists "{top}/state/lists";
Dir::State::status "{top}/status";
Dir::Cache "{top}/cache";
Dir::Cache::archives "{top}/cache/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
"""
"""Signatures are checked as ever; how fresh a suite is, is not: one that nobody signs anew still
has its kernels. Hooks of the machine are for its own lists."""
_STANZA = """\
Types: deb
URIs: {uri}
Suites: {suites}
Components: main
Architectures: amd64
Targets: Packages
{trust}
"""
_TABLE = "$(CREATED_BY)\t$(COMPONENT)\t$(REPO_URI)\t$(RELEASE)\t$(SOURCESENTRY)\t$(FILENAME)"
_TRUST = re.compile(r"^(?:Signed-By|Trusted):.*(?:\n[ \t].*)*", re.MULTILINE | re.IGNORECASE)
_UNREAD = ("-o", "pkgCacheFile::Generate=false")
"""To update lists, not to read them."""
_MISSING = re.compile(r"^E: The repository '(\S+) (\S+) Release' does not have a Release file",
                      re.MULTILINE)
_FAILED = re.compile(r"Failed to fetch|GPG error|error occurred|not signed|not valid yet")
"""Among apt's warnings, those by which a suite is not had anew."""


class Gone(CannotRun):
    """A package that an index still lists."""


@dataclass(frozen=True)
class Repository:
    """One of the machine's: `suites` are the names it may have, `trust` the lines of a source that
    say whose signature counts."""

    uri: str
    suites: tuple[str, ...]
    trust: str

    def stanza(self, suites: Sequence[str]) -> str:
        """A source in the form of sources.list(5), deb822."""
        return _STANZA.format(uri=self.uri, suites=" ".join(suites), trust=self.trust)


@dataclass(frozen=True)
class Listed:
    """A suite that was asked for: `packages` is its index as apt keeps it, None where there is
    none and `wrong` says why; `expired` since when its signer no longer vouches for it."""

    repository: Repository
    suite: str
    packages: Path | None
    expired: str | None = None
    wrong: str | None = None


def repositories() -> list[Repository]:
    """The machine's own sources that are Debian's. Raises CannotRun where there is none."""
    need("apt-get")
    suites: dict[str, set[str]] = {}
    entries: dict[str, str] = {}
    for kind, component, uri, suite, entry, file in _targets():
        if ((kind, component) == ("Packages", "main")
                and _base(suite) in (*_RELEASES, *_ROLLING, *_NAMED)
                and _field(Path(file), "Origin") in (None, *_ORIGINS)):
            suites.setdefault(uri, set()).add(suite)
            entries.setdefault(uri, entry)
    if not suites:
        raise CannotRun("apt has no source of Debian's archive on this machine "
                        "(/etc/apt/sources.list.d), so no kernel of Debian's can be fetched")
    return [Repository(uri, _may_have(found), _trust(entries[uri], uri))
            for uri, found in suites.items()]


def _base(suite: str) -> str:
    """The release that a suite adds to."""
    return re.sub(r"(-updates|-backports(-sloppy)?|-security|-proposed-updates|/updates)$", "",
                  suite)


def _may_have(suites: Iterable[str]) -> tuple[str, ...]:
    """The names to ask a repository for that has these: security updates are one apart, unless a
    mirror has both."""
    secure = {s for s in suites if s.endswith((_SECURITY, "/updates"))}
    found = [release + _SECURITY for release in _RELEASES if secure]
    if secure != set(suites):
        found += [*(release + added for release in _RELEASES for added in _ADDED), *_ROLLING]
    return tuple(found)


def _targets(*more: str) -> list[list[str]]:
    lines = capture(["apt-get", *more, "indextargets", "--no-release-info", "--format", _TABLE])
    return [fields for line in lines.splitlines() if len(fields := line.split("\t")) == 6]


def _trust(entry: str, uri: str) -> str:
    """What the machine's source says of trust; where it says nothing, apt's own keys count."""
    try:
        text = Path(entry.rpartition(":")[0]).read_text(errors="replace")
    except OSError:
        return ""
    wanted = uri.rstrip("/")
    for stanza in re.split(r"\n[ \t]*\n", text):
        if (wanted in (word.rstrip("/") for word in stanza.split())
                and (found := _TRUST.findall(stanza))):
            return "\n".join(found)
    for options, where in re.findall(r"^\s*deb\s+\[([^]]*)\]\s+(\S+)", text, re.MULTILINE):
        if where.rstrip("/") == wanted:
            return "\n".join(f"{name}: {value.replace(',', ' ')}" for name, value in re.findall(
                r"(signed-by|trusted)=(\S+)", options, re.IGNORECASE))
    return ""


def _top() -> Path:
    """The folders of this apt, and its configuration."""
    top = cache_folder() / "apt"
    for folder in ("state/lists/partial", "cache/archives/partial", "none/partial"):
        (top / folder).mkdir(parents=True, exist_ok=True)
    (top / "status").touch()
    write_whole(top / "apt.conf", _CONFIGURATION.format(top=top.resolve()))
    return top


def _own(sources: Path) -> list[str]:
    """Options last: nothing of the machine's can come after them."""
    return [f"-c={_top() / 'apt.conf'}", "-o", f"Dir::Etc::sourcelist={sources.resolve()}"]


def ask() -> list[Listed]:
    """Every suite of the machine's repositories, asked anew; what could not be asked is as it was
    left the last time. Those that the archive does not have are left out.

    Raises CannotRun where nothing can be asked at all. The caller holds the folder.
    """
    wanted = repositories()
    top = _top()
    sources = top / "archive.sources"
    write_whole(sources, "\n".join(r.stanza(r.suites) for r in wanted))
    done = subprocess.run(["apt-get", *_own(sources), *_UNREAD, "update"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False, errors="replace",
                          env={**os.environ, "LC_ALL": "C"}, process_group=group())
    wrongs = re.findall(r"^[WE]: (.*)$", done.stderr, re.MULTILINE)
    missing = {(uri.rstrip("/"), suite) for uri, suite in _MISSING.findall(done.stderr)}
    # apt reads every list that it finds before it says a name
    names = _targets(*_own(sources), "-o", f"Dir::State::lists={top / 'none'}")
    files = {(uri, suite): kept for kind, _, uri, suite, _, file in names
             if kind == "Packages" and (kept := _kept(top / "state/lists" / Path(file).name))}
    found, answered = [], False
    for repository in wanted:
        for suite in repository.suites:
            packages = files.get((repository.uri, suite))
            about = next((w for w in wrongs if _FAILED.search(w)
                          and (f" {suite} " in w or f"/{suite}/" in w)), None)
            if (repository.uri.rstrip("/"), suite) in missing:
                continue
            answered |= packages is not None and about is None
            if packages is not None and _field(packages, "Origin") in _ORIGINS:
                found.append(Listed(repository, suite, packages, _expired(packages), about))
            elif about:
                found.append(Listed(repository, suite, None, wrong=about))
    if not answered:
        raise CannotRun("Debian's archive cannot be asked: "
                        + (wrongs[0] if wrongs else "apt-get update says nothing"))
    return found


def _kept(packages: Path) -> Path | None:
    """An index as it lies there: packed, which apt does not say of one that it has not opened."""
    if not packages.name.endswith("_binary-amd64_Packages"):
        return None
    return next(packages.parent.glob(f"{glob.escape(packages.name)}*"), None)


def text_of(packages: Path) -> str:
    """An index as apt keeps it, unpacked. Raises CannotRun for a damaged one."""
    return capture(["/usr/lib/apt/apt-helper", "cat-file", str(packages)])


def forget() -> None:
    """Nothing that apt keeps is trusted any more: all is asked for anew."""
    for file in (_top() / "state/lists").iterdir():
        if file.is_file():
            file.unlink()


def download(name: str, version: str, stanza: str, folder: Path) -> Path:
    """The package of a source, into an empty folder; apt checks it by the suite's signature.
    Raises Gone where the archive has it no more, CannotRun where it cannot be had."""
    sources = folder / "one.sources"
    sources.write_text(stanza)
    try:
        capture(["apt-get", *_own(sources), "download", "-q", f"{name}={version}"], folder)
    except CannotRun as error:
        said = str(error).partition("failed: ")[2].removeprefix("E: ")
        if re.search(r"404|File not found|Can't find a source", said):
            raise Gone(f"Debian's archive lists {name} {version} and no longer has it") from error
        raise CannotRun(f"cannot fetch {name} {version}: {said}") from error
    found = next(folder.glob("*.deb"), None)
    if found is None:
        raise CannotRun(f"apt-get download leaves no {name} {version}")
    return found


def _field(packages: Path, name: str) -> str | None:
    """A field of the Release file that vouches for an index, which apt keeps beside it."""
    stem = re.sub(r"_main_binary-.*", "", packages.name)
    for kind in ("InRelease", "Release"):
        try:
            text = packages.with_name(f"{stem}_{kind}").read_text(errors="replace")
        except OSError:
            continue
        found = re.search(rf"^{name}: *(.*)$", text, re.MULTILINE)
        return found[1] if found else ""
    return None


def _expired(packages: Path) -> str | None:
    """When a suite's signature ran out, if it has."""
    until = _field(packages, "Valid-Until")
    try:
        past = bool(until) and parsedate_to_datetime(until or "") < datetime.now(UTC)
    except ValueError:
        return None
    return until if past else None
