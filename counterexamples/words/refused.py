"""Why a call was refused."""

from __future__ import annotations

from counterexamples.trace import Trace
from model.kernel.bits import VM_EXEC, VM_READ, VM_WRITE
from model.system.actions.operations import KERNEL_LOADS, KERNEL_STORES
from model.system.state.mappings import MAPPINGS

_UNREGISTERED = "the mapping is not registered in write-protect mode"
_NOT_RW = "the mapping is not registered in mode RWP"
_NO_RWP = "UFFDIO_RWPROTECT is of v7.3"
_ACCESS = VM_READ | VM_WRITE | VM_EXEC
_REASONS = {
    ("register", "EPERM"): "the mapping may never be writable",
    ("unregister", "EINVAL"): "a userfaultfd takes no regular file without WP_ASYNC",
    ("wp", "ENOENT"): _UNREGISTERED,
    ("unwp", "ENOENT"): _UNREGISTERED,
    ("other", "ENOENT"): _UNREGISTERED,
    ("other", "EINVAL"): "another userfaultfd has registered the mapping, or none can",
    ("rwp", "ENOENT"): _NOT_RW,
    ("unrwp", "ENOENT"): _NOT_RW,
    ("rwp", "EINVAL"): _NO_RWP,
    ("unrwp", "EINVAL"): _NO_RWP,
    ("register", "EBUSY"): "the mapping has a mode that this would take away",
    ("copy", "ENOENT"): "the mapping is not registered",
    ("copy", "EINVAL"): _UNREGISTERED,
    ("copy", "EEXIST"): "there is a page already",
    ("zeropage", "ENOENT"): "the mapping is not registered",
    ("zeropage", "EINVAL"): "a userfaultfd has zeroes for anonymous memory and shmem alone",
    ("zeropage", "EEXIST"): "there is a page already, or a marker",
    ("continue", "ENOENT"): "the mapping is not registered",
    ("continue", "EFAULT"): "the page cache has no page there",
    ("continue", "EEXIST"): "there is a page already, or a guard marker",
    ("poison", "ENOENT"): "the mapping is not registered",
    ("poison", "EEXIST"): "the entry is not empty",
    ("move", "ENOENT"): "there is no page to be moved",
    ("move", "EEXIST"): "the entry is not empty",
    ("move", "EBUSY"): "the page is pinned, or is or was another's too",
    ("move", "EFAULT"): "a marker is not moved",
    ("guard", "EINVAL"): "this memory can have no guard region, or this kernel has none",
    ("unguard", "EINVAL"): "this memory can have no guard region, or this kernel has none",
    ("open", "EINVAL"): "this kernel's userfaultfd has not the feature",
    ("scan", "EPERM"): "the mapping is not registered in write-protect mode with WP_ASYNC",
    ("scan", "ENOTTY"): "PAGEMAP_SCAN is of v6.7",
    ("free", "EINVAL"): "MADV_FREE is for anonymous memory alone",
    ("remove", "EINVAL"): "there is no file",
    ("remove", "EACCES"): "the mapping is private, or may not be written to",
    ("mremap", "EINVAL"): "MREMAP_DONTUNMAP takes no hugetlb memory, nor that of a file before "
                          "v5.13",
    ("mprotect", "EACCES"): "the mapping may never have that access",
    ("collapse", "EINVAL"): "this is not to become a huge page",
    ("collapse", "EBUSY"): "a page is missing, and a userfaultfd may wait for it",
    ("collapse", "EAGAIN"): "a page is pinned",
    **{(op, "EAGAIN"): "one of the pages behind it could not be filled"
       for op in ("copy", "zeropage", "continue", "poison")},
    ("pageout", "EINVAL"): "hugetlb memory is not reclaimed",
    ("swapoff", "EINTR"): "it would not end, and a signal ended it",
    ("pin", "EFAULT"): "a store there would not complete",
    ("pin", "EOPNOTSUPP"): "io_uring has no buffers in memory of a file (before v6.5)",
    **{(op, "EFAULT"): "a store there would end in an event or a signal" for op in KERNEL_STORES},
    **{(op, "EFAULT"): "a load there would end in an event or a signal" for op in KERNEL_LOADS},
    ("process_vm_readv", "EFAULT"): "the mapping has no PROT_READ, or a load there would end in an "
                                    "event",
}
"""By the operation (what stands before a colon) and the outcome."""


def refused(trace: Trace, number: int) -> str:
    """Why the step was refused, with an errno; empty where it was not."""
    step, mapping = trace.steps[number], MAPPINGS[trace.mapping]
    call = step.op.partition(":")[0]
    if step.outcome == "EBADF":
        return "no userfaultfd is open"
    if "minor" in step.op and step.outcome == "EINVAL":
        return "minor faults are of hugetlb (v5.13) and shmem (v5.14) alone"
    if (call, step.outcome) == ("continue", "EINVAL"):
        return _continued(trace, step.op)
    if (step.op, step.outcome) == ("register:rwp", "EINVAL"):
        return _no_rwp(trace, number)
    if (step.op, step.outcome) == ("open:user", "EINVAL"):
        return "UFFD_USER_MODE_ONLY is of v5.11"
    if (call, step.outcome) == ("register", "EINVAL"):
        if not mapping.regular:
            return "write-protect mode is for anonymous memory alone before b1f9e8768618 (v5.19)"
        if not trace.edition.has("d61ea1cb0095"):
            return "no userfaultfd takes a regular file before d61ea1cb0095 (v6.7)"
        if "missing" in step.op:
            return "a userfaultfd takes a regular file for write-protect mode alone"
        return "no write-protect mode on a regular file without WP_ASYNC"
    if (call, step.outcome) == ("poison", "EINVAL"):
        return ("no page of a regular file can be poisoned"
                if trace.edition.has("fc71884a5f59") else "UFFDIO_POISON is of v6.6")
    if (call, step.outcome) == ("move", "EINVAL"):
        return _unmoved(trace, number)
    if (call, step.outcome) == ("pin", "EFAULT") and mapping.regular and mapping.shared:
        return ("no long-term pin is for writing to the pages of a file on a disk"
                if trace.edition.has("8ac268436e6d") else _REASONS[call, step.outcome])
    if (call, step.outcome) == ("copy", "EINVAL") and mapping.regular:
        return "the pages of a regular file are read from the file alone"
    return _REASONS.get((call, step.outcome), "")


def _continued(trace: Trace, op: str) -> str:
    """Why UFFDIO_CONTINUE was EINVAL."""
    mapping = MAPPINGS[trace.mapping]
    if not trace.edition.has("f619147104c8"):
        return "UFFDIO_CONTINUE is of v5.13"
    if op == "continue:wp" and not trace.edition.has("0289184476c8"):
        return "UFFDIO_CONTINUE has a mode WP since v6.4"
    if mapping.anonymous or mapping.regular:
        return "UFFDIO_CONTINUE is for shmem and hugetlb alone"
    if not (mapping.hugetlb or trace.edition.has("153132571f02")):
        return "UFFDIO_CONTINUE takes shmem since v5.14"
    return _UNREGISTERED


def _unmoved(trace: Trace, number: int) -> str:
    """Why UFFDIO_MOVE was EINVAL."""
    if not trace.edition.has("adf505457032"):
        return "UFFDIO_MOVE is of v6.8"
    if not MAPPINGS[trace.mapping].anonymous:
        return "UFFDIO_MOVE is for private anonymous memory alone"
    flags = trace.steps[number - 1].values["vm_flags"]
    if flags & _ACCESS != VM_READ | VM_WRITE:
        return "both places must have the same access, and may be written to"
    return "the mapping is not registered"


def _no_rwp(trace: Trace, number: int) -> str:
    """Why mode RWP was refused."""
    if not trace.edition.has("rwp"):
        return "mode RWP is of v7.3"
    if MAPPINGS[trace.mapping].regular:
        return "a userfaultfd takes a regular file for write-protect mode alone"
    if not trace.steps[number - 1].values["rwp"]:
        return "the userfaultfd was opened without UFFD_FEATURE_RWP"
    return "the mapping has no access that could be protected"
