"""Where newer kernels have what older ones had: other files, other names, parts; one table for
reports, digests and proofs.

A row says what a release of Linux does, not what it means: that the new is equal to the old is
proved, or told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_LEAF = "include/linux/leafops.h"
_UFFD = "mm/userfaultfd.c"

MOVED = {
    "dup_mmap": "mm/mmap.c",
    **dict.fromkeys(("dup_userfaultfd", "mremap_userfaultfd_prep", "new_userfaultfd",
                     "userfaultfd_api",
                     "userfaultfd_register", "userfaultfd_release", "userfaultfd_unregister",
                     "vma_can_userfault"), _UFFD),
}
"""By function, the file that has it now; all since 7.2 or before."""

RENAMED = {
    # 7.3: the bit is userfaultfd's, for whichever mode
    **{f"{level}{swap}{act}uffd_wp": f"{level}{swap}{act}uffd" for level in ("pte_", "pmd_")
       for swap in ("", "swp_") for act in ("", "mk", "clear_")},
    "huge_pte_uffd_wp": "huge_pte_uffd", "huge_pte_mkuffd_wp": "huge_pte_mkuffd",
    "huge_pte_clear_uffd_wp": "huge_pte_clear_uffd",
    "pte_swp_uffd_wp_any": "pte_swp_uffd_any",
    "_PAGE_UFFD_WP": "_PAGE_UFFD", "_PAGE_BIT_UFFD_WP": "_PAGE_BIT_UFFD",
    "_PAGE_SWP_UFFD_WP": "_PAGE_SWP_UFFD",
    # 7.2 or before: what an entry says that is not present
    "is_migration_entry": "softleaf_is_migration",
    "is_writable_migration_entry": "softleaf_is_migration_write",
    "is_readable_migration_entry": "softleaf_is_migration_read",
    "is_readable_exclusive_migration_entry": "softleaf_is_migration_read_exclusive",
    "is_migration_entry_dirty": "softleaf_is_migration_dirty",
    "is_pte_marker": "pte_is_marker",
    "pte_marker_uffd_wp": "pte_is_uffd_wp_marker",
    "hpage_collapse_scan_pmd": "collapse_scan_pmd",
    "hpage_collapse_scan_file": "collapse_scan_file",
}
"""By word of C, the word that stands for it now, in the same way."""

REPLACED = {
    "is_swap_pte(pte)": "(!pte_none(pte) && !pte_present(pte))",
    "pte_none_mostly(pte)": "(pte_none(pte) || pte_is_marker(pte))",
    "pte_to_swp_entry(pte)": "softleaf_from_pte(pte)",
    "non_swap_entry(entry)": "(!softleaf_is_swap(entry))",
    "vm_pgprot_modify(prot, flags)": "vma_pgprot_modify(prot, legacy_to_vma_flags(flags))",
    "unmap_single_vma(tlb, vma, start, end, details, locked)":
        "__zap_vma_range(tlb, vma, start, end, details)",
    "pte_install_uffd_wp_if_needed(vma, addr, pte, pteval)":
        "cond_install_uffd_wp_ptes(vma, addr, pte, pteval, 1)",
}
"""By call, the C that is written for it now."""

SPLIT = {
    "change_pte_range": ("change_present_ptes", "change_softleaf_pte", "commit_anon_folio_batch",
                         "set_write_prot_commit_flush_ptes", "prot_commit_flush_ptes"),
    "change_huge_pmd": ("change_non_present_huge_pmd",),
    "copy_huge_pmd": ("copy_huge_non_present_pmd",),
    "zap_huge_pmd": ("zap_huge_pmd_folio",),
    "zap_pte_range": ("do_zap_pte_range", "zap_nonpresent_ptes"),
    "try_to_unmap_one": ("ttu_anon_folio", "ttu_anon_lazyfree_folio", "ttu_anon_swapbacked_folio",
                         "swp_pte_prepare"),
    "collapse_pte_mapped_thp": ("try_collapse_pte_mapped_thp",),
    "can_change_pte_writable": ("maybe_change_pte_writable", "can_change_private_pte_writable",
                                "can_change_shared_pte_writable"),
    "do_huge_pmd_wp_page": ("do_huge_zero_wp_pmd",),
    "split_folio": ("__split_huge_page_to_list_to_order", "__folio_split",
                    "__split_unmapped_folio"),
    "move_vma": ("copy_vma_and_data",),
}
"""By function, those that do a part of its work now, in the same file where none is named."""

_FILES = {
    **{RENAMED[name]: _LEAF for name in (
        "is_migration_entry", "is_writable_migration_entry", "is_readable_migration_entry",
        "is_readable_exclusive_migration_entry", "is_migration_entry_dirty", "is_pte_marker",
        "pte_marker_uffd_wp")},
    "softleaf_is_swap": _LEAF, "vma_pgprot_modify": "mm/vma.h",
    "cond_install_uffd_wp_ptes": "mm/memory.c",
}
"""The files of new names that do not stand where the old ones did."""
_STANDS_FOR = {"non_swap_entry": "softleaf_is_swap", "vm_pgprot_modify": "vma_pgprot_modify",
               "unmap_single_vma": "__zap_vma_range",
               "pte_install_uffd_wp_if_needed": "cond_install_uffd_wp_ptes"}
"""Of what is replaced: the function whose text says now what the old one said."""
_OLD = {new: old for old, new in RENAMED.items()}
_ROLES = _OLD | {new: old for old, new in _STANDS_FOR.items()}
_CALLS = {call.partition("(")[0]: (call, c) for call, c in REPLACED.items()}
_HEAD = re.compile(r"(?m)^[A-Za-z#][^\n;{]*?\b(\w+)\(")


@dataclass(frozen=True)
class Newer:
    """What newer kernels have for a function, as places (path and name): itself in another file, it
    under another name, its parts."""

    moved: tuple[tuple[str, str], ...]
    renamed: tuple[tuple[str, str], ...]
    parts: tuple[tuple[str, str], ...]


def newer(name: str, path: str) -> Newer:
    """What there is for the function `name` of the file `path`."""
    new = RENAMED.get(name) or _STANDS_FOR.get(name)
    here = MOVED.get(name, path)
    return Newer(
        ((here, name),) if here != path else (),
        ((_FILES.get(new, here), new),) if new else (),
        tuple((place or here, part) for place, _, part in
              (part.rpartition(":") for part in SPLIT.get(name, ()))))


def role(name: str) -> str:
    """The oldest name of the function that has this name."""
    return _ROLES.get(name, name)


def spelled_out(name: str) -> str:
    """The C that is written now for a call of `name`; empty where it has a name of its own."""
    return "" if name in _STANDS_FOR or name not in _CALLS else _CALLS[name][1]


def oldest(word: str) -> str:
    """The word of C by which digests know it, whatever a release calls it."""
    return _OLD.get(word, word)


def definitions_for(texts: Mapping[str, str]) -> list[str]:
    """Lines of C by which the old names mean what the new ones do, for those that the files have
    no more."""
    there = {name for text in texts.values() for name in _HEAD.findall(text)}
    lines = [f"#define {old} {new}" for old, new in RENAMED.items()
             if new in there and old not in there]
    for name, (call, c) in _CALLS.items():
        if name not in there and there >= set(re.findall(r"(\w+)\(", c)):
            lines.append(f"#define {call} {c}")
    return lines
