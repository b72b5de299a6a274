"""The kinds of memory that are modelled, and what mmap() returns for each."""

from __future__ import annotations

from model.kernel.bits import (
    VM_MAYEXEC,
    VM_MAYREAD,
    VM_MAYSHARE,
    VM_MAYWRITE,
    VM_READ,
    VM_SHARED,
    VM_SOFTDIRTY,
    VM_WRITE,
)
from model.kernel.editions import Edition, UsageError, shortened, unknown
from model.kernel.logic import ite, word
from model.kernel.mmap import vma_set_page_prot
from model.kernel.pgtable import vm_get_page_prot
from model.kernel.records import Mapping, Vma

MAPPINGS: dict[str, Mapping] = {m.name: m for m in (
    Mapping("anon", "MAP_PRIVATE|MAP_ANONYMOUS, one 4K page", anonymous=True, shared=False),
    Mapping("shmem", "MAP_SHARED|MAP_ANONYMOUS, one 4K page", anonymous=False, shared=True),
    Mapping("private-shmem", "MAP_PRIVATE of a tmpfs file of one 4K page that has content",
            anonymous=False, shared=False, filled=True),
    Mapping("file", "MAP_SHARED of a regular file (ext4) of one 4K page that has content",
            anonymous=False, shared=True, page_mkwrite=True, can_writeback=True, regular=True,
            filled=True),
    Mapping("private-file", "MAP_PRIVATE of a regular file (ext4) of one 4K page that has content",
            anonymous=False, shared=False, page_mkwrite=True, can_writeback=True, regular=True,
            filled=True),
    Mapping("thp", "MAP_PRIVATE|MAP_ANONYMOUS, 2M with MADV_HUGEPAGE", anonymous=True,
            shared=False, thp=True),
    Mapping("shmem-thp", "MAP_SHARED|MAP_ANONYMOUS, 2M with MADV_HUGEPAGE", anonymous=False,
            shared=True, thp=True),
    Mapping("hugetlb", "MAP_SHARED|MAP_ANONYMOUS|MAP_HUGETLB, one 2M page",
            anonymous=False, shared=True, hugetlb=True),
    Mapping("private-hugetlb", "MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB, one 2M page",
            anonymous=False, shared=False, hugetlb=True),
)}


def find_mapping(name: str) -> Mapping:
    """The mapping of that name. Raises UsageError when there is none."""
    one_page(name)
    if name not in MAPPINGS:
        raise unknown("mapping", name, list(MAPPINGS))
    return MAPPINGS[name]


SEVERAL = ("anon", "shmem", "private-shmem")
"""The mappings that are modelled with several pages too."""
MOST_PAGES = 8


def one_page(name: str) -> None:
    """Raises UsageError for a mapping with several pages, where none is taken so far."""
    if name.partition(":")[0] in MAPPINGS and find_memory(name)[1] is not None:
        raise UsageError(f"{shortened(name)!r} has a number of pages: model.simulate, model.check, "
                         "replay and conform alone take several")


def find_memory(name: str) -> tuple[Mapping, int | None]:
    """The mapping of that name, and how many pages it has where that is said: `shmem:4`. Raises
    UsageError."""
    kind, colon, pages = name.partition(":")
    if kind not in MAPPINGS:
        raise unknown("mapping", kind, list(MAPPINGS))
    mapping = MAPPINGS[kind]
    if not colon:
        return mapping, None
    if kind not in SEVERAL:
        raise UsageError(f"{kind!r} is modelled with one page: several have {', '.join(SEVERAL)}")
    if not (pages.isascii() and pages.isdigit() and len(pages) < 9
            and 1 <= int(pages) <= MOST_PAGES):
        raise UsageError(f"{shortened(name)!r}: a mapping has 1 to {MOST_PAGES} pages, as {kind}:4")
    return mapping, int(pages)


def memory_name(mapping: Mapping, pages: int | None) -> str:
    """As find_memory reads it."""
    return mapping.name + ("" if pages is None else f":{pages}")


def fresh_vma(ed: Edition, mapping: Mapping) -> Vma:
    """A new readable and writable mapping (mm/mmap.c: mmap_region): VM_SOFTDIRTY is set, and
    vm_page_prot is worked out last. VM_ACCOUNT, which only neighbours ask about, is in Area."""
    flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC
    if mapping.shared:
        flags |= VM_SHARED | VM_MAYSHARE
    vm_flags = ite(ed.has("d9104d1ca966"), word(flags | VM_SOFTDIRTY), word(flags))
    return vma_set_page_prot(ed, Vma(vm_flags, vm_get_page_prot(ed, vm_flags), mapping))
