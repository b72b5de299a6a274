"""MADV_FREE gives up memory of the process's own."""

from model.system.asking.language import conj, negate
from properties.base import Property, Violated

PROPERTY = Property(
    name="freed-own",
    role="ground",
    loses="data",
    claim="What MADV_FREE lets reclaim drop is a page of the process's own: none that KSM has "
          "merged, and into which it may merge those of other processes.",
    origin="madvise(2), MADV_FREE: the pages of the calling process; data-kept of whoever is "
           "merged later rests on it",
    safe=lambda s: negate(conj(s.entry.lazyfree, s.entry.ksm)),
    witness=lambda t: conj(t.op("free"), t.before.entry.ksm),
    violated=(Violated("anon", (), "madvise_free_pte_range() asks who maps the page now: a KSM "
                       "page that is mapped once becomes clean and lazyfree, and stays so when KSM "
                       "merges others into it"),),
    about=("free", "ksm"),
    speaks_of=lambda _, mapping: mapping.anonymous,
    memory="anonymous memory",
)
