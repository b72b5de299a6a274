/* A pin, a buffer of io_uring; see rooms.h. */
#define _GNU_SOURCE
#include "rooms.h"

#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

int ring = -1;

static struct io_uring_params params;
static char *queue;
static struct io_uring_sqe *entries;
static char *buffer;		/* where it was when it was pinned, which mremap does not change */

static int enter(int count)
{
	return syscall(SYS_io_uring_enter, ring, count, count, IORING_ENTER_GETEVENTS, NULL, 0);
}

static const char *open_ring(void)
{
	memset(&params, 0, sizeof(params));
	ring = syscall(SYS_io_uring_setup, 2, &params);
	if (ring < 0)
		return result(1);
	queue = mmap(NULL, HUGE_PAGE / 64, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		     IORING_OFF_SQ_RING);
	entries = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	return queue == MAP_FAILED || entries == MAP_FAILED ? result(1) : NULL;
}

void close_ring(void)
{
	if (ring < 0)
		return;
	syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
	munmap(queue, HUGE_PAGE / 64);
	munmap(entries, PAGE);
	close(ring);
	ring = -1;
}

/* A page that was pinned before and is mapped no more is let go. */
const char *pin(void)
{
	struct iovec vector = { place, length };
	const char *failed;

	buffer = place;
	close_ring();
	failed = open_ring();
	if (failed)
		return failed;
	failed = result(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &vector, 1));
	if (strcmp(failed, "ok"))
		close_ring();
	return failed;
}

/* From a pipe, which needs no worker: one that reads a file holds the page a moment longer than its
   buffer is registered. A zero, but not for a huge page, which may be given up for it. */
const char *store_through_pin(void)
{
	unsigned int *tail = (unsigned int *)(queue + params.sq_off.tail);
	unsigned int *array = (unsigned int *)(queue + params.sq_off.array);
	unsigned int *head = (unsigned int *)(queue + params.cq_off.head);
	unsigned int *mask = (unsigned int *)(queue + params.cq_off.ring_mask);
	struct io_uring_cqe *done = (struct io_uring_cqe *)(queue + params.cq_off.cqes);
	int way[2], failed;

	if (ring < 0)
		return "ok";
	if (pipe(way))
		return result(1);
	memset(entries, 0, sizeof(*entries));
	entries->opcode = IORING_OP_READ_FIXED;
	entries->fd = way[0];
	entries->addr = (unsigned long)buffer;
	entries->len = 1;
	array[*tail & 1] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	failed = write(way[1], page_size == PAGE ? "\0" : "\1", 1) != 1 || enter(1) != 1 ||
		 done[*head & *mask].res != 1;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	close(way[0]);
	close(way[1]);
	return result(failed);
}

const char *without_pins(void)
{
	const char *failed = open_ring();

	close_ring();
	return failed ? "io_uring cannot be set up" : NULL;
}
