"""The C that the compiler would see of the kernel files that matter, in one configuration.

The files are put together in the order in which they include one another, without their #include
lines, and go through the C preprocessor once.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence

from model.kernel.editions import UsageError
from model.processes import group
from model.source.names import definitions_for

CONFIG = (
    "64BIT", "PHYS_ADDR_T_64BIT", "X86_64", "X86_5LEVEL", "MMU", "SMP", "SWAP", "MIGRATION",
    "MEMORY_FAILURE", "MEM_SOFT_DIRTY", "HAVE_ARCH_SOFT_DIRTY", "USERFAULTFD",
    "HAVE_ARCH_USERFAULTFD_WP", "HAVE_ARCH_USERFAULTFD_MINOR", "PTE_MARKER", "PTE_MARKER_UFFD_WP",
    "NUMA_BALANCING", "HUGETLB_PAGE", "TRANSPARENT_HUGEPAGE", "ARCH_ENABLE_THP_MIGRATION",
    "ARCH_HAS_PTE_SPECIAL", "ARCH_USES_HIGH_VMA_FLAGS", "ARCH_HAS_PKEYS",
    "X86_INTEL_MEMORY_PROTECTION_KEYS", "X86_USER_SHADOW_STACK", "ARCH_HAS_VM_GET_PAGE_PROT",
    "SHMEM", "TMPFS", "HAVE_GUP_FAST", "HAVE_FAST_GUP", "SPARSEMEM", "SPARSEMEM_VMEMMAP",
    "ARCH_HAS_PTE_PROTNONE",
    "ARCH_HAS_PMD_SOFTLEAVES", "USERFAULTFD_RWP", "PROC_PAGE_MONITOR", "KSM",
    "PGTABLE_HAS_HUGE_LEAVES",
)
"""The options that are y: of Debian's, in any release, those that matter, without PARAVIRT_XXL,
AMD_MEM_ENCRYPT and DEVICE_PRIVATE. What stands under another counts as compiled out."""

_PRELUDE = """
#define likely(x) (x)
#define unlikely(x) (x)
#define READ_ONCE(x) (x)
#define WRITE_ONCE(x, v) ((x) = (v))
#define WARN_ON_ONCE(x) (!!(x))
#define BUILD_BUG_ON(x)
#define VM_BUG_ON(x)
#define VM_WARN_ON(x)
#define VM_WARN_ON_ONCE(x)
#define EXPORT_SYMBOL(x)
#define EXPORT_SYMBOL_GPL(x)
#define __always_inline inline
#define CONFIG_PAGE_SHIFT 12
#define CONFIG_PGTABLE_LEVELS 5
#define BITS_PER_LONG 64
#define __vm_flags vm_flags
#define ACCESS_PRIVATE(p, member) ((p)->member)
#define BITS_TO_LONGS(bits) (((bits) + 63) / 64)
#define IN_A_WORD(fits, c) ((fits) ? (c) : bitmap_of_more_than_one_word())
#define test_bit(n, map) IN_A_WORD((n) < 64, *(map) >> (n) & 1)
#define __set_bit(n, map) IN_A_WORD((n) < 64, *(map) |= 1UL << (n))
#define bitmap_zero(to, bits) IN_A_WORD((bits) == 64, *(to) = 0)
#define bitmap_and(to, a, b, bits) IN_A_WORD((bits) == 64, *(to) = *(a) & *(b))
#define bitmap_andnot(to, a, b, bits) IN_A_WORD((bits) == 64, *(to) = *(a) & ~*(b))
#define bitmap_or(to, a, b, bits) IN_A_WORD((bits) == 64, *(to) = *(a) | *(b))
#define bitmap_xor(to, a, b, bits) IN_A_WORD((bits) == 64, *(to) = *(a) ^ *(b))
#define bitmap_empty(a, bits) IN_A_WORD((bits) == 64, !*(a))
#define bitmap_equal(a, b, bits) IN_A_WORD((bits) == 64, *(a) == *(b))
#define bitmap_subset(a, b, bits) IN_A_WORD((bits) == 64, !(*(a) & ~*(b)))
#define bitmap_intersects(a, b, bits) IN_A_WORD((bits) == 64, !!(*(a) & *(b)))
"""
"""What compilers, debugging headers and libraries define. A check that only warns has no effect. A
bitmap is read where it is one word."""
_ATTRIBUTES = ("__ro_after_init", "__init", "__meminit", "__must_check", "__read_mostly", "__pure",
               "noinline", "__always_unused", "__maybe_unused", "notrace", "asmlinkage", "__user",
               "__force", "__rcu", "__iomem", "__bitwise")
"""Annotations, which change nothing here."""

HEADERS = (
    "include/linux/kconfig.h", "include/linux/args.h", "include/linux/types.h",
    "include/uapi/linux/const.h", "include/vdso/const.h", "include/vdso/bits.h",
    "include/vdso/page.h", "include/linux/align.h",
    "arch/x86/include/asm/page_types.h", "arch/x86/include/asm/page_64_types.h",
    "arch/x86/include/asm/sparsemem.h", "arch/x86/include/asm/pgtable_64_types.h",
    "arch/x86/include/asm/pgtable_types.h", "include/linux/mm_types.h",
    "arch/x86/include/asm/mem_encrypt.h", "include/linux/mem_encrypt.h",
    "arch/x86/include/asm/pgtable.h", "arch/x86/include/asm/pgtable_64.h",
    "arch/x86/include/asm/pgtable-invert.h", "include/asm-generic/pgtable_uffd.h",
    "include/linux/pgtable.h", "include/linux/mm.h",
    "include/linux/xarray.h", "include/linux/radix-tree.h", "include/linux/swap.h",
    "include/linux/swapops.h", "include/linux/leafops.h", "include/uapi/linux/userfaultfd.h",
    "include/linux/userfaultfd_k.h", "include/linux/huge_mm.h", "include/linux/hugetlb_inline.h",
    "include/linux/hugetlb.h", "arch/x86/include/asm/trap_pf.h",
    "arch/x86/include/asm/hugetlb.h", "include/asm-generic/hugetlb.h", "mm/internal.h",
)
SOURCES = ("arch/x86/mm/pgprot.c", "arch/x86/mm/pgtable.c", "mm/vma.h", "mm/vma.c", "mm/mmap.c",
           "mm/mprotect.c", "mm/huge_memory.c", "mm/mremap.c", "mm/hugetlb.c", "mm/userfaultfd.c",
           "fs/userfaultfd.c", "mm/shmem.c", "arch/x86/mm/fault.c")


def preprocess(read: Callable[[str], str | None], more: Sequence[str] = ()) -> str:
    """The C of all the files that `read` has, with marks that say where each line stands, and after
    them the lines `more`, which may call by its old name what has a newer one.

    Raises UsageError without a C preprocessor, or where it fails.
    """
    gcc = shutil.which("gcc")
    if gcc is None:
        raise UsageError("no gcc to read the tree's C with: apt-get install gcc, or --digests for "
                         "digests alone")
    parts = [_PRELUDE, *(f"#define {name}" for name in _ATTRIBUTES),
             *(f"#define CONFIG_{name} 1" for name in CONFIG)]
    texts = {path: text for path in (*HEADERS, *SOURCES) if (text := read(path)) is not None}
    for path, text in texts.items():
        parts += [f'#line 1 "{path}"', re.sub(r"(?m)^[ \t]*#[ \t]*include\b.*$", "", text)]
    parts += ['#line 1 "the table of correspondences"', *definitions_for(texts), *more, ""]
    done = subprocess.run([gcc, "-E", "-undef", "-nostdinc", "-w", "-D__KERNEL__", "-D__x86_64__",
                           "-x", "c", "-"], input="\n".join(parts), capture_output=True, text=True,
                          check=False, process_group=group())
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error" in line), "gcc failed")
        raise UsageError(f"the tree cannot be read as C: {said}; --digests compares digests alone")
    return done.stdout
