"""How uffd-wp bits come to stay in page tables whose VMA is not registered for them."""

EVERY = "anon shmem private-shmem thp shmem-thp hugetlb private-hugetlb"
IN_CACHE = "shmem private-shmem shmem-thp hugetlb private-hugetlb"
"""What can be registered for minor faults."""
UNREGISTERED = "unregister leaves the entries protected"
REREGISTERED = ("UFFDIO_REGISTER with another mode takes write-protect mode from the VMA and "
                "leaves the entries protected; only UFFDIO_UNREGISTER cleans them")
CLOSED = "closing the userfaultfd leaves the entries protected"
MOVED = "mremap drops the registration, and moves the entries with their uffd-wp bits"
INHERITED = "fork copies the uffd-wp bit to a child, whose VMA is not registered"
MOVED_IN = ("UFFDIO_MOVE takes the uffd-wp bit of a page that is swapped out to a place where "
            "nobody has protected it; that of a page in memory it drops")
ENDLESS = ("; hugetlb_wp() resolves no entry that has the bit, and hugetlb_fault() raises no event "
           "without the registration: the store faults for ever")
BELIEVED = "; the next registration finds them on writable entries and believes them"
