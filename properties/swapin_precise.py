"""The price of a page that was swapped out."""

from model.system.asking.language import conj, disj, implies, negate
from properties.base import Property, Violated

PROPERTY = Property(
    name="swapin-precise",
    role="precision",
    claim="A load maps a page from swap writable where a store would have nothing to record.",
    origin="20dfa5b7adc5, \"set pte writable while pte_soft_dirty() is true in do_swap_page()\"",
    allowed=lambda t: implies(
        conj(t.op("load", "write"), t.before.swapped, t.after.owned, t.after.may_write,
             disj(negate(t.after.tracked), t.after.soft_dirty),
             negate(conj(disj(t.after.registered, t.before.registered_rwp), t.after.uffd_wp))),
        t.after.writable),
    witness=lambda t: conj(t.op("load"), t.before.swapped, t.after.owned),
    violated=(
        Violated("anon private-shmem private-file thp", ("-20dfa5b7adc5",),
                 "do_swap_page() maps the page writable for a store alone"),
    ),
    about=("pageout", "swapoff"),
    speaks_of=lambda _, m: not m.shared and not m.hugetlb,
    memory="private memory that is not hugetlb",
)
