"""The dirty bit that a huge page of shared memory hands on where its PMD is dropped.

No operation of the lab shows it: the program asks the kernel for the page's flags, and has the page
reclaimed to see whether what it stored is still there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from counterexamples.lab.kernels import at_hand, named
from counterexamples.lab.tools import static_program
from model.kernel.editions import find_edition
from model.system.relation.kernel import kernel_system
from model.system.state.mappings import MAPPINGS

PROGRAM = r"""
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE (2ul << 20)
#define PAGE 4096

static uint64_t number(const char *path, uint64_t index)
{
	uint64_t value = 0;
	int fd = open(path, O_RDONLY);

	if (pread(fd, &value, sizeof(value), index * sizeof(value)) != sizeof(value))
		value = 0;
	close(fd);
	return value;
}

int main(void)
{
	volatile char *p = mmap((char *)0x200000000, HUGE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (p == MAP_FAILED || madvise((char *)p, HUGE, MADV_HUGEPAGE))
		return 1;
	char first = p[0];
	p[0] = 1;
	if (madvise((char *)p, HUGE, MADV_DONTNEED) || p[0] != 1)
		return 2;
	/* Documentation/admin-guide/mm/pagemap.rst */
	uint64_t frame = number("/proc/self/pagemap", (uintptr_t)p / PAGE) & ((1ull << 55) - 1);
	uint64_t flags = number("/proc/kpageflags", frame);
	int dirty = flags >> 4 & 1, huge = flags >> 22 & 1;
	if (madvise((char *)p, HUGE, MADV_PAGEOUT))
		return 3;
	printf("first %d, huge %d, dirty %d, kept %d\n", first, huge, dirty, p[0]);
	return 0;
}
"""


@pytest.mark.parametrize(("kernel", "dirty"), [("debian:6.12.100", 0), ("debian:6.12.117", 1)])
def test_a_dropped_huge_page_is_dirty_as_the_model_says(kernel: str, dirty: int,
                                                        tmp_path: Path) -> None:
    """fe6cf984939d, which 6.12.114 has: before it the store is lost with the page."""
    source = tmp_path / "zap.c"
    source.write_text(PROGRAM)
    image = at_hand(named(kernel), print)
    assert image.edition is not None
    model = kernel_system(find_edition(image.edition), MAPPINGS["shmem-thp"],
                          ("dontneed", "fork:write"))
    last = model.run(["load", "store", "dontneed"])[-1]
    assert last.values[model.names.index("cache_dirty")] == dirty
    said: list[str] = []
    with image.start(files={"zap": static_program(source, "-static")}, limit=60) as session:
        assert not session.probe("shmem-thp")
        assert session.execute("/zap", said.append) == 0
    assert said == [f"first 0, huge 1, dirty {dirty}, kept {dirty}"]
