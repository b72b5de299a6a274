"""Who is told that a call has failed must know what there is now."""

from model.system.asking.language import Bool, implies, negate
from model.system.asking.pages_view import PagesStep
from properties.base import Among, Property, Violated, nowhere

_CALLS = ("register", "register:missing", "register:wp+missing", "unregister", "wp", "unwp",
          "mprotect:none", "mprotect:r", "mprotect:rw", "mprotect:w", "mprotect:rx",
          "mprotect:rwx", "mmap", "munmap", "mremap", "open", "close")
"""Not madvise(2), of which it is documented that it does the rest of what it cannot do whole."""
_SEVERAL = "anon shmem private-shmem"


def _kept(t: PagesStep) -> Bool:
    return implies(t.op(*_CALLS), implies(negate(t.ok), t.nothing_changed))


PROPERTY = Property(
    name="call-atomic",
    claim="A call that fails has changed nothing.",
    origin="ioctl_userfaultfd(2), mprotect(2): what a call has done before it fails is not told",
    witness=lambda _: False,
    among=Among(allowed=_kept, witness=lambda t: negate(t.ok)),
    violated=(
        Violated(_SEVERAL, ("+a1b92a3f1498",), "mwriteprotect_range() goes over one VMA after the "
                 "other, and ends with ENOENT at the first that is not registered: those before "
                 "it have been changed, and the caller is not told", parts=2, by="wp unwp"),
        Violated(_SEVERAL, (), "do_mprotect_pkey() goes over one VMA after the other, and ends "
                 "with ENOMEM where there is none: those before it have been changed, and the "
                 "caller is not told", parts=2, by="munmap"),
        Violated(_SEVERAL, ("+remap-move",), "remap_move() moves one VMA after the other until "
                 "one cannot be moved, and says EFAULT: those before it are elsewhere",
                 parts=2, by="mremap"),
    ),
    speaks_of=nowhere,
    memory="several pages: anon:2",
)
