"""Bit tables of x86-64: the only place where a bit has a number.

Sources: include/linux/mm.h (vm_flags), arch/x86/include/asm/pgtable_types.h (PTE),
arch/x86/include/asm/pgtable_64.h and include/linux/swapops.h (entries that are not present);
the same in 6.1.192, 6.12.117, 7.2.12 and 7.3.4 unless a line says otherwise. 7.3 calls the bits
_PAGE_UFFD, pte_uffd() and so on that were named after uffd-wp, because mode RWP has them too. New
there are VM_MAYBE_GUARD (11), VM_UFFD_RWP (43) and the guard marker (bit 2); VM_UFFD_MINOR and
VM_SEALED are 41 and 42. No vm_flags here has any of these bits: VM_MAYBE_GUARD, VM_UFFD_MINOR and
VM_UFFD_RWP are facts of a VMA by themselves (records.py), for systems that do without them.

A present PTE, as this model uses it (the frame number, bits 12 to 51, is left 0, and
model/system/asking/frames.py proves that nothing depends on it)::

     63  62..59    58           57      11    10     9        8       6   5   2   1   0
     NX  pkey   SAVED_DIRTY  DEVMAP    SOFT  UFFD  SPECIAL  PROT    DIRTY A USER RW  P
                (6.6+; DEVMAP          DIRTY  WP           NONE/G
                 before; no entry here has it, and 7.2 does not know it)
"""

from __future__ import annotations

# vm_flags
VM_READ = 1 << 0
VM_WRITE = 1 << 1
VM_EXEC = 1 << 2
VM_SHARED = 1 << 3
VM_MAYREAD = 1 << 4
VM_MAYWRITE = 1 << 5
VM_MAYEXEC = 1 << 6
VM_MAYSHARE = 1 << 7
VM_UFFD_MISSING = 1 << 9
VM_UFFD_WP = 1 << 12
VM_SOFTDIRTY = 1 << 27
VM_UFFD_MINOR = 1 << 41
"""Where it is since 6.13; bit 37 in 6.1, 38 in 6.12. A mode to register for, and the name of
`Vma.minor`, which stands for it wherever it is: no vm_flags here has the bit."""
VM_UFFD_RWP = 1 << 43
"""The name of `Vma.uffd_rwp`, likewise."""
VM_ACCESS_FLAGS = VM_READ | VM_WRITE | VM_EXEC
VM_UFFD_FLAGS = VM_UFFD_MISSING | VM_UFFD_WP
VM_MAY_SHIFT = 4
"""VM_MAYREAD and its like stand four bits above VM_READ and its like."""

# PTE
PAGE_PRESENT = 1 << 0
PAGE_RW = 1 << 1
PAGE_USER = 1 << 2
PAGE_PWT = 1 << 3
PAGE_PCD = 1 << 4
PAGE_ACCESSED = 1 << 5
PAGE_DIRTY = 1 << 6
PAGE_PAT = 1 << 7
PAGE_PSE = 1 << 7
"""In an entry that maps a huge page; the same bit as PAGE_PAT."""
PAGE_PROTNONE = 1 << 8
PAGE_SPECIAL = 1 << 9
PAGE_UFFD_WP = 1 << 10
PAGE_SOFT_DIRTY = 1 << 11
PAGE_SAVED_DIRTY = 1 << 58
PAGE_DEVMAP = 1 << 57
PAGE_DEVMAP_BEFORE_SAVED_DIRTY = 1 << 58
PAGE_NX = 1 << 63
PTE_PFN_MASK = ((1 << 52) - 1) & ~((1 << 12) - 1)
PTE_KNL_ERRATUM = PAGE_DIRTY | PAGE_ACCESSED
"""Bits that stray into an empty entry on some CPUs: pte_none() does not look at them."""

# pgprots (arch/x86/include/asm/pgtable_types.h: PAGE_NONE ... PAGE_SHARED_EXEC)
PROT_NONE_PGPROT = PAGE_PROTNONE | PAGE_ACCESSED
PROT_READONLY_EXEC = PAGE_PRESENT | PAGE_USER | PAGE_ACCESSED
PROT_READONLY = PROT_READONLY_EXEC | PAGE_NX
PROT_COPY = PROT_READONLY
PROT_COPY_EXEC = PROT_READONLY_EXEC
PROT_SHARED_EXEC = PROT_READONLY_EXEC | PAGE_RW
PROT_SHARED = PROT_SHARED_EXEC | PAGE_NX

# entries that are not present
SWP_SOFT_DIRTY = 1 << 1
SWP_UFFD_WP = 1 << 2
SWP_EXCLUSIVE = 1 << 3
SWP_TYPE_SHIFT = 59
SWP_TYPE_MASK = 31 << SWP_TYPE_SHIFT
SWP_OFFSET_SHIFT = 9
SWP_OFFSET_MASK = (1 << SWP_TYPE_SHIFT) - (1 << SWP_OFFSET_SHIFT)
"""The offset is stored inverted."""
SWP_SLOT_OFFSET = 1
"""The swap slot of the one page, in the first swap area (type 0)."""
SWP_MIGRATION_READ_6_1 = 27
SWP_MIGRATION_READ = 28
"""SWP_MIGRATION_READ_EXCLUSIVE and SWP_MIGRATION_WRITE come next."""
SWP_MIG_DIRTY = 1 << 41
"""In the offset of a migration entry, above the frame number (swapops.h: SWP_MIG_DIRTY_BIT)."""
SWP_PTE_MARKER_6_1 = 30
SWP_PTE_MARKER = 31
PTE_MARKER_UFFD_WP = 1 << 0
PTE_MARKER_POISONED = 1 << 1
PTE_MARKER_GUARD = 1 << 2

VMFLAG_LETTERS = {
    VM_READ: "rd", VM_WRITE: "wr", VM_SHARED: "sh", VM_MAYWRITE: "mw",
    VM_UFFD_WP: "uw", VM_UFFD_MISSING: "um", VM_SOFTDIRTY: "sd",
}
"""The letters of smaps VmFlags that the tool reports (fs/proc/task_mmu.c: show_smap_vma_flags)."""

VM_FLAG_NAMES = {value: name for name, value in list(globals().items())
                 if name.startswith("VM_") and isinstance(value, int)
                 and value and value & (value - 1) == 0 and name != "VM_MAY_SHIFT"}
PTE_FLAG_NAMES = {
    PAGE_PRESENT: "P", PAGE_RW: "RW", PAGE_USER: "US", PAGE_PWT: "PWT", PAGE_PCD: "PCD",
    PAGE_ACCESSED: "A", PAGE_DIRTY: "D", PAGE_PAT: "PAT", PAGE_PROTNONE: "PROTNONE",
    PAGE_SPECIAL: "SPECIAL", PAGE_UFFD_WP: "UFFD_WP", PAGE_SOFT_DIRTY: "SOFT_DIRTY",
    PAGE_NX: "NX",
}
"""Names of the PTE bits that mean the same in every edition (bit 57 and 58 do not)."""
