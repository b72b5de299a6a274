"""The message on the loss: what the old uffd_wp_range() forgot, and that the patch mends it."""

from model.system.asking.language import as_term, conj, negate
from properties.claims.base import EXCEPT, FALSE, PATCH, Always, Claim, Departs, Loses, Mends
from properties.claims.words import (
    ENTRY,
    EXCLUSIVE,
    HUGETLB,
    MEMORY,
    SHARED,
    VMA,
    WRITABLE,
    registered,
    same,
    unrecorded,
)

OLD, NEW = f"-{PATCH}", f"+{PATCH}"
_BY_UNREGISTER = ("store", "clear_refs", "register", "unregister", "store")
_BY_UNPROTECT = ("store", "clear_refs", "register", "wp", "unwp", "store")
_PRIVATE = "anon private-shmem thp"
_UPGRADED = "the write upgrade takes clean entries of a tracked mapping"
_UNTOUCHED = "unregister does not touch the entries yet"
_LOST = ("un-protecting makes a page writable that is tracked and clean, and no fault records the "
         "next store")


CLAIMS = (
    Claim("old-ignores-writenotify",
          "uffd_wp_range() works protection out by hand, from vm_flags alone: un-protecting makes "
          "an entry writable exactly where the VMA is writable and shared, whatever else wants "
          "write notification.",
          Always(inputs=True, by=("unwp",), atoms=(*MEMORY, *VMA, *ENTRY),
                 given=lambda s, _: conj(registered(s), s.present),
                 holds=lambda s, t: same(t.write_bit, conj(s.may_write, s.shared_flag))),
          when=(OLD,)),
    Claim("five-step-loss",
          "Store, clear soft-dirty, register for uffd-wp, unregister, store: the page is not "
          "soft-dirty. Nothing shorter loses a store.",
          Loses(_BY_UNREGISTER, shortest=True), when=(OLD,), concerns=lambda m: m.name == "shmem",
          departs=(Departs(FALSE, "shmem", ("-f369b07c8614",), _UNTOUCHED),)),
    Claim("loss-by-unprotect",
          "The same is lost by protecting and un-protecting instead of unregistering.",
          Loses(_BY_UNPROTECT), when=(OLD,), concerns=lambda m: m.name == "shmem"),
    Claim("patch-mends-both",
          "With the patch neither loses a store, nor does anything else that a program does with "
          "protection and tracking.",
          Mends(PATCH, (_BY_UNREGISTER, _BY_UNPROTECT)), when=(NEW,),
          concerns=lambda m: m.name == "shmem"),
    Claim("loss-of-shmem-only",
          "The loss concerned shared mappings only, and of those shmem: hugetlb has no "
          "soft-dirty.",
          Always(by=("unwp", "unregister"), atoms=MEMORY,
                 given=lambda s, t: conj(t.ok, unrecorded(t), negate(unrecorded(s))),
                 holds=lambda s, _: conj(s.mapping.shared, not s.mapping.hugetlb)),
          when=(OLD, "+b1f9e8768618")),
    Claim("hugetlb-has-no-soft-dirty",
          "Soft-dirty is no concern of hugetlb: clear_refs leaves its entries alone, and pagemap "
          "shows what the VMA says.",
          Always(inputs=True, by=("clear_refs",), atoms=ENTRY,
                 holds=lambda s, t: conj(as_term(s.entry.pte == t.entry.pte),
                                         same(s.pagemap.soft_dirty, s.whole_vma_dirty))),
          concerns=lambda m: m.hugetlb),
    Claim("unprotect-loses-no-store",
          "Un-protecting, by UFFDIO_WRITEPROTECT or by unregistering, lets no later store go "
          "unrecorded.",
          Always(by=("unwp", "unregister"), atoms=(SHARED, HUGETLB, *VMA, *ENTRY, EXCLUSIVE),
                 given=lambda s, _: negate(unrecorded(s)),
                 holds=lambda _, t: negate(unrecorded(t)), shown=("store",)),
          departs=(Departs(EXCEPT, "shmem shmem-thp", (OLD, "+b1f9e8768618"), _LOST),
                   Departs(EXCEPT, _PRIVATE, (NEW, "-76aefad628aa"), _UPGRADED)),
          ours=True, precondition="un-protecting makes the next store go unrecorded, before it"),
    Claim("stores-are-recorded",
          "A store that completes while soft-dirty tracking is on is recorded.",
          Always(by=("store",), atoms=(SHARED, HUGETLB, *VMA, *ENTRY, WRITABLE),
                 holds=lambda s, _: negate(unrecorded(s))),
          departs=(Departs(EXCEPT, "shmem shmem-thp", (OLD, "+b1f9e8768618"), _LOST),
                   Departs(EXCEPT, _PRIVATE, ("+64fe24a3e05e", "-76aefad628aa"), _UPGRADED)),
          ours=True, precondition="a store goes unrecorded, before it"),
)

