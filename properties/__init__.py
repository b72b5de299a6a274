"""The promises, one a file. A new one: a file that defines PROPERTY, and its name below.

The order is that of reports: promises to programs, then what they rest on, then precision.
"""

from properties import (
    access_completes,
    close_keeps_armed,
    entry_maps_page,
    features_kept,
    features_there,
    hugetlb_mprotect_precise,
    migrate_precise,
    mmap_marks_new,
    mprotect_precise,
    mremap_marks_moved,
    no_stale_uffd_wp,
    page_prot_armed,
    private_exclusive,
    softdirty_armed,
    softdirty_complete,
    softdirty_precise,
    swapin_precise,
    swapoff_ends,
    uffd_wp_armed,
    uffd_wp_async_complete,
    uffd_wp_complete,
    uffd_wp_complete_populated,
    unprotect_precise,
    writable_allowed,
)
from properties.base import Property

PROPERTIES: dict[str, Property] = {module.PROPERTY.name: module.PROPERTY for module in (
    softdirty_complete,
    uffd_wp_complete,
    uffd_wp_complete_populated,
    uffd_wp_async_complete,
    mremap_marks_moved,
    mmap_marks_new,
    features_kept,
    features_there,
    swapoff_ends,
    writable_allowed,
    private_exclusive,
    entry_maps_page,
    softdirty_armed,
    close_keeps_armed,
    uffd_wp_armed,
    page_prot_armed,
    no_stale_uffd_wp,
    access_completes,
    softdirty_precise,
    unprotect_precise,
    mprotect_precise,
    hugetlb_mprotect_precise,
    migrate_precise,
    swapin_precise,
)}
