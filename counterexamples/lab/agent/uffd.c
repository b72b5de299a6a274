/* The calls on a userfaultfd; see rooms.h. */
#define _GNU_SOURCE
#include "events.h"
#include "rooms.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif
/* Linux 7.3 */
#ifndef UFFD_FEATURE_RWP
#define UFFD_FEATURE_RWP (1 << 17)
#define UFFD_FEATURE_RWP_ASYNC (1 << 18)
#define UFFDIO_REGISTER_MODE_RWP (1 << 3)
#define UFFDIO_RWPROTECT_MODE_RWP (1 << 0)
struct uffdio_rwprotect {
	struct uffdio_range range;
	uint64_t mode;
};
#define UFFDIO_RWPROTECT _IOWR(UFFDIO, 9, struct uffdio_rwprotect)
#endif

#define ELSEWHERE ((char *)0x180000000ul)	/* as mapping.c has places */

int uffd = -1;

/* For memory that is not anonymous: Linux 5.19 and CONFIG_PTE_MARKER_UFFD_WP. */
static const unsigned long shared[] = { UFFD_FEATURE_WP_HUGETLBFS_SHMEM, 0 };

#define EVENTS (UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE | \
	UFFD_FEATURE_EVENT_UNMAP)

static const char *open_with(unsigned long features, int flags)
{
	const char *failed = "ok";

	for (int i = 0; i < 2 && uffd < 0; i++) {
		struct uffdio_api api = { .api = UFFD_API,
			.features = features | shared[i] | UFFD_FEATURE_SIGBUS };

		uffd = syscall(SYS_userfaultfd, O_CLOEXEC | flags);
		if (uffd < 0)
			return result(1);
		if (!ioctl(uffd, UFFDIO_API, &api))
			return result(features & EVENTS && listen_for_events(uffd));
		failed = result(1);
		close(uffd);
		uffd = -1;
	}
	return failed;
}

const char *open_userfaultfd(void)
{
	return strcmp(open_with(0, 0), "ok") ? "no userfaultfd with SIGBUS" : NULL;
}

const char *close_userfaultfd(void)
{
	stop_listening();
	int failed = close(uffd);

	uffd = -1;
	return result(failed);
}

int has_userfaultfd(void)
{
	static int known = -1;

	if (known < 0) {
		known = !open_userfaultfd();
		close_userfaultfd();
	}
	return known;
}

static const char *writeprotect(unsigned long mode)
{
	struct uffdio_writeprotect arg = { .range = { (unsigned long)part, part_length }, .mode = mode };

	return result(ioctl(uffd, UFFDIO_WRITEPROTECT, &arg));
}

static const char *rwprotect(unsigned long mode)
{
	struct uffdio_rwprotect arg = { .range = { (unsigned long)part, part_length }, .mode = mode };

	return result(ioctl(uffd, UFFDIO_RWPROTECT, &arg));
}

static const char *register_range(unsigned long mode)
{
	struct uffdio_register arg = { .range = { (unsigned long)part, part_length }, .mode = mode };

	return result(ioctl(uffd, UFFDIO_REGISTER, &arg));
}

const char *unregister_range(void)
{
	struct uffdio_range range = { (unsigned long)part, part_length };

	return result(ioctl(uffd, UFFDIO_UNREGISTER, &range));
}

static const char *unprotect(void)
{
	return writeprotect(0);
}

/* Another userfaultfd of this process, for this call. */
static const char *by_another(const char *(*call)(void))
{
	int ours = uffd;
	const char *done;

	uffd = -1;
	done = open_with(0, 0);
	if (!strcmp(done, "ok"))
		done = call();
	close(uffd);
	uffd = ours;
	return done;
}

static const char *copy(unsigned long mode)
{
	static char *source;
	struct uffdio_copy arg = { .dst = (unsigned long)part, .len = part_length, .mode = mode };

	if (!source) {
		source = mmap(NULL, HUGE_PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		source[0] = 1;
	}
	arg.src = (unsigned long)source;
	return result(ioctl(uffd, UFFDIO_COPY, &arg));
}

static const char *fill_with_zeroes(void)
{
	struct uffdio_zeropage arg = { .range = { (unsigned long)part, part_length } };

	return result(ioctl(uffd, UFFDIO_ZEROPAGE, &arg));
}

static const char *proceed(unsigned long mode)
{
	struct uffdio_continue arg = { .range = { (unsigned long)part, part_length }, .mode = mode };

	return result(ioctl(uffd, UFFDIO_CONTINUE, &arg));
}

static const char *poison(void)
{
	struct {
		struct uffdio_range range;
		__u64 mode;
		__s64 updated;
	} arg = { { (unsigned long)part, part_length }, 0, 0 };

	return result(ioctl(uffd, _IOWR(UFFDIO, 8, arg) /* UFFDIO_POISON */, &arg));
}

/* Another place, as plain as can be and alone, which is there for one call: registered in `mode` if
 * that is not 0, which fails where no userfaultfd is open, as the move will. */
static char *elsewhere(unsigned long mode)
{
	struct uffdio_register arg = { .range = { (unsigned long)ELSEWHERE, length }, .mode = mode };
	char *at = mmap(ELSEWHERE, length, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at == ELSEWHERE && strstr(mapped, "thp"))
		madvise(at, length, MADV_HUGEPAGE);
	if (at == ELSEWHERE && mode)
		ioctl(uffd, UFFDIO_REGISTER, &arg);
	return at;
}

struct move {
	__u64 dst, src, len, mode;
	__s64 move;
	int failed;
};

static int move_pages(void *arg)
{
	struct move *move = arg;

	move->failed = ioctl(uffd, _IOWR(UFFDIO, 5, __u64[5]) /* UFFDIO_MOVE */,
			     move) ? errno : 0;
	return 0;
}

static const char *move_page(char *to, char *from)
{
	struct move arg = { (unsigned long)to, (unsigned long)from, length, 0, 0, 0 };
	int returns = 1;

	if (strstr(mapped, "thp"))
		returns = mortal(move_pages, &arg);
	else
		move_pages(&arg);
	munmap(ELSEWHERE, length);
	errno = arg.failed;
	return returns ? result(arg.failed != 0) : "never";
}

static const char *move_in(void)
{
	char *from = elsewhere(0);

	if (from != ELSEWHERE)
		return result(1);
	*(volatile char *)from = 1;
	return move_page(place, from);
}

/* A page that is write-protected and swapped out where it comes from. */
static const char *move_swapped_in(void)
{
	char *from = elsewhere(UFFDIO_REGISTER_MODE_WP);
	struct uffdio_writeprotect arg = { .range = { (unsigned long)from, length },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP };

	if (from != ELSEWHERE)
		return result(1);
	*(volatile char *)from = 1;
	ioctl(uffd, UFFDIO_WRITEPROTECT, &arg);
	for (int tries = 0; tries < 100 && !(entry_of(from) >> 62 & 1); tries++)
		if (madvise(from, length, MADV_PAGEOUT))
			return result(1);
	return move_page(place, from);
}

static const char *move_out(void)
{
	char *to = elsewhere(UFFDIO_REGISTER_MODE_MISSING);

	return to == ELSEWHERE ? move_page(to, place) : result(1);
}

const char *operate_uffd(const char *op)
{
	if (!strcmp(op, "register"))
		return register_range(UFFDIO_REGISTER_MODE_WP);
	if (!strcmp(op, "register:missing"))
		return register_range(UFFDIO_REGISTER_MODE_MISSING);
	if (!strcmp(op, "register:wp+missing"))
		return register_range(UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING);
	if (!strcmp(op, "register:minor"))
		return register_range(UFFDIO_REGISTER_MODE_MINOR);
	if (!strcmp(op, "register:wp+minor"))
		return register_range(UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MINOR);
	if (!strcmp(op, "register:rwp"))
		return register_range(UFFDIO_REGISTER_MODE_RWP);
	if (!strcmp(op, "rwp"))
		return rwprotect(UFFDIO_RWPROTECT_MODE_RWP);
	if (!strcmp(op, "unrwp"))
		return rwprotect(0);
	if (!strcmp(op, "unregister"))
		return unregister_range();
	if (!strcmp(op, "wp"))
		return writeprotect(UFFDIO_WRITEPROTECT_MODE_WP);
	if (!strcmp(op, "unwp"))
		return writeprotect(0);
	if (!strcmp(op, "copy"))
		return copy(0);
	if (!strcmp(op, "copy:wp"))
		return copy(UFFDIO_COPY_MODE_WP);
	if (!strcmp(op, "other:unwp"))
		return by_another(unprotect);
	if (!strcmp(op, "other:unregister"))
		return by_another(unregister_range);
	if (!strcmp(op, "zeropage"))
		return fill_with_zeroes();
	if (!strcmp(op, "continue"))
		return proceed(0);
	if (!strcmp(op, "continue:wp"))
		return proceed(1 << 1 /* UFFDIO_CONTINUE_MODE_WP */);
	if (!strcmp(op, "poison"))
		return poison();
	if (!strcmp(op, "move:in"))
		return move_in();
	if (!strcmp(op, "move:in:wp"))
		return move_swapped_in();
	if (!strcmp(op, "move:out"))
		return move_out();
	if (!strcmp(op, "close"))
		return close_userfaultfd();
	if (!strcmp(op, "open"))
		return open_with(0, 0);
	if (!strcmp(op, "open:unpopulated"))
		return open_with(UFFD_FEATURE_WP_UNPOPULATED, 0);
	if (!strcmp(op, "open:async"))
		return open_with(UFFD_FEATURE_WP_ASYNC, 0);
	if (!strcmp(op, "open:events"))
		return open_with(EVENTS, O_NONBLOCK);
	if (!strcmp(op, "open:user"))
		return open_with(0, UFFD_USER_MODE_ONLY);
	if (!strcmp(op, "open:rwp"))
		return open_with(UFFD_FEATURE_RWP, 0);
	if (!strcmp(op, "open:rwp-async"))
		return open_with(UFFD_FEATURE_RWP | UFFD_FEATURE_RWP_ASYNC, 0);
	return NULL;
}
