"""fs/userfaultfd.c and mm/userfaultfd.c: register, unregister, write-protect, copy, zero, continue.

Read from 6.1.192, 6.12.117, 7.2.12 and 7.3.4 (where all is in mm/userfaultfd.c), for one VMA wholly
inside the range and one userfaultfd. Left out: range and mode checks (the arguments are right: WP
together with RWP is EINVAL), UFFDIO_SET_MODE, waking. Several VMAs: system/actions/ranges.py.
"""

from __future__ import annotations

from dataclasses import replace

from model.kernel.bits import (
    VM_ACCESS_FLAGS,
    VM_MAYWRITE,
    VM_SHARED,
    VM_UFFD_FLAGS,
    VM_UFFD_MINOR,
    VM_UFFD_WP,
    VM_WRITE,
)
from model.kernel.editions import Edition
from model.kernel.hugetlb import hugetlb_mfill_atomic_pte
from model.kernel.logic import (
    BV,
    Bool,
    as_term,
    clear_bits,
    conj,
    disj,
    has,
    has_all,
    ite,
    negate,
    set_bits,
    word,
)
from model.kernel.mirror import mirrors
from model.kernel.mmap import vma_set_page_prot, vma_wants_manual_pte_write_upgrade
from model.kernel.mprotect import change_protection
from model.kernel.pgtable import (
    mk_pte,
    pte_mkdirty,
    pte_mkspecial,
    pte_mkuffd_wp,
    pte_mkwrite,
    pte_none,
    pte_wrprotect,
    vm_get_page_prot,
)
from model.kernel.records import CpFlags, Entry, Outcome, Vma, outcome
from model.kernel.swapops import make_poison_marker, pte_none_mostly
from model.kernel.userfaultfd_k import (
    userfaultfd_armed,
    userfaultfd_minor,
    userfaultfd_rwp,
    userfaultfd_wp,
    vma_has_uffd_without_event_remap,
)

_FS = "fs/userfaultfd.c"
_MM = "mm/userfaultfd.c"


@mirrors(_FS, "mm/userfaultfd.c")
def userfaultfd_set_vm_flags(ed: Edition, vma: Vma, flags: BV, minor: Bool = False,
                             rwp: Bool = False) -> Vma:
    """Set `flags`, and VM_UFFD_MINOR and VM_UFFD_RWP as `minor` and `rwp` have it; a shared mapping
    gets a new vm_page_prot when uffd-wp comes or goes.

    In mm/userfaultfd.c from 6.13 on and in 6.12.117.
    """
    new = replace(vma.with_flags(flags), minor=minor, uffd_rwp=rwp)
    uffd_wp_changed = has(vma.vm_flags ^ flags, VM_UFFD_WP)
    return ite(conj(ed.has("51d3d5eb74ff"), has(flags, VM_SHARED), uffd_wp_changed),
               vma_set_page_prot(ed, new), new)


@mirrors("include/linux/userfaultfd_k.h")
def vma_can_userfault(ed: Edition, vma: Vma, flags: BV, minor: bool = False) -> Bool:
    """Anonymous memory, shmem and hugetlb, the last two without write-protect mode before
    b1f9e8768618; with WP_ASYNC, whatever is to be write-protected and no more than that. Minor
    faults are for hugetlb, and since c949b097ef2e for shmem, private mappings of them too."""
    if vma.mapping.regular:
        return conj(ed.has("d61ea1cb0095"), vma.wp_async, not minor,
                    as_term(flags & word(VM_UFFD_FLAGS) == word(VM_UFFD_WP)))
    has_minor = conj(not vma.mapping.anonymous, ed.has("7677f7fd8be7"),
                     disj(vma.mapping.hugetlb, ed.has("c949b097ef2e")))
    return conj(
        disj(vma.mapping.anonymous, ed.has("b1f9e8768618"), negate(has(flags, VM_UFFD_WP))),
        disj(not minor, has_minor))


@mirrors(_FS)
def userfaultfd_register(ed: Edition, vma: Vma, mode: int) -> tuple[Vma, BV]:
    """UFFDIO_REGISTER with `mode` as VM_UFFD_* bits.

    EINVAL for memory that cannot be, EPERM without VM_MAYWRITE; since "register-ebusy" EBUSY where
    `mode` lacks the write-protect mode that the VMA has. A VMA that already has every mode asked
    for is left as it is. Minor mode asks for no feature of the userfaultfd.
    """
    flags, minor = mode & VM_UFFD_FLAGS, bool(mode & VM_UFFD_MINOR)
    denied = negate(has(vma.vm_flags, VM_MAYWRITE))
    unable = negate(vma_can_userfault(ed, vma, word(flags), minor))
    dropped = conj(ed.has("register-ebusy"), userfaultfd_wp(vma), not mode & VM_UFFD_WP)
    registered = conj(has_all(vma.vm_flags, flags), disj(userfaultfd_minor(vma), not minor))
    new = userfaultfd_set_vm_flags(
        ed, vma, set_bits(clear_bits(vma.vm_flags, VM_UFFD_FLAGS), flags), minor)
    return (ite(disj(unable, denied, dropped, registered), vma, new),
            ite(unable, outcome(Outcome.EINVAL),
                ite(denied, outcome(Outcome.EPERM),
                    ite(dropped, outcome(Outcome.EBUSY), outcome(Outcome.ok)))))


def register_beside_rwp(ed: Edition, vma: Vma, mode: int) -> tuple[Vma, BV]:
    """userfaultfd_register() without mode RWP: EBUSY where the VMA has it, and could have this."""
    new, result = userfaultfd_register(ed, vma, mode)
    able = vma_can_userfault(ed, vma, word(mode & VM_UFFD_FLAGS), bool(mode & VM_UFFD_MINOR))
    kept = conj(userfaultfd_rwp(vma), able)
    return ite(kept, vma, new), ite(kept, outcome(Outcome.EBUSY), result)


def register_rwp(ed: Edition, vma: Vma) -> tuple[Vma, BV]:
    """userfaultfd_register() with mode RWP alone: before "rwp" there is no such mode, and it takes
    the feature, memory that may be accessed, and no write-protect mode that it would take away."""
    able = conj(ed.has("rwp"), vma.rwp, has(vma.vm_flags, VM_ACCESS_FLAGS),
                vma_can_userfault(ed, vma, word(0)))
    denied = negate(has(vma.vm_flags, VM_MAYWRITE))
    dropped = userfaultfd_wp(vma)
    new = userfaultfd_set_vm_flags(ed, vma, clear_bits(vma.vm_flags, VM_UFFD_FLAGS), rwp=True)
    refused = disj(negate(able), denied, dropped)
    return (ite(disj(refused, userfaultfd_rwp(vma)), vma, new),
            ite(able, ite(denied, outcome(Outcome.EPERM),
                          ite(dropped, outcome(Outcome.EBUSY), outcome(Outcome.ok))),
                outcome(Outcome.EINVAL)))


@mirrors(_MM)
def userfaultfd_register_range(ed: Edition, vma: Vma, entry: Entry, mode: int) -> Entry:
    """What UFFDIO_REGISTER, where it succeeds, does to the entries: nothing, not even where `mode`
    takes write-protect mode away. (6.1: the loop in userfaultfd_register.)"""
    return entry


@mirrors(_FS)
def userfaultfd_unregister(ed: Edition, vma: Vma, entry: Entry,
                           other: bool = False) -> tuple[Vma, Entry, BV]:
    """UFFDIO_UNREGISTER (6.12: its core is userfaultfd_clear_vma). Succeeds on a VMA that is not
    registered, if it could be. The entries are un-protected while the VMA still has VM_UFFD_WP or
    VM_UFFD_RWP.
    `other`: asked of a userfaultfd, without WP_ASYNC, that has not registered the VMA, which since
    "unregister-owner" is EINVAL where another has."""
    armed = userfaultfd_armed(vma)
    resolved = ite(conj(ed.has("f369b07c8614"), userfaultfd_wp(vma)),
                   uffd_wp_range(ed, vma, entry, False), entry)
    resolved = ite(userfaultfd_rwp(vma), uffd_rwp_range(ed, vma, entry, False), resolved)
    new = userfaultfd_set_vm_flags(ed, vma, clear_bits(vma.vm_flags, VM_UFFD_FLAGS))
    able = vma_can_userfault(ed, vma, vma.vm_flags)
    if other:
        owned = conj(ed.has("unregister-owner"), armed)
        able = conj(vma_can_userfault(ed, replace(vma, wp_async=False), vma.vm_flags),
                    negate(owned))
    cleared = conj(able, armed)
    return (ite(cleared, new, vma), ite(cleared, resolved, entry),
            ite(able, outcome(Outcome.ok), outcome(Outcome.EINVAL)))


@mirrors(_FS)
def userfaultfd_release(ed: Edition, vma: Vma, entry: Entry) -> tuple[Vma, Entry]:
    """The last close of the userfaultfd: as unregister of all that it has (6.12:
    userfaultfd_release_all); without c88033efe9a3 the entries stay protected."""
    resolved = ite(conj(ed.has("c88033efe9a3"), userfaultfd_wp(vma)),
                   uffd_wp_range(ed, vma, entry, False), entry)
    resolved = ite(userfaultfd_rwp(vma), uffd_rwp_range(ed, vma, entry, False), resolved)
    new = userfaultfd_set_vm_flags(ed, vma, clear_bits(vma.vm_flags, VM_UFFD_FLAGS))
    return ite(userfaultfd_armed(vma), new, vma), resolved


@mirrors(_FS)
def mremap_userfaultfd_prep(ed: Edition, vma: Vma) -> Vma:
    """The mapping's new place: without UFFD_FEATURE_EVENT_REMAP it is not registered."""
    new = userfaultfd_set_vm_flags(ed, vma, clear_bits(vma.vm_flags, VM_UFFD_FLAGS))
    return ite(vma_has_uffd_without_event_remap(ed, vma), new, vma)


@mirrors(_FS)
def dup_userfaultfd(ed: Edition, vma: Vma) -> Vma:
    """fork(2), of the child's VMA: without UFFD_FEATURE_EVENT_FORK it is not registered, with it in
    the same modes, with a userfaultfd of the child's that has the same features."""
    new = userfaultfd_set_vm_flags(ed, vma, clear_bits(vma.vm_flags, VM_UFFD_FLAGS))
    return ite(conj(userfaultfd_armed(vma), negate(vma.events)), new, vma)


@mirrors(_FS)
def new_userfaultfd(ed: Edition, user_mode_only: bool) -> Bool:
    """userfaultfd(2): whether it takes the flag UFFD_USER_MODE_ONLY, with which a fault that the
    kernel takes is VM_FAULT_SIGBUS: so is every one with UFFD_FEATURE_SIGBUS (handle_userfault)."""
    return disj(not user_mode_only, ed.has("37cd0575b851"))


@mirrors(_FS)
def userfaultfd_api(ed: Edition, asked: Bool, known: Bool) -> Bool:
    """UFFDIO_API: whether it succeeds, for a feature that is asked for and one that the kernel
    knows. From 914eedcb9ba0 until its revert, what it does not know is asked for in vain."""
    ignored = conj(ed.has("914eedcb9ba0"), negate(ed.has("2ff559f31a5d")))
    return disj(negate(asked), known, ignored)


@mirrors(_MM)
def uffd_wp_range(ed: Edition, vma: Vma, entry: Entry, enable_wp: bool) -> Entry:
    """Protect or un-protect. The patch 931298e103c2 is all in here.

    Before it the protection came straight from vm_flags, as if nothing but uffd-wp wanted write
    notification; since then it is the VMA's own, and un-protecting may ask for a write upgrade.
    """
    patched = ed.has("931298e103c2")
    flags = clear_bits(vma.vm_flags, VM_WRITE) if enable_wp else vma.vm_flags
    newprot = ite(patched, vma.vm_page_prot, vm_get_page_prot(ed, flags))
    upgrade = conj(patched, not enable_wp, _try_change_writable(ed, vma))
    cp = CpFlags(upgrade, uffd_wp=enable_wp, uffd_wp_resolve=not enable_wp)
    return change_protection(ed, vma, entry, newprot, cp)


def _try_change_writable(ed: Edition, vma: Vma) -> Bool:
    """The code's condition, or that of the two readings of the patch's message."""
    asked = ite(ed.has("as-described"), has(vma.vm_flags, VM_WRITE),
                vma_wants_manual_pte_write_upgrade(ed, vma))
    return conj(negate(ed.has("no-try")), asked)


@mirrors(_MM, ":__mcopy_atomic")
def mfill_atomic(ed: Edition, vma: Vma, entry: Entry, wp: bool,
                 zeropage: bool = False, poison: bool = False) -> tuple[Vma, Entry, BV]:
    """UFFDIO_COPY with or without MODE_WP, UFFDIO_ZEROPAGE or UFFDIO_POISON: ENOENT where the VMA
    is not registered, EINVAL where MODE_WP is asked for without write-protect mode and for zeroes
    of hugetlb memory, EEXIST where there is a page already. A private VMA gets its anon_vma before
    that, and since 867a43a34ff8 before anything is asked of it."""
    before, entry = entry, mfill_establish_pmd(ed, vma, entry)
    filled = (hugetlb_mfill_atomic_pte if vma.mapping.hugetlb else mfill_atomic_install_pte)(
        ed, vma, entry, wp)
    refused = disj(conj(wp, negate(userfaultfd_wp(vma))), vma.mapping.regular,
                   zeropage and vma.mapping.hugetlb)
    exists = disj(negate(pte_none_mostly(ed, entry.pte)), conj(vma.mapping.shared, entry.in_cache),
                  conj(ed.has("copy-marker"), entry.guard))
    if zeropage and not vma.mapping.shared:
        filled = mfill_atomic_pte_zeropage(ed, vma, entry)
    elif poison:
        filled = mfill_atomic_pte_poison(ed, entry)
    if poison or (zeropage and not vma.mapping.shared):
        exists = negate(pte_none(entry.pte))
    result = ite(negate(userfaultfd_armed(vma)), outcome(Outcome.ENOENT),
                 ite(refused, outcome(Outcome.EINVAL),
                     ite(exists, outcome(Outcome.EEXIST), outcome(Outcome.ok))))
    prepared = conj(not vma.mapping.shared, disj(ed.has("867a43a34ff8"),
                                                 conj(userfaultfd_armed(vma), negate(refused))))
    left = ite(disj(negate(userfaultfd_armed(vma)), refused), before, entry)
    return (replace(vma, anon_vma=disj(vma.anon_vma, prepared)),
            ite(as_term(result == outcome(Outcome.ok)), filled, left), result)


@mirrors(_MM, ":mfill_atomic", ":__mcopy_atomic")
def mfill_establish_pmd(_ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """A page table is made where none is, whatever comes of it; a PMD that maps a huge page stays,
    which is EEXIST."""
    if not vma.mapping.thp:
        return entry
    made = replace(entry, huge=False, no_tables=False)
    return ite(conj(entry.huge, pte_none(entry.pte)), made, entry)


@mirrors(_MM)
def mfill_atomic_install_pte(ed: Edition, vma: Vma, entry: Entry, wp: bool,
                             cached: bool = False) -> Entry:
    """A new page, dirty and soft-dirty: the file's in a shared mapping, else an anonymous one; or
    the page of the file that the page cache has (`cached`), read-only in a private mapping.
    Before 0e88904cb700 it was protected only where the VMA may be written to."""
    dirty = pte_mkdirty(ed, mk_pte(ed, vma))
    of_file = vma.mapping.shared or cached
    may_write = conj(has(vma.vm_flags, VM_WRITE), vma.mapping.shared or not cached)
    since = ite(may_write, pte_mkwrite(ed, dirty), dirty)
    if wp:
        since = pte_mkuffd_wp(ed, since)
        protected = pte_wrprotect(ed, pte_mkuffd_wp(ed, dirty))
        before = ite(disj(ed.has("0e88904cb700"), may_write), protected, dirty)
    else:
        before = ite(may_write, pte_mkwrite(ed, dirty), pte_wrprotect(ed, dirty))
    pte = ite(ed.has("f1eb1bacfba9"), since, before)
    small = conj(vma.mapping.thp, disj(not cached, entry.cache_small))
    return (replace(entry.mapping_cache(pte, dirty=False), cache_small=small) if of_file
            else entry.mapping_anon(pte))


@mirrors(_MM, ":mfill_zeropage_pte")
def mfill_atomic_pte_zeropage(ed: Edition, vma: Vma, entry: Entry) -> Entry:
    """The zero page in a private mapping, of a file too, as vm_page_prot says: not accessed before.
    A shared one gets a page of zeroes as if it were copied in."""
    return replace(entry.unmapped(pte_mkspecial(mk_pte(ed, vma))), zero_page=True)


@mirrors(_MM, "mm/hugetlb.c:hugetlb_mfill_atomic_pte", "include/linux/swapops.h:make_pte_marker")
def mfill_atomic_pte_poison(ed: Edition, entry: Entry) -> Entry:
    """A marker, in an empty entry alone."""
    return replace(entry.unmapped(make_poison_marker(ed)), poison=True)


@mirrors(_FS, "mm/userfaultfd.c")
def userfaultfd_poison(ed: Edition, vma: Vma, entry: Entry) -> tuple[Vma, Entry, BV]:
    """UFFDIO_POISON. Before fc71884a5f59 there is no such ioctl: EINVAL."""
    prepared, filled, result = mfill_atomic(ed, vma, entry, False, poison=True)
    known = ed.has("fc71884a5f59")
    return (ite(known, prepared, vma), ite(known, filled, entry),
            ite(known, result, outcome(Outcome.EINVAL)))


@mirrors(_MM, ":mcontinue_atomic_pte")
def mfill_atomic_pte_continue(ed: Edition, vma: Vma, entry: Entry,
                              wp: bool) -> tuple[Entry, BV]:
    """The page that the page cache has is mapped: EFAULT where it has none, EEXIST where the entry
    maps a page, or since "copy-marker" is a guard marker. One that is swapped out is read back
    before that is asked. hugetlb does so too (hugetlb_mfill_atomic_pte); of private hugetlb memory
    as it is here the page cache has nothing."""
    entry = mfill_establish_pmd(ed, vma, entry)
    found = replace(entry, cache_swapped=False)
    exists = disj(negate(pte_none_mostly(ed, entry.pte)), conj(ed.has("copy-marker"), entry.guard))
    filled = (hugetlb_mfill_atomic_pte(ed, vma, found, wp) if vma.mapping.hugetlb
              else mfill_atomic_install_pte(ed, vma, found, wp, cached=True))
    lacking = conj(negate(entry.in_cache), negate(entry.huge))
    return (ite(entry.in_cache, ite(exists, found, filled), entry),
            ite(lacking, outcome(Outcome.EFAULT),
                ite(exists, outcome(Outcome.EEXIST), outcome(Outcome.ok))))


@mirrors(_FS, "mm/userfaultfd.c")
def userfaultfd_continue(ed: Edition, vma: Vma, entry: Entry,
                         wp: bool) -> tuple[Vma, Entry, BV]:
    """UFFDIO_CONTINUE, with or without MODE_WP (since 0289184476c8), of memory that is registered
    in whatever mode: EINVAL where there is no such ioctl or mode, for MODE_WP without
    write-protect mode, and for what is neither hugetlb nor, since 153132571f02, shmem. A private
    VMA gets its anon_vma as in mfill_atomic()."""
    known = conj(ed.has("f619147104c8"), disj(not wp, ed.has("0289184476c8")))
    armed = userfaultfd_armed(vma)
    able = conj(not vma.mapping.anonymous, not vma.mapping.regular,
                disj(vma.mapping.hugetlb, ed.has("153132571f02")),
                disj(not wp, userfaultfd_wp(vma)))
    filled, result = mfill_atomic_pte_continue(ed, vma, entry, wp)
    tried = conj(known, armed, able)
    prepared = conj(not vma.mapping.shared, known, disj(ed.has("867a43a34ff8"), conj(armed, able)))
    return (replace(vma, anon_vma=disj(vma.anon_vma, prepared)), ite(tried, filled, entry),
            ite(negate(known), outcome(Outcome.EINVAL),
                ite(negate(armed), outcome(Outcome.ENOENT),
                    ite(negate(able), outcome(Outcome.EINVAL), result))))


@mirrors(_MM)
def mwriteprotect_range(ed: Edition, vma: Vma, entry: Entry, enable_wp: bool,
                        other: bool = False) -> tuple[Entry, BV]:
    """UFFDIO_WRITEPROTECT with or without MODE_WP; ENOENT where the VMA is not registered. Whether
    it was by an `other` userfaultfd is not asked."""
    registered = userfaultfd_wp(vma)
    changed = uffd_wp_range(ed, vma, entry, enable_wp)
    return (ite(registered, changed, entry),
            ite(registered, outcome(Outcome.ok), outcome(Outcome.ENOENT)))


def uffd_rwp_range(ed: Edition, vma: Vma, entry: Entry, enable_rwp: bool) -> Entry:
    """Read-write protect or un-protect: the part of mrwprotect_range() and userfaultfd_clear_vma()
    that calls change_protection()."""
    upgrade = conj(not enable_rwp, vma_wants_manual_pte_write_upgrade(ed, vma))
    cp = CpFlags(upgrade, uffd_rwp=enable_rwp, uffd_rwp_resolve=not enable_rwp)
    return change_protection(ed, vma, entry, vma.vm_page_prot, cp)


@mirrors(_MM)
def mrwprotect_range(ed: Edition, vma: Vma, entry: Entry, enable_rwp: bool) -> tuple[Entry, BV]:
    """UFFDIO_RWPROTECT with or without MODE_RWP; ENOENT where the VMA is not registered for it."""
    registered = userfaultfd_rwp(vma)
    changed = uffd_rwp_range(ed, vma, entry, enable_rwp)
    return (ite(registered, changed, entry),
            ite(registered, outcome(Outcome.ok), outcome(Outcome.ENOENT)))


@mirrors(_MM)
def userfaultfd_rwprotect(ed: Edition, vma: Vma, entry: Entry,
                          mode_rwp: bool) -> tuple[Entry, BV]:
    """UFFDIO_RWPROTECT. Before "rwp" there is no such ioctl: EINVAL."""
    changed, result = mrwprotect_range(ed, vma, entry, mode_rwp)
    known = ed.has("rwp")
    return ite(known, changed, entry), ite(known, result, outcome(Outcome.EINVAL))
