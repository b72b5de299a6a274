"""The C of pins: a buffer of io_uring, in an order in which C can read it."""

from __future__ import annotations

from counterexamples.reproducer.part import Part

PINS = {
    "ring": Part(("linux/io_uring.h", "sys/syscall.h", "sys/uio.h"), """
static int ring = -1;
"""),
    "params": Part((), """\
static struct io_uring_params params;
static struct iovec buffer; /* where it was when it was pinned, which mremap does not change */
"""),
    "unpin": Part((), """
static int unpin(void)
{
	if (ring >= 0)
		syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
	close(ring);
	ring = -1;
	return 0;
}
"""),
    "pin": Part((), """
/* As a buffer of io_uring. A page that was pinned before and is mapped no more is let go. */
static int pin(void)
{
	int failed;

	unpin();
	buffer = (struct iovec){ PLACE, LENGTH };
	memset(&params, 0, sizeof(params));
	ring = syscall(SYS_io_uring_setup, 2, &params);
	if (ring < 0)
		SKIP("io_uring", errno);
	failed = syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1) ? errno : 0;
	if (failed)
		unpin();
	return failed;
}
"""),
    "pin:write": Part((), """
/* One byte of a pipe is read into the buffer: one of a file is read by a worker, which may hold the
   page for longer than its buffer is registered. No zero into a huge page, of which the kernel may
   give up what holds zeroes. */
static int store_through_pin(void)
{
	int way[2], failed, *tail, *array;
	struct io_uring_sqe *entry;
	char *queue;

	if (ring < 0)
		return 0;
	failed = pipe(way);
	queue = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	entry = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	tail = (int *)(queue + params.sq_off.tail);
	array = (int *)(queue + params.sq_off.array);
	memset(entry, 0, sizeof(*entry));
	entry->opcode = IORING_OP_READ_FIXED;
	entry->fd = way[0];
	entry->addr = (long)buffer.iov_base;
	entry->len = 1;
	array[*tail & 1] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	failed = failed || write(way[1], LENGTH == PAGE ? "\\0" : "\\1", 1) != 1 ||
		syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1;
	++*(int *)(queue + params.cq_off.head);
	munmap(queue, PAGE);
	munmap(entry, PAGE);
	close(way[0]);
	close(way[1]);
	return failed ? errno : 0;
}
"""),
}
