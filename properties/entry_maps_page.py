"""What every function that looks at a page relies on."""

from model.system.asking.language import implies
from properties.base import Property, Violated

PROPERTY = Property(
    name="entry-maps-page",
    claim="A present entry maps the file's own page in a shared mapping, and in a private one that "
          "page, an anonymous page or the zero page.",
    origin="mmap(2), MAP_SHARED: updates are visible to the other processes that map the file",
    safe=lambda s: implies(s.present, s.maps_own_page),
    witness=lambda t: t.after.present,
    violated=(
        Violated("hugetlb private-hugetlb", ("-0e678153f5be", "+b1f9e8768618", "+fed15f1345dc"),
                 "hugetlb_change_protection() takes a marker for a page, and gives it the bits of "
                 "a present entry"),
        Violated("private-hugetlb", ("-0e678153f5be", "+b1f9e8768618"),
                 "hugetlb_change_protection() takes the marker that MADV_DONTNEED has left for a "
                 "page, and gives it the bits of a present entry", by="dontneed"),
        Violated("hugetlb", ("-0e678153f5be", "+b1f9e8768618"),
                 "hugetlb_change_protection() takes the marker that a hole in the file has left "
                 "for a page, and gives it the bits of a present entry", by="remove"),
        Violated("hugetlb", ("-1d8d14641fd9", "+51d3d5eb74ff"),
                 "change_protection() leaves pages of a registered VMA read-only, and hugetlb_wp() "
                 "gives the next store a copy of its own", by="register"),
        Violated("hugetlb", ("-1d8d14641fd9", "-f96f7a40874d"),
                 "soft-dirty tracking write-protects vm_page_prot, mprotect leaves pages "
                 "read-only, and hugetlb_wp() gives the next store a copy of its own",
                 by="clear_refs"),
    ),
)
