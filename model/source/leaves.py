"""The leaf functions: which C stands for which function of the model.

A leaf is a C expression over the inputs of correspond.py, the model's function of the same inputs,
and what is presumed of them, as C too. The C is read with the tree's own macros.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import signature

from model.kernel import (
    fault,
    huge_memory,
    hugetlb,
    memory,
    mmap,
    mprotect,
    mremap,
    pgtable,
    swapops,
    userfaultfd,
    userfaultfd_k,
)
from model.kernel.bits import PTE_PFN_MASK
from model.kernel.editions import Edition
from model.kernel.logic import BV, Bool, as_term, ite
from model.kernel.records import Vma
from model.source.correspond import Inputs


@dataclass(frozen=True)
class Presumed:
    """What is presumed of the inputs, in words and as C; where it is needed only from a change on,
    or only before one, that change. Of a tree in which the C holds for all inputs, it is not told.
    """

    words: str
    c: str
    since: str = ""
    before: str = ""

    def needed(self, ed: Edition) -> bool:
        return (not self.since or ed.has(self.since)) and not (self.before and ed.has(self.before))


_NO_KEYS = Presumed("no protection key in vm_flags", "!(vm_flags & (VM_PKEY_BIT0 | VM_PKEY_BIT1 | "
                    "VM_PKEY_BIT2 | VM_PKEY_BIT3))")
_NO_PFNMAP = Presumed("no VM_PFNMAP", "!(vm_flags & VM_PFNMAP)")
_NO_SHADOW_STACK = Presumed("no VM_SHADOW_STACK", "!(vm_flags & VM_SHADOW_STACK)", "saved-dirty")
_NO_SHADOW_ENTRY = Presumed("no shadow stack entry (read-only with the hardware's dirty bit)",
                            "(pte.pte & _PAGE_RW) || !(pte.pte & _PAGE_DIRTY)", "saved-dirty")
_NO_DEVMAP = Presumed("no DEVMAP bit, which the tree has no more",
                      "!((pte.pte | newprot.pgprot | vm_page_prot.pgprot) & PTECHECK_NO_DEVMAP)")
_METHODS = Presumed("methods of vm_ops only where there is vm_ops",
                    "has_vm_ops || !(page_mkwrite || pfn_mkwrite)")
_NO_MINOR = Presumed("no VM_UFFD_MINOR", "!(vm_flags & VM_UFFD_MINOR)")
_NO_RWP = Presumed("no VM_UFFD_RWP", "!(vm_flags & PTECHECK_RWP)")
_HUGE_PRESENT = Presumed("PSE only in a present entry", "!(pte.pte & _PAGE_PSE) || "
                         "(pte.pte & (_PAGE_PRESENT | _PAGE_PROTNONE))")
_MAPPED = Presumed("an anonymous page is mapped", "maps_page || !anon")
_NO_KEYS_ASKED = Presumed("no protection key in the new flags", "!(flags & (VM_PKEY_BIT0 | "
                          "VM_PKEY_BIT1 | VM_PKEY_BIT2 | VM_PKEY_BIT3))")
_NO_PFNMAP_ASKED = Presumed("no VM_PFNMAP in the new flags", "!(flags & VM_PFNMAP)")
_ASKED = Presumed("missing and write-protect mode alone are asked for",
                  "!(flags & ~(VM_UFFD_MISSING | VM_UFFD_WP))")
_PLAIN = Presumed("no special VMA, no shadow stack", "!(vm_flags & VM_SPECIAL)"
                  " && !(vm_flags & VM_SHADOW_STACK)", "saved-dirty")
_NO_DROPPABLE = Presumed("no VM_DROPPABLE", "!(vm_flags & PTECHECK_DROPPABLE)")
_KINDS = Presumed("hugetlb and shmem have vm_ops, and no VMA is both",
                  "(has_vm_ops || !(hugetlb || shmem)) && !(hugetlb && shmem)")
_ONE_AREA = Presumed("swap entries of the first area alone", "!swp_type(pte_to_swp_entry(pte)) || "
                     "swp_type(pte_to_swp_entry(pte)) >= MAX_SWAPFILES")
_NO_HEADER = Presumed("not the first slot of the first area, its header",
                      "!PTECHECK_SOFTLEAF || !is_swap_pte(pte) || pte_to_swp_entry(pte).val != 0")
_SWAPPED = Presumed("an entry that is neither none nor present",
                    "!PTECHECK_SOFTLEAF || is_swap_pte(pte)")
_BARE = Presumed("no soft-dirty, uffd-wp or exclusive bit in the swap entry",
                 "swp_entry_to_pte(pte_to_swp_entry(pte)).pte == pte.pte")


_READ_ONLY = Presumed("a read-only entry: every caller write-protects it first",
                      "!(pte.pte & _PAGE_RW)", before="f1eb1bacfba9")


@dataclass(frozen=True)
class Leaf:
    """A kernel function that is proved equal to the model's.

    `c` are expressions, one for each way in which releases declare its arguments. `function` names
    the model's. `ignoring` are bits of the result that the model leaves out.
    """

    name: str
    path: str
    c: tuple[str, ...]
    function: str
    model: Callable[[Edition, Inputs], Bool | BV]
    presumed: tuple[Presumed, ...] = ()
    ignoring: int = 0
    writes: tuple[str, ...] = ()
    """Fields of the VMA that the function may change; the C and the model speak of them."""
    also: tuple[str, ...] = ()
    """Other places, as `path`, `path:name` or `:name`."""


_H = "arch/x86/include/asm/pgtable.h"
_OPS = "include/linux/swapops.h"
_UFFD = "include/linux/userfaultfd_k.h"


def _entry(name: str, model: Callable[..., Bool | BV], *presumed: Presumed, path: str = _H,
           also: tuple[str, ...] = (), c: str = "") -> Leaf:
    """A helper of one entry."""

    takes_edition = len(signature(model).parameters) == 2

    def answer(ed: Edition, i: Inputs) -> Bool | BV:
        pte = i.words["pte"]
        return model(ed, pte) if takes_edition else model(pte)

    return Leaf(name, path, (c or f"{name}(pte)",), model.__name__, answer, presumed, also=also)


def _twin(leaf: Leaf, *presumed: Presumed) -> Leaf:
    """The helper of a PMD, for which the model uses that of a PTE."""
    name = leaf.name.replace("pte_", "pmd_", 1)
    c = tuple(each.replace(leaf.name, name).replace("(pte", "(pmd") for each in leaf.c)
    return replace(leaf, name=name, c=c, presumed=(*leaf.presumed, *presumed),
                   also=tuple(place.replace("pte_", "pmd_") for place in leaf.also))


def _vma(name: str, path: str, model: Callable[[Edition, Inputs], Bool | BV], *presumed: Presumed,
         c: str | tuple[str, ...] = "", also: tuple[str, ...] = (), function: str = "",
         writes: tuple[str, ...] = ()) -> Leaf:
    c = (c or f"{name}(vma)",) if isinstance(c, str) else c
    return Leaf(name, path, c, function or name, model, presumed, 0, writes,
                also)


def _flags_set(ed: Edition, i: Inputs) -> Bool | BV:
    def prot(vma: Vma) -> BV:
        new = userfaultfd.userfaultfd_set_vm_flags(ed, vma, i.words["flags"])
        return ite(new.vm_flags == i.words["flags"], new.vm_page_prot, ~new.vm_page_prot)

    return i.over_vmas(prot)


def _migration(name: str, model: Callable[[Edition, BV], Bool]) -> Leaf:
    """Asked of a swap entry alone; the model asks of any entry."""
    return _entry(name, model, path=_OPS,
                  c=f"is_swap_pte(pte) && {name}(pte_to_swp_entry(pte))")


def _modified(ed: Edition, i: Inputs) -> BV:
    return pgtable.pte_modify(ed, i.words["pte"], i.words["newprot"])


_MODIFY = Leaf("pte_modify", _H, ("pte_modify(pte, newprot)",), "pte_modify", _modified,
               (_NO_SHADOW_ENTRY, _NO_DEVMAP), ignoring=PTE_PFN_MASK)
_ENTRY = (
    _entry("pte_none", pgtable.pte_none),
    _entry("pte_protnone", pgtable.pte_protnone),
    _entry("pte_write", pgtable.pte_write, _NO_SHADOW_ENTRY),
    _entry("pte_dirty", pgtable.pte_dirty),
    _entry("pte_soft_dirty", pgtable.pte_soft_dirty),
    _entry("pte_uffd_wp", pgtable.pte_uffd_wp),
    _entry("pte_mksaveddirty", pgtable.pte_mksaveddirty),
    _entry("pte_clear_saveddirty", pgtable.pte_clear_saveddirty),
    _entry("pte_wrprotect", pgtable.pte_wrprotect),
    _entry("pte_mkdirty", pgtable.pte_mkdirty),
    _entry("pte_mkyoung", pgtable.pte_mkyoung),
    _entry("pte_mkold", pgtable.pte_mkold),
    _entry("pte_mkclean", pgtable.pte_mkclean),
    _entry("pte_mksoft_dirty", pgtable.pte_mksoft_dirty),
    _entry("pte_clear_soft_dirty", pgtable.pte_clear_soft_dirty),
    _entry("pte_mkuffd_wp", pgtable.pte_mkuffd_wp),
    _entry("pte_clear_uffd_wp", pgtable.pte_clear_uffd_wp),
    _entry("pte_swp_soft_dirty", pgtable.pte_swp_soft_dirty),
    _entry("pte_swp_mksoft_dirty", pgtable.pte_swp_mksoft_dirty),
    _entry("pte_swp_clear_soft_dirty", pgtable.pte_swp_clear_soft_dirty),
    _entry("pte_swp_uffd_wp", pgtable.pte_swp_uffd_wp),
    _entry("pte_swp_mkuffd_wp", pgtable.pte_swp_mkuffd_wp),
    _entry("pte_swp_clear_uffd_wp", pgtable.pte_swp_clear_uffd_wp),
    _MODIFY,
)
_PRESENT = _entry("pte_present", pgtable.pte_present)
_WITH_VMA = "include/linux/mm.h"
_MAPS = "mm/vma.c", ("mm/mmap.c",)

LEAVES: dict[str, Leaf] = {leaf.name: leaf for leaf in (
    *_ENTRY,
    *(_twin(leaf) for leaf in _ENTRY),
    _PRESENT,
    _twin(_PRESENT, _HUGE_PRESENT),
    _entry("pte_special", pgtable.pte_special),
    _entry("pte_mkspecial", pgtable.pte_mkspecial),
    _entry("pmd_mkhuge", huge_memory.pmd_mkhuge, c="pmd_mkhuge(pmd)"),
    _entry("pte_swp_exclusive", pgtable.pte_swp_exclusive),
    _entry("pte_swp_mkexclusive", pgtable.pte_swp_mkexclusive),
    _entry("pte_swp_clear_exclusive", pgtable.pte_swp_clear_exclusive),
    Leaf("pte_mkwrite", _H, ("pte_mkwrite(pte)", "pte_mkwrite(pte, vma)"), "pte_mkwrite",
         lambda ed, i: pgtable.pte_mkwrite(ed, i.words["pte"]), (_NO_SHADOW_STACK,),
         also=("arch/x86/mm/pgtable.c",)),
    Leaf("pmd_mkwrite", _H, ("pmd_mkwrite(pmd)", "pmd_mkwrite(pmd, vma)"), "pte_mkwrite",
         lambda ed, i: pgtable.pte_mkwrite(ed, i.words["pte"]), (_NO_SHADOW_STACK,),
         also=("arch/x86/mm/pgtable.c",)),
    Leaf("pgprot_modify", _H, ("pgprot_modify(oldprot, newprot)",), "pgprot_modify",
         lambda ed, i: pgtable.pgprot_modify(ed, i.words["pte"], i.words["newprot"]),
         (_NO_DEVMAP,)),
    Leaf("vm_get_page_prot", "arch/x86/mm/pgprot.c", ("vm_get_page_prot(vm_flags)",),
         "vm_get_page_prot", lambda ed, i: pgtable.vm_get_page_prot(ed, i.words["vm_flags"]),
         (_NO_KEYS,), also=(":protection_map",)),
    Leaf("maybe_mkwrite", _WITH_VMA, ("maybe_mkwrite(pte, vma)",), "maybe_mkwrite",
         lambda ed, i: i.over_vmas(lambda vma: pgtable.maybe_mkwrite(ed, i.words["pte"], vma)),
         (_NO_SHADOW_STACK,)),
    Leaf("maybe_pmd_mkwrite", "mm/huge_memory.c", ("maybe_pmd_mkwrite(pmd, vma)",), "maybe_mkwrite",
         lambda ed, i: i.over_vmas(lambda vma: pgtable.maybe_mkwrite(ed, i.words["pte"], vma)),
         (_NO_SHADOW_STACK,)),

    # entries that are not present
    _entry("is_swap_pte", pgtable.is_swap_pte, path=_OPS),
    _entry("is_pte_marker", swapops.is_pte_marker, path=_OPS),
    _entry("pte_none_mostly", swapops.pte_none_mostly, path=_OPS),
    _entry("pte_marker_uffd_wp", swapops.pte_marker_uffd_wp, path=_UFFD),
    _entry("pte_swp_uffd_wp_any", swapops.pte_swp_uffd_wp_any, path=_UFFD),
    Leaf("make_pte_marker", _OPS, ("make_pte_marker(PTE_MARKER_UFFD_WP)",), "make_uffd_wp_marker",
         lambda ed, i: swapops.make_uffd_wp_marker(ed)),
    Leaf("swp_entry_to_pte", _OPS, ("swp_entry_to_pte(swp_entry(0, 1))",), "make_swap_pte",
         lambda ed, i: swapops.make_swap_pte()),
    _entry("non_swap_entry", swapops.is_swap_slot, _ONE_AREA, _NO_HEADER, path=_OPS,
           c="is_swap_pte(pte) && !non_swap_entry(pte_to_swp_entry(pte))"),
    _migration("is_migration_entry", swapops.is_migration_entry),
    _migration("is_readable_migration_entry", swapops.is_readable_migration_entry),
    _migration("is_readable_exclusive_migration_entry",
               swapops.is_readable_exclusive_migration_entry),
    _migration("is_writable_migration_entry", swapops.is_writable_migration_entry),
    _entry("is_migration_entry_dirty", swapops.is_migration_entry_dirty, _SWAPPED, path=_OPS,
           c="is_migration_entry_dirty(pte_to_swp_entry(pte))"),
    Leaf("make_writable_migration_entry", _OPS,
         ("swp_entry_to_pte(make_writable_migration_entry(0))",), "make_migration_pte",
         lambda ed, i: swapops.make_migration_pte(ed, True, True, False)),
    Leaf("make_migration_entry_dirty", _OPS, ("swp_entry_to_pte(make_migration_entry_dirty("
         "make_writable_migration_entry(0)))",), "make_migration_pte",
         lambda ed, i: swapops.make_migration_pte(ed, True, True, True)),
    Leaf("make_readable_migration_entry", _OPS, ("swp_entry_to_pte(make_readable_migration_entry("
         "swp_offset(pte_to_swp_entry(pte))))",), "make_readable_migration_pte",
         lambda ed, i: swapops.make_readable_migration_pte(ed, i.words["pte"], False), (_BARE,)),
    Leaf("make_readable_exclusive_migration_entry", _OPS,
         ("swp_entry_to_pte(make_readable_exclusive_migration_entry("
          "swp_offset(pte_to_swp_entry(pte))))",), "make_readable_migration_pte",
         lambda ed, i: swapops.make_readable_migration_pte(ed, i.words["pte"], True), (_BARE,)),
    _entry("move_soft_dirty_pte", mremap.move_soft_dirty_pte, path="mm/mremap.c"),

    # write notification
    _vma("vma_soft_dirty_enabled", "mm/internal.h",
         lambda ed, i: i.over_vmas(mmap.vma_soft_dirty_enabled)),
    _vma("pte_needs_soft_dirty_wp", "mm/internal.h",
         lambda ed, i: i.over_vmas(lambda v: mmap.pte_needs_soft_dirty_wp(v, i.words["pte"])),
         c="pte_needs_soft_dirty_wp(vma, pte)"),
    _vma("pmd_needs_soft_dirty_wp", "mm/internal.h",
         lambda ed, i: i.over_vmas(lambda v: mmap.pte_needs_soft_dirty_wp(v, i.words["pte"])),
         c="pmd_needs_soft_dirty_wp(vma, pmd)", function="pte_needs_soft_dirty_wp"),
    _vma("vm_pgprot_modify", "mm/vma.h",
         lambda ed, i: mmap.vm_pgprot_modify(ed, i.words["pte"], i.words["vm_flags"]), _NO_KEYS,
         _NO_DEVMAP,
         c="vm_pgprot_modify(oldprot, vm_flags)", also=("mm/mmap.c",)),
    _vma("vma_wants_writenotify", "mm/vma.c",
         lambda ed, i: i.over_vmas(
             lambda v: mmap.vma_wants_writenotify(ed, v, i.words["newprot"])),
         _NO_KEYS, _NO_PFNMAP, _NO_DEVMAP, _METHODS, c="vma_wants_writenotify(vma, newprot)",
         also=("mm/mmap.c",)),
    _vma("vma_set_page_prot", "mm/mmap.c",
         lambda ed, i: i.over_vmas(lambda v: mmap.vma_set_page_prot(ed, v).vm_page_prot),
         _NO_KEYS, _NO_PFNMAP, _NO_DEVMAP, _METHODS,
         c="(vma_set_page_prot(vma), vma->vm_page_prot)",
         writes=("vm_page_prot",)),
    _vma("vma_wants_manual_pte_write_upgrade", "mm/vma.h",
         lambda ed, i: i.over_vmas(lambda v: mmap.vma_wants_manual_pte_write_upgrade(ed, v)),
         _NO_KEYS, _NO_PFNMAP, _NO_DEVMAP, _METHODS),

    # userfaultfd
    _vma("userfaultfd_wp", _UFFD, lambda ed, i: i.over_vmas(userfaultfd_k.userfaultfd_wp)),
    _vma("userfaultfd_missing", _UFFD,
         lambda ed, i: i.over_vmas(userfaultfd_k.userfaultfd_missing)),
    _vma("userfaultfd_armed", _UFFD, lambda ed, i: i.over_vmas(userfaultfd_k.userfaultfd_armed),
         _NO_MINOR, _NO_RWP),
    _vma("userfaultfd_pte_wp", _UFFD,
         lambda ed, i: i.over_vmas(lambda v: userfaultfd_k.userfaultfd_pte_wp(v, i.words["pte"])),
         c="userfaultfd_pte_wp(vma, pte)"),
    _vma("userfaultfd_huge_pmd_wp", _UFFD,
         lambda ed, i: i.over_vmas(lambda v: userfaultfd_k.userfaultfd_pte_wp(v, i.words["pte"])),
         c="userfaultfd_huge_pmd_wp(vma, pmd)", function="userfaultfd_pte_wp"),
    _vma("userfaultfd_wp_use_markers", _UFFD,
         lambda ed, i: i.over_vmas(lambda v: userfaultfd_k.userfaultfd_wp_use_markers(ed, v))),

    _vma("vma_can_userfault", _UFFD,
         lambda ed, i: i.over_vmas(
             lambda v: userfaultfd.vma_can_userfault(ed, v, i.words["flags"])),
         _ASKED, _PLAIN, _NO_DROPPABLE, _KINDS, c=("vma_can_userfault(vma, flags)",
                                    "vma_can_userfault(vma, flags, wp_async)")),
    _vma("userfaultfd_set_vm_flags", "fs/userfaultfd.c", _flags_set, _NO_KEYS, _NO_KEYS_ASKED,
         _NO_PFNMAP_ASKED, _NO_DEVMAP, _METHODS, writes=("vm_flags", "vm_page_prot"),
         c="(userfaultfd_set_vm_flags(vma, flags), "
         "vma->vm_flags == flags ? vma->vm_page_prot.pgprot : ~vma->vm_page_prot.pgprot)",
         also=("mm/userfaultfd.c",)),

    # faults
    _vma("vma_is_accessible", "include/linux/mm.h",
         lambda ed, i: i.over_vmas(memory.vma_is_accessible)),
    _vma("access_error", "arch/x86/mm/fault.c",
         lambda ed, i: i.over_vmas(lambda v: ite(i.truths["writes"],
                                                 as_term(fault.access_error(ed, v, True)),
                                                 as_term(fault.access_error(ed, v, False)))),
         _NO_SHADOW_STACK, c="access_error(X86_PF_USER | (writes ? X86_PF_WRITE : 0), vma)"),

    # the upgrade
    _vma("can_change_pte_writable", "mm/mprotect.c",
         lambda ed, i: i.over_vmas(lambda v: mprotect.can_change_pte_writable(ed, v, i.entry)),
         c="can_change_pte_writable(vma, addr, pte)"),
    _vma("can_change_pmd_writable", "mm/huge_memory.c",
         lambda ed, i: i.over_vmas(lambda v: huge_memory.can_change_pmd_writable(ed, v, i.entry)),
         _MAPPED, c="can_change_pmd_writable(vma, addr, pmd)"),
    Leaf("make_huge_pte", "mm/hugetlb.c", ("make_huge_pte(vma, page, writes)",), "make_huge_pte",
         lambda ed, i: i.over_vmas(lambda v: ite(i.truths["writes"],
                                                 hugetlb.make_huge_pte(ed, v, True),
                                                 hugetlb.make_huge_pte(ed, v, False))),
         (), PTE_PFN_MASK),
    Leaf("huge_pte_mkwrite", "include/asm-generic/hugetlb.h", ("huge_pte_mkwrite(pte)",),
         "huge_pte_mkwrite", lambda ed, i: hugetlb.huge_pte_mkwrite(ed, i.words["pte"])),
    Leaf("huge_pte_mkuffd_wp", "include/asm-generic/hugetlb.h", ("huge_pte_mkuffd_wp(pte)",),
         "huge_pte_mkuffd_wp", lambda ed, i: hugetlb.huge_pte_mkuffd_wp(ed, i.words["pte"]),
         (_READ_ONLY,)),
)}
"""By the kernel's name."""
