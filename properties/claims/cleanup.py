"""Which of the two patches changes nothing that a program can see."""

from model.system.asking.language import Bool, conj
from model.system.asking.point import Point
from properties.claims.base import CLEANUP, EXCEPT, FALSE, PATCH, Always, Claim, Departs, Same
from properties.claims.loss import NEW, OLD
from properties.claims.words import MEMORY, PROT_WRITABLE, VMA, registered

_CALLERS = ("wp", "unwp", "mprotect:rw", "numa")
"""A call for each caller of change_protection(), and for both arguments of uffd_wp_range()."""


def _passed(s: Point, _: Point) -> Bool:
    return conj(*(s.newprot_as_worked_out(call) for call in _CALLERS))


CLAIMS = (
    Claim("second-patch-is-a-cleanup",
          f"{CLEANUP} changes nothing: every caller passed the protection that "
          "change_protection() works out by itself now, vma->vm_page_prot, and for NUMA hints "
          "PAGE_NONE.",
          Always(inputs=True, given=lambda s, _: registered(s), holds=_passed,
                 atoms=(*MEMORY, *VMA, PROT_WRITABLE)),
          when=(NEW,)),
    Claim("second-patch-would-be-without-the-first",
          f"{CLEANUP} would change nothing without {PATCH} either.",
          Always(given=lambda s, _: conj(registered(s), s.present), holds=_passed,
                 atoms=(*MEMORY, *VMA, PROT_WRITABLE), shown=("unwp", "store")),
          ours=True, when=(OLD, "+51d3d5eb74ff"),
          departs=(Departs(EXCEPT, "shmem shmem-thp hugetlb", (),
                           "the old uffd_wp_range() passes the protection of vm_flags"),)),
    Claim("first-patch-is-a-cleanup",
          f"The author's question: {PATCH} changes nothing that a program can see.",
          Same(PATCH), ours=True,
          departs=(Departs(FALSE, "anon private-shmem thp", ("-no-try",),
                           "private mappings get their own pages writable by un-protecting"),
                   Departs(FALSE, "shmem shmem-thp", (),
                           "un-protecting maps fewer pages of shared mappings writable"),
                   Departs(FALSE, "hugetlb", ("+51d3d5eb74ff",),
                           "hugetlb entries stay read-only after un-protecting"))),
)
