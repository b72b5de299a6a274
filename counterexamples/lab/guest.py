"""A kernel image in a virtual machine, with the agent as its init."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from counterexamples.lab.errors import CannotRun, NotTried
from counterexamples.lab.session import Session
from counterexamples.lab.tools import static_program
from model.machine import cache_folder, capture, kept, need, where
from model.processes import group, remove_at_end, temporary_folder

AGENT = Path(__file__).parent / "agent"
ANSWER_SECONDS = 20.0
BOOTS = 3
"""A boot takes as long as so many of the longest answers."""
_NODES_MB = (768, 256)
"""The memory of each NUMA node; the CPUs belong to the first."""
_FILE_SYSTEM_KB = 8192
# Documentation/arch/x86/boot.rst: the header of a bzImage.
_BOOT_FLAG = (0x1FE, b"\x55\xaa")
_HEADER = (0x202, b"HdrS")
_ELF, _XZ, _ZSTD = b"\x7fELF", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
# Documentation/admin-guide/kernel-parameters.txt: where this machine is busy, an emulated timer may
# come too late for the check. Since 7.0 a store that ends in a signal is written to the console
# whatever its level (Documentation/admin-guide/sysctl/debug.rst); a run makes thousands.
# KSM is asked for by a twin of the page, which is read through /proc/self/mem: where the page may
# not be read, 7.2 and later (CONFIG_PROC_MEM_FORCE_PTRACE) want a tracer for that unless told so.
_APPEND = ("console=ttyS0 loglevel=1 panic=-1 8250.nr_uarts=2 no_timer_check "
           "sysctl.debug.exception-trace=0 proc_mem.force_override=always")
# QEMU 7.2 may lose the flags of CMPXCHG16B: five kernels died of a double fault, interrupted just
# after it in SLUB, each with the low half of RAX in EFLAGS. Linux does without the instruction
# where there is none.
_CPU = "qemu64,-cx16"


def agent() -> Path:
    """The agent, built for this machine; static, so that it runs anywhere."""
    return static_program(AGENT, "-static-pie")


def check_image(image: Path) -> None:
    """Raises CannotRun when `image` is not an x86 kernel."""
    try:
        with image.open("rb") as data:
            start = data.read(_HEADER[0] + len(_HEADER[1]))
    except OSError as error:
        raise CannotRun(f"cannot read {str(image)!r}: {error.strerror}") from error
    if any(start[at:at + len(magic)] != magic for at, magic in (_BOOT_FLAG, _HEADER)):
        raise CannotRun(f"{str(image)!r} is not a kernel image: it has no x86 boot header; "
                        "name a bzImage")


def check_module(module: Path) -> None:
    """Raises CannotRun when `module` is not a kernel module, packed or not."""
    try:
        head = unpacked(module)[:len(_ELF)]
    except OSError as error:
        raise CannotRun(f"cannot read {str(module)!r}: {error.strerror}") from error
    if head != _ELF:
        raise CannotRun(f"{str(module)!r} is not a kernel module: name a .ko, .ko.xz or .ko.zst")


def unpacked(module: Path) -> bytes:
    """A module as the kernel loads it; few unpack one themselves (CONFIG_MODULE_DECOMPRESS).
    Raises OSError, and CannotRun for a damaged one."""
    data = module.read_bytes()
    if data.startswith(_XZ):
        try:
            return lzma.decompress(data)
        except lzma.LZMAError as error:
            raise CannotRun(f"{str(module)!r} cannot be unpacked: {error}") from error
    if data.startswith(_ZSTD):
        need("zstd")
        done = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=False,
                              process_group=group())
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip() or "zstd failed"
            raise CannotRun(f"{str(module)!r} cannot be unpacked: {said}")
        return done.stdout
    return data


def boot(image: Path, *, files: Mapping[str, Path] | None = None, init: Path | None = None,
         modules: Sequence[Path] = (), limit: float = ANSWER_SECONDS,
         boot_limit: float | None = None, cpus: int = 1) -> Session:
    """A session with `image`; `files` are put at the root of its file system, executable, and
    `modules` are loaded in order. With more `cpus` than one they run at once. `limit` is for each
    answer, in seconds, and `boot_limit` (BOOTS times that) for the first. Where the kernel panics
    before that, it is booted once more.

    Raises CannotRun where it cannot be tried, KernelFailed where the agent does not come up.
    """
    need("qemu-system-x86_64", "cpio")
    check_image(image)
    logs = cache_folder() / "console"
    logs.mkdir(exist_ok=True)
    handle, name = tempfile.mkstemp(suffix=".log", prefix=f"{image.stem}-", dir=logs)
    os.close(handle)
    console = Path(name)
    remove_at_end(console)
    with temporary_folder() as work:
        initrd = work / "initrd.gz"
        loaded = {f"module{n}.ko": work / f"{n}.ko" for n in range(len(modules))}
        for module, plain in zip(modules, loaded.values(), strict=True):
            plain.write_bytes(unpacked(module))
        _pack({"init": init or agent(), "ext4": file_system(), **loaded, **(files or {})},
              work / "root", initrd)
        command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", _CPU, *_nodes(cpus),
                   "-display", "none", "-monitor", "none", "-no-reboot", "-nodefaults",
                   "-kernel", str(image), "-initrd", str(initrd), "-append", _APPEND,
                   "-serial", f"file:{console}", "-serial", "stdio"]
        first = (boot_limit or BOOTS * limit) * cpus
        try:
            return start(command, console, limit, first)
        except NotTried as error:
            if not error.panicked:
                raise
            # Under software emulation a good kernel does so now and then.
            return start(command, console, limit, first)


def start(command: Sequence[str], console: Path, limit: float, first: float) -> Session:
    """A virtual machine by its QEMU command; `first` is the limit for the first word, in seconds.

    Raises NotTried where the agent does not come up.
    """
    # Software emulation: the same everywhere, and faults are counted the same.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, process_group=group())
    return Session(process, console, limit, first)


def _nodes(cpus: int) -> list[str]:
    """Memory on two NUMA nodes, so that pages can migrate."""
    arguments = ["-m", str(sum(_NODES_MB)), "-smp", str(cpus)]
    for node, size in enumerate(_NODES_MB):
        cpu = f",cpus=0-{cpus - 1}" if node == 0 else ""
        arguments += ["-object", f"memory-backend-ram,id=m{node},size={size}M",
                      "-numa", f"node,nodeid={node},memdev=m{node}{cpu}"]
    return arguments


def file_system() -> Path:
    """The image of an empty ext4 file system, made once. Raises CannotRun."""
    need("mke2fs")
    return kept(cache_folder(), f"ext4-{_FILE_SYSTEM_KB}k", "", lambda made: capture(
        [where("mke2fs") or "mke2fs", "-q", "-t", "ext4", "-b", "4096", "-O", "^has_journal",
         str(made), f"{_FILE_SYSTEM_KB}k"]))


def on_host(limit: float = ANSWER_SECONDS) -> Session:
    """A session with the kernel that runs this program."""
    process = subprocess.Popen([str(agent())], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, process_group=group())
    return Session(process, None, limit, limit)


def _pack(files: Mapping[str, Path], root: Path, initrd: Path) -> None:
    """A gzipped newc archive of `files` (Documentation/driver-api/early-userspace)."""
    root.mkdir()
    for name, source in files.items():
        shutil.copyfile(source, root / name)
        (root / name).chmod(0o755)
    packed = subprocess.run(["cpio", "--create", "--format=newc", "--quiet"], cwd=root, check=False,
                            input="".join(f"{n}\n" for n in (".", *files)).encode(),
                            capture_output=True, process_group=group())
    if packed.returncode:
        raise CannotRun(f"cpio failed: {packed.stderr.decode(errors='replace').strip()}")
    initrd.write_bytes(gzip.compress(packed.stdout, compresslevel=1))
