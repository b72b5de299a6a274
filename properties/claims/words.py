"""The words that the conditions of claims are written in."""

from collections.abc import Callable

from model.system.asking.language import Bool, Mapping, conj, disj, negate
from model.system.asking.point import Point
from properties.claims.base import Atom

SHARED = Atom("shared", lambda s: s.mapping.shared)
HUGETLB = Atom("hugetlb", lambda s: s.mapping.hugetlb)
WRITE = Atom("VM_WRITE", lambda s: s.may_write)
REGISTERED = Atom("registered", lambda s: s.registered)
TRACKED = Atom("tracked", lambda s: s.tracked)
PROT_WRITABLE = Atom("vm_page_prot-writable", lambda s: s.page_prot_writable)
PRESENT = Atom("present", lambda s: s.present)
WRITABLE = Atom("pte-write", lambda s: s.write_bit)
DIRTY = Atom("dirty", lambda s: s.dirty)
SOFT_DIRTY = Atom("soft-dirty", lambda s: s.soft_dirty)
UFFD_WP = Atom("uffd-wp", lambda s: s.uffd_wp)
PROTNONE = Atom("prot-none", lambda s: conj(s.present, s.protnone))
ZERO_PAGE = Atom("zero-page", lambda s: s.special)
ANON = Atom("anon", lambda s: s.anon)
EXCLUSIVE = Atom("anon-exclusive", lambda s: s.owned)
HUGE = Atom("pmd-mapped", lambda s: s.entry.huge)

KINDS: dict[str, Callable[[Mapping], bool]] = {
    "shared": lambda m: m.shared, "hugetlb": lambda m: m.hugetlb, "huge": lambda m: m.thp,
    "anonymous": lambda m: m.anonymous}
"""Words for conditions on the mapping alone; together they tell all mappings apart that a
userfaultfd write-protects."""

MEMORY = (SHARED, HUGETLB)
VMA = (WRITE, REGISTERED, TRACKED)
ENTRY = (PRESENT, DIRTY, SOFT_DIRTY, UFFD_WP)


def unrecorded(s: Point) -> Bool:
    """A store completes at once, and although soft-dirty tracking is on, pagemap does not say so.
    Memory that soft-dirty does not concern (hugetlb) is never tracked."""
    after = s.then("store")
    return conj(s.tracked, after.ok, negate(after.pagemap.soft_dirty))


def registered(s: Point) -> Bool:
    """UFFDIO_WRITEPROTECT and UFFDIO_UNREGISTER find their VMA."""
    return conj(s.registered, s.uffd_open, s.flags_of_mapping)


def un_protected(s: Point, t: Point) -> Bool:
    """A call has un-protected a registered VMA."""
    return conj(registered(s), t.ok)


def unprotected_present(s: Point, t: Point) -> Bool:
    return conj(un_protected(s, t), t.present)


def same(a: Bool, b: Bool) -> Bool:
    return disj(conj(a, b), conj(negate(a), negate(b)))
