"""What breaks a promise by design: a cause that is known by its calls, and that no change of the
kernel should mend. Where it is asked what else breaks the promise, the calls are excused."""

from __future__ import annotations

from dataclasses import dataclass

from properties.findings import Broken, Shown


@dataclass(frozen=True)
class Designed:
    """One such cause. `broken` is what it breaks in the newest edition, `shown` which have it, and
    how; `because` says why it is so, and `instead` what a program does."""

    cause: str
    broken: tuple[Broken, ...]
    shown: tuple[Shown, ...]
    because: str
    instead: str


_ALIAS = ("alias:store",)

DESIGNED: tuple[Designed, ...] = (
    Designed("a store through another mapping of the file",
             (Broken("softdirty-complete change-seen", "shmem file", _ALIAS),
              Broken("uffd-wp-complete uffd-wp-complete-populated", "shmem hugetlb", _ALIAS),
              Broken("uffd-wp-async-complete", "shmem file hugetlb", _ALIAS)),
             (Shown("v5.7 on", "softdirty-complete", "shmem", "clear_refs alias:store"),
              Shown("v5.19 on", "uffd-wp-complete", "shmem", "register wp alias:store"),
              Shown("v6.7 on", "uffd-wp-async-complete", "shmem",
                    "close open:async register wp alias:store")),
             "Write protection and soft-dirty are bits of the entries of a mapping; a store by way "
             "of another is asked for nothing by them, and to mark or to arm every entry of a page "
             "at each fault of one would make every fault a walk of all mappings.",
             "Who shares memory tracks each mapping of it, or lets nobody map it for writing anew "
             "(memfd_create(2), F_SEAL_FUTURE_WRITE)."),
    Designed("a store to the file of a private mapping",
             (Broken("change-seen", "private-shmem private-file", _ALIAS),),
             (Shown("v5.7 on", "change-seen", "private-shmem", "clear_refs alias:store"),),
             "mmap(2) leaves it open whether a private mapping shows what is stored to its file; "
             "the entry, if any, maps the page of the file, to which the mapping itself never "
             "stores.",
             "Who saves private memory of a file saves the copies, and the file by itself."),
    Designed("a store of a child to shared memory",
             (Broken("change-seen", "shmem file shmem-thp", ("fork:write",)),),
             (Shown("v5.7 on", "change-seen", "shmem", "clear_refs fork:write"),),
             "A child has page tables of its own, and its soft-dirty bits are in those.",
             "Who saves shared memory asks the pagemap of every process that maps it, as CRIU "
             "does."),
)
