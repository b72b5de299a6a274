"""Who maps a page of a file reads and writes that page."""

from model.system.asking.language import as_term, conj, disj, implies
from properties.base import Among, Property, Violated, nowhere

PROPERTY = Property(
    name="page-kept",
    loses="data",
    claim="A page maps the page of the file that mmap gave it, whatever calls follow.",
    origin="mmap(2): offset and length; 5543d3c43c41",
    witness=lambda _: False,
    among=Among(
        safe=lambda s: conj(*(implies(
            page.place.mapped, as_term(page.place.area.offset == page.given))
            for page, _ in s.each())),
        witness=lambda t: disj(*(conj(page.place.mapped, as_term(page.given != 0))
                                 for page, _ in t.after.each())),
        follows=("given",),
        speaks_of=lambda _, m: not m.anonymous, least=3),
    violated=(
        Violated("shmem private-shmem", ("-5543d3c43c41",), "who registers or unregisters a part "
                 "of a VMA asks with the pgoff of the whole VMA whether the part may be one with "
                 "what follows: where that maps the page of the file which would follow the "
                 "beginning of the VMA, it grows over the part, which then maps other pages of the "
                 "file", parts=3),
    ),
    about=("mmap:1",),
    speaks_of=nowhere,
    memory="memory of a file",
)
