"""mm/truncate.c: the page cache has no page where the file was truncated; and has one because of
another mapping of the file. Read from 6.1.192, 6.12.117, 7.2.13 and 7.3.4.

Truncated is to nothing, and the file has its length back at once: an access before that, which is
SIGBUS, is left out.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.editions import Edition
from model.kernel.hugetlb import hugetlb_vmtruncate
from model.kernel.memory import unmap_single_vma
from model.kernel.mirror import mirrors
from model.kernel.records import Entry, Vma


@mirrors("mm/memory.c")
def do_shared_fault(_ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """A store through another mapping of the file, which is shared, registered with no userfaultfd,
    and unmapped after it: the page cache has the page, from swap or the disk if need be, and since
    that mapping's entry was dirty so is the page. No other entry is asked, nor changed. Which pages
    of hugetlb are dirty nobody asks."""
    dirty = entry.cache_dirty if vma.mapping.hugetlb else True
    return replace(entry, in_cache=True, cache_swapped=False, cache_dirty=dirty,
                   cache_reclaim=False)


@mirrors("mm/memory.c", ":unmap_mapping_pages")
def unmap_mapping_range(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """With even_cows, of all that map the file: private copies go too, in swap or not, and those of
    children. Without ZAP_FLAG_DROP_MARKER: uffd-wp markers and guard regions stay, poison does
    not."""
    return replace(unmap_single_vma(ed, vma, entry), cache_in_child=False, twin_in_child=False,
                   twin_in_slot=False)


@mirrors("mm/truncate.c", "mm/shmem.c:shmem_setattr")
def truncate_pagecache(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """The pages are unmapped, and the page cache and its swap slots emptied."""
    unmap = hugetlb_vmtruncate if vma.mapping.hugetlb else unmap_mapping_range
    return unmap(ed, vma, entry).out_of_cache()
