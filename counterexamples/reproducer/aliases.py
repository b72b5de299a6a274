"""The C of what is done to the file that is mapped, and of a second place for the memory."""

from __future__ import annotations

from counterexamples.reproducer.part import Part

ALIASES = {
    "dontunmap": Part((), """
/* To the other of two places; the old one stays mapped, and is empty. */
static int move_alone(void)
{
	char *to = (char *)((unsigned long)PLACE ^ 1UL << 30);

	if (mremap(PLACE, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED | 4 /* MREMAP_DONTUNMAP */,
			to) == MAP_FAILED)
		return errno;
	place = to;
	return 0;
}
"""),
    "map_files": Part((), """
/* The file that is mapped; as a program has it that has kept the descriptor. */
static int mapped_file(void)
{
	char path[64];

	sprintf(path, "/proc/self/map_files/%lx-%lx", (long)PLACE, (long)PLACE + LENGTH);
	return open(path, O_RDWR);
}
"""),
    "alias": Part((), """
/* By a second mapping of the file, for this store alone. */
static int store_by_alias(void)
{
	int fd = mapped_file();
	volatile char *alias = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (alias == MAP_FAILED)
		return errno;
	*alias = 1;
	return munmap((void *)alias, LENGTH) || close(fd) ? errno : 0;
}
"""),
    "truncate": Part((), """
static int truncate_file(void)
{
	int fd = mapped_file();

	return ftruncate(fd, 0) || ftruncate(fd, LENGTH) || close(fd) ? errno : 0;
}
"""),
}
