"""The message on the patch: vm_page_prot, and what un-protecting maps writable again."""

from model.system.asking.language import Bool, conj, implies, negate
from model.system.asking.point import Point
from properties.claims.base import EXCEPT, FALSE, Always, Claim, Departs
from properties.claims.loss import NEW
from properties.claims.words import (
    ANON,
    DIRTY,
    EXCLUSIVE,
    HUGE,
    HUGETLB,
    MEMORY,
    PRESENT,
    PROTNONE,
    SHARED,
    SOFT_DIRTY,
    TRACKED,
    UFFD_WP,
    VMA,
    WRITE,
    ZERO_PAGE,
    registered,
    same,
    un_protected,
    unprotected_present,
)

_BASE = (NEW, "+51d3d5eb74ff")
_BOTH = ("unwp", "unregister")
_SHMEM = "shmem shmem-thp"
_PRIVATE = "anon private-shmem thp"
_NEVER_TRIED = ("vma_wants_manual_pte_write_upgrade() asks vma_wants_writenotify() about a "
                "vm_page_prot that is write-protected already; the comparison of pgprots in there "
                "answers no, so MM_CP_TRY_CHANGE_WRITABLE is never set")
_NO_FLAG = "MM_CP_TRY_CHANGE_WRITABLE is never set"
_NO_PMD = "change_huge_pmd() does not look at MM_CP_TRY_CHANGE_WRITABLE yet"
_NO_REASON = "uffd-wp is no reason for write notification yet"
_NOT_ALL = ("a page that is not the process's own, and a tracked page that is not soft-dirty, stay "
            "read-only")
_MORE_THAN_DIRTY = "the page must be soft-dirty too where that is tracked, and the VMA writable"


def _allowed(s: Point, t: Point) -> Bool:
    """Asked of a VMA that may be written to: of no other does the kernel ask."""
    return conj(s.may_write, t.can_change_writable)


CLAIMS = (
    Claim("page-prot-write-protects",
          "While uffd-wp is enabled, vm_page_prot write-protects all entries by default.",
          Always(given=lambda s, _: s.registered, holds=lambda s, _: negate(s.page_prot_writable),
                 atoms=(*MEMORY, *VMA)),
          departs=(Departs(EXCEPT, f"{_SHMEM} hugetlb", ("-51d3d5eb74ff", "+b1f9e8768618"),
                           _NO_REASON),)),
    Claim("page-prot-alone-leaves-read-only",
          "With vm_page_prot alone, shared entries stay read-only after un-protecting.",
          Always(inputs=True, by=_BOTH, under="no-try", atoms=(*VMA, *(PRESENT, DIRTY, UFFD_WP)),
                 given=lambda s, t: conj(unprotected_present(s, t), s.page_prot_up_to_date),
                 holds=lambda _, t: negate(t.write_bit)),
          when=_BASE, concerns=lambda m: m.shared and not m.hugetlb),
    Claim("try-makes-up-for-it",
          "MM_CP_TRY_CHANGE_WRITABLE maps shared entries writable again where "
          "can_change_pte_writable() and can_change_pmd_writable() allow it.",
          Always(by=_BOTH, atoms=(*VMA, DIRTY, SOFT_DIRTY, UFFD_WP), shown=("store",),
                 given=lambda s, t: conj(unprotected_present(s, t), _allowed(s, t)),
                 holds=lambda _, t: t.write_bit),
          when=_BASE, concerns=lambda m: m.shared and not m.hugetlb,
          departs=(Departs(FALSE, _SHMEM, ("+no-try",), _NO_FLAG),
                   Departs(FALSE, _SHMEM, ("-as-described",), _NEVER_TRIED))),
    Claim("shared-writable-exactly-where-allowed",
          "Un-protecting maps a shared entry writable exactly where can_change_pte_writable() and "
          "can_change_pmd_writable() allow it.",
          Always(by=_BOTH, atoms=(*VMA, DIRTY, SOFT_DIRTY, UFFD_WP, HUGE), shown=("store",),
                 given=unprotected_present,
                 holds=lambda s, t: same(t.write_bit, _allowed(s, t))),
          when=_BASE, concerns=lambda m: m.shared and not m.hugetlb,
          departs=(Departs(EXCEPT, _SHMEM, ("+no-try",), _NO_FLAG),
                   Departs(EXCEPT, _SHMEM, ("-as-described",), _NEVER_TRIED))),
    Claim("allowed-where-dirty",
          "For ordinary shmem, can_change_pte_writable() allows it exactly where the entry is "
          "dirty.",
          Always(inputs=True, atoms=(WRITE, TRACKED, DIRTY, SOFT_DIRTY, PROTNONE),
                 shown=("unwp", "store"),
                 given=lambda s, _: conj(registered(s), s.present, negate(s.uffd_wp)),
                 holds=lambda s, _: same(s.can_change_writable, s.dirty)),
          when=(NEW,), concerns=lambda m: m.name == "shmem",
          departs=(Departs(EXCEPT, "shmem", (), _MORE_THAN_DIRTY),)),
    Claim("private-writable-again",
          "Private mappings get their entries writable by un-protecting.",
          Always(by=_BOTH, atoms=(TRACKED, ZERO_PAGE, ANON, EXCLUSIVE, DIRTY, SOFT_DIRTY, HUGE),
                 shown=("store",),
                 given=lambda s, t: conj(unprotected_present(s, t), s.may_write),
                 holds=lambda _, t: t.write_bit),
          when=(NEW,), concerns=lambda m: not m.shared and not m.hugetlb,
          departs=(Departs(FALSE, _PRIVATE, ("+no-try",), _NO_FLAG),
                   Departs(EXCEPT, _PRIVATE, (), _NOT_ALL))),
    Claim("private-writable-exactly-where-allowed",
          "Un-protecting maps an entry of a writable private mapping writable exactly where "
          "can_change_pte_writable() and can_change_pmd_writable() allow it.",
          Always(by=_BOTH, atoms=(TRACKED, ANON, EXCLUSIVE, DIRTY, SOFT_DIRTY, HUGE),
                 shown=("store",),
                 given=lambda s, t: conj(unprotected_present(s, t), s.may_write),
                 holds=lambda _, t: same(t.write_bit, t.can_change_writable)),
          when=(NEW,), concerns=lambda m: not m.shared and not m.hugetlb,
          departs=(Departs(EXCEPT, _PRIVATE, ("+no-try",), _NO_FLAG),
                   Departs(EXCEPT, "thp", ("-c27f479ef542",), _NO_PMD))),
    *(Claim(f"hugetlb-never-by-{call}",
            f"hugetlb has no such upgrade: {told} leaves its entries read-only.",
            Always(inputs=True, by=(call,), atoms=(*VMA, DIRTY, UFFD_WP), shown=("store",),
                   given=lambda s, t: conj(un_protected(s, t), s.page_prot_up_to_date),
                   holds=lambda _, t: negate(t.write_bit)),
            when=_BASE, concerns=lambda m: m.hugetlb)
      for call, told in (("unwp", "un-protecting"), ("unregister", "unregistering"))),
    Claim("protecting-needs-no-checks",
          "Write-protecting needs no further check: no entry stays writable, and each present one "
          "has the uffd-wp bit, whatever vm_page_prot says.",
          Always(inputs=True, by=("wp",), atoms=(SHARED, HUGETLB, *VMA, PRESENT, DIRTY),
                 given=lambda s, t: conj(registered(s), t.ok, s.present),
                 holds=lambda _, t: implies(t.present, conj(negate(t.write_bit), t.uffd_wp)))),
)
