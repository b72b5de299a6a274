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
static int zeroes = -1;		/* with another byte behind, since a huge page of zeroes may be given up */

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
	if (zeroes < 0) {
		zeroes = memfd_create("zeroes", MFD_CLOEXEC);
		if (ftruncate(zeroes, PAGE) || pwrite(zeroes, "\1", 1, PAGE) != 1)
			return result(1);
	}
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
	struct iovec buffer = { place, length };
	const char *failed;

	close_ring();
	failed = open_ring();
	if (failed)
		return failed;
	failed = result(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1));
	if (strcmp(failed, "ok"))
		close_ring();
	return failed;
}

const char *store_through_pin(void)
{
	unsigned int *tail = (unsigned int *)(queue + params.sq_off.tail);
	unsigned int *array = (unsigned int *)(queue + params.sq_off.array);

	if (ring < 0)
		return "ok";
	memset(entries, 0, sizeof(*entries));
	entries->opcode = IORING_OP_READ_FIXED;
	entries->fd = zeroes;
	entries->addr = (unsigned long)place;
	entries->len = 1;
	entries->off = page_size == PAGE ? 0 : PAGE;
	array[*tail & 1] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return result(enter(1) != 1);
}

const char *without_pins(void)
{
	const char *failed = open_ring();

	close_ring();
	return failed ? "io_uring cannot be set up" : NULL;
}
