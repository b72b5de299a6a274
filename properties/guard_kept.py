"""The promise that allocators and stacks live on whose guard pages are marked, not mapped."""

from model.system.actions.operations import KERNEL_LOADS, KERNEL_STORES
from model.system.asking.language import Bool, Edition, Mapping, Outcome, conj, implies
from model.system.asking.step_view import StepView
from properties.base import GUARDED, Property, Violated

FILLED = ("pte_none_mostly() takes any marker for an empty entry: what a userfaultfd fills takes "
          "the place of a guard region")


def _speaks_of(edition: Edition, mapping: Mapping) -> bool:
    return (edition.has("662df3e5c376" if mapping.anonymous else "f807123d578d") is True
            and edition.has("662df3e5c376") is True
            and not mapping.hugetlb and not mapping.thp)


def _ended(t: StepView) -> Bool:
    by_kernel = t.op(*KERNEL_STORES, *KERNEL_LOADS)
    return conj(implies(t.op("store", "load"), t.ended(Outcome.segv)),
                implies(by_kernel, t.ended(Outcome.EFAULT)))


PROPERTY = Property(
    name="guard-kept",
    claim="After `guard` returned, every access by way of the mapping ends with SIGSEGV, one by "
          "the kernel with EFAULT, until `unguard`, or munmap(2).",
    origin="madvise(2), MADV_GUARD_INSTALL: guard regions stay over MADV_DONTNEED and MADV_FREE, "
           "mprotect, mremap and fork",
    allowed=lambda t: implies(t.before.history.guarded, _ended(t)),
    witness=lambda t: conj(t.op("store"), t.before.history.guarded),
    about=("guard", "unguard"),
    follows=("guarded",),
    speaks_of=_speaks_of,
    memory="memory that can have guard regions (v6.13, of files v6.15), as small pages",
    violated=(
        Violated("anon", ("+662df3e5c376", "-copy-marker"), FILLED, by="copy copy:wp"),
        Violated("shmem private-shmem", (*GUARDED, "-copy-marker"), FILLED,
                 by="copy copy:wp continue continue:wp"),
        Violated("shmem", (*GUARDED, "-copy-marker"), FILLED, by="zeropage"),
    ),
)
