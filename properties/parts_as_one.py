"""A program sees flags, and not where one VMA ends and the next begins."""

from model.system.asking.language import Bool, conj, implies
from model.system.asking.pages_view import PagesStep
from properties.base import Among, Property, Violated, nowhere

_ASKED = ("register", "unregister", "wp", "unwp", "mprotect:none", "mprotect:r", "mprotect:rw",
          "mremap", "dontneed")
_ANON = ("two VMAs with an anon_vma each never become one, whatever their flags: mremap() of "
         "registered memory that is not one VMA fails")


def _kept(t: PagesStep) -> Bool:
    return conj(*(implies(conj(two, chosen), t.answers_as_one(at, span))
                  for at, two in t.neighbours() for chosen, span in t.calls(*_ASKED)
                  if span.first < at <= span.last))


PROPERTY = Property(
    name="parts-as-one",
    claim="Neighbours with the same flags, however they came to be two, answer every call as one "
          "mapping does.",
    origin="mmap(2), mremap(2): programs know addresses and flags, not VMAs",
    witness=lambda _: False,
    among=Among(
        allowed=_kept,
        witness=lambda t: t.merges),
    violated=(
        Violated("anon private-shmem", (), _ANON, parts=2),
        Violated("anon shmem private-shmem", ("-5543d3c43c41",), "userfaultfd_register() asks with "
                 "the pgoff of the whole VMA whether a part of it may be one with what follows, "
                 "so that it stays apart", parts=3),
    ),
    about=("mremap",),
    speaks_of=nowhere,
    memory="several pages: anon:2",
)
