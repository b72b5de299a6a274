"""The price of a page that moves to another node."""

from model.system.asking.language import conj, implies, negate
from properties.base import Property, Violated
from properties.stale import MOVED_IN

_READ_ONLY = ("a read-only page comes back read-only, though vm_page_prot is writable: ")
_MADE = "mapped or protected from the vm_page_prot of a registered VMA, and "

PROPERTY = Property(
    name="migrate-precise",
    role="precision",
    claim="A page that has migrated is as writable as vm_page_prot lets pages of a shared mapping "
          "be, or as it was in a private one, unless it is write-protected.",
    origin="3c811f7883c4, which lets the entry start from vm_page_prot again",
    allowed=lambda t: implies(
        conj(t.op("migrate"), t.before.movable, negate(t.after.uffd_wp),
             t.after.page_prot_writable if t.before.mapping.shared else t.before.writable),
        t.after.writable),
    witness=lambda t: conj(t.op("migrate"), t.before.movable, t.after.writable),
    violated=tuple(
        Violated("shmem shmem-thp hugetlb", ("-3c811f7883c4", *when), _READ_ONLY + left, by)
        for left, when, by in (
            (_MADE + "un-protected from it by `unregister`",
             ("+931298e103c2", "+51d3d5eb74ff"), "unregister"),
            (_MADE + "left so by `unregister`", ("-f369b07c8614", "+51d3d5eb74ff"),
             "unregister"),
            (_MADE + "left so by `close`", ("-c88033efe9a3", "+51d3d5eb74ff"), "close"),
            (_MADE + "left so by a registration without WP", ("+51d3d5eb74ff",),
             "register:missing register:minor"),
            (_MADE + "moved away from its registration", ("+51d3d5eb74ff",), "mremap"),
            ("mremap cleared its uffd-wp bit alone", ("+0cef0bb836e3",), "mremap&wp"),
            ("change_protection() made its migration entry readable", (), "migrate:begin"),
            ("a NUMA hint that migrates loses the write bit", ("+6a56ccbcf6c6",), "numa"))
    ) + (Violated("shmem shmem-thp", ("-3c811f7883c4", "+51d3d5eb74ff"), _READ_ONLY + _MADE
                  + "moved away from its registration", by="mremap:dontunmap"),
         Violated("shmem shmem-thp", ("-3c811f7883c4", "+0cef0bb836e3"), _READ_ONLY
                  + "mremap cleared its uffd-wp bit alone", by="mremap:dontunmap&wp"),
         Violated("shmem shmem-thp", ("-3c811f7883c4", "-64e455079e1b"),
                  _READ_ONLY + "clear_refs write-protects entries alone", by="clear_refs"),
         Violated("thp", ("+collapse-read-only", "+8a8ca142a488"), "a page of zeroes, which a "
                  "collapse has made of the zero page, gives way to that where the huge page is "
                  "split", by="split&collapse open:async&collapse"),
         Violated("private-hugetlb", ("-3c811f7883c4", "-huge-pte-vm-write"), "the child's copy of "
                  "a page that its parent has pinned is writable though mprotect has made the "
                  "memory read-only, and a page that migrates asks the VMA", by="pin&fork:child"),
         Violated("anon thp", ("+adf505457032", "+rwp"), MOVED_IN + "; mode RWP takes it for its "
                  "own", by="move:in:wp&register:missing&register:rwp")),
    about=("migrate",),
)
