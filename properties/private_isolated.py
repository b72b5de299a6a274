"""What MAP_PRIVATE and MAP_SHARED mean, of stores."""

from model.system.actions.operations import ALIAS_STORES, STORES
from model.system.asking.language import Bool, conj, disj, implies, negate
from model.system.asking.step_view import StepView
from model.system.asking.view import View
from properties.base import Property, Violated
from properties.data_kept import MISTAKE, MISTAKEN

_COPY = "hugetlb_wp() gives a store to a read-only page of a shared mapping a copy of its own"


def _own(s: View) -> Bool:
    """What a store in place would change is the program's alone: an anonymous page that no child
    maps, and no other page was merged with."""
    e = s.entry
    return conj(e.anon, negate(disj(e.in_child, e.ksm, e.zero_page)))


def _copied(s: View) -> Bool:
    """The program has a copy of its own, in memory or in swap."""
    return disj(s.entry.anon, s.swapped)


def _file_untouched(t: StepView) -> Bool:
    """The page of the file may have been read, and is no more dirty than it was: what comes from
    swap is dirty."""
    return implies(t.after.entry.cache_dirty,
                   disj(t.before.entry.cache_dirty, t.before.entry.cache_swapped))


def _private(t: StepView) -> Bool:
    """A store, by the program, the kernel, a device or a child, is made to a page of its own, and
    never to that of the file; one to the file leaves a copy alone."""
    made = conj(t.op(*STORES), t.ok)
    device = conj(t.op("pin:write"), t.before.entry.pinned)
    return conj(
        implies(made, _own(t.after)),
        implies(device, _own(t.before)),
        implies(disj(made, device, t.op("fork:write")), _file_untouched(t)),
        implies(conj(t.op(*ALIAS_STORES, "fork:write"), _copied(t.before)), _copied(t.after)))


def _shared(t: StepView) -> Bool:
    """A store is made to the page of the file, which is what is mapped."""
    made = disj(conj(t.op(*STORES, *ALIAS_STORES), t.ok),
                conj(t.op("pin:write"), t.before.entry.pinned))
    return implies(made, conj(t.after.entry.in_cache,
                              implies(t.after.present, negate(_copied(t.after)))))


PROPERTY = Property(
    name="private-isolated",
    loses="data",
    claim="A store to private memory is made to a page that nobody else maps, never to the file's; "
          "a store to the file changes no private copy; and a store to shared memory is made to "
          "the page that all who map the file have.",
    origin="mmap(2): MAP_PRIVATE, updates are not visible to other processes mapping the same "
           "file, nor carried through to it; MAP_SHARED, they are",
    allowed=lambda t: (_shared if t.before.mapping.shared else _private)(t),
    witness=lambda t: conj(t.op("store"), t.ok, disj(
        t.before.mapping.shared, conj(t.before.present, negate(t.before.writable)))),
    violated=(
        Violated("hugetlb", ("-1d8d14641fd9",), _COPY),
        Violated("hugetlb", MISTAKEN, MISTAKE),
        Violated("hugetlb", MISTAKEN[:2], MISTAKE, by="remove"),
    ),
)
