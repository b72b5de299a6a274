/* One access, and the minor faults it takes; one by the kernel; see rooms.h. */
#define _GNU_SOURCE
#include "rooms.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK 20000		/* microseconds between two looks at an access that does not end */
#define POISONED 1000		/* SIGBUS because of poison; above all signals */
#define FOREVER 500000		/* microseconds of work in one call: it will never end */
#define ENDLESS 1000		/* faults of one access: it will never end */
#define MOST_FAULTS 4		/* are told of such an access */

static sigjmp_buf back;
static volatile int caught;
static volatile char sink;

static struct rusage before, after;

static int called;

/* Microseconds in the kernel. */
static long computed(const struct rusage *usage)
{
	return usage->ru_stime.tv_sec * 1000000 + usage->ru_stime.tv_usec;
}

/* What faults or computes for ever is given up; what the machine is slow with is not. */
void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	getrusage(RUSAGE_THREAD, &after);
	if (sig == SIGALRM && !called && after.ru_minflt - before.ru_minflt < ENDLESS)
		return;
	if (sig == SIGALRM && called && computed(&after) - computed(&before) < FOREVER)
		return;
	caught = sig == SIGBUS && info->si_code == BUS_MCEERR_AR ? POISONED : sig;
	siglongjmp(back, 1);
}

/* clear_refs and fork write-protect our own pages too: take those faults before the count begins. */
static void __attribute__((noinline)) warm(void)
{
	volatile char stack[8 * PAGE];
	struct rusage usage;

	for (unsigned long i = 0; i < sizeof(stack); i += PAGE / 8)
		stack[i] = 1;
	for (unsigned long i = 0; i < sizeof(back); i += 64)
		((volatile char *)&back)[i] = ((volatile char *)&back)[i];
	getrusage(RUSAGE_THREAD, &usage);
	getrusage(RUSAGE_THREAD, &usage);
	caught = 0;
	sink = 0;
}

const char *access_page(int write, long *faults)
{
	struct itimerval look = { { 0, LOOK }, { 0, LOOK } }, never = { 0 };

	warm();
	setitimer(ITIMER_REAL, &look, NULL);
	before.ru_minflt = after.ru_minflt = 0;
	getrusage(RUSAGE_THREAD, &before);
	if (!sigsetjmp(back, 1)) {
		if (write)
			*(volatile char *)part = 1;
		else
			sink = *(volatile char *)part;
	}
	getrusage(RUSAGE_THREAD, &after);
	setitimer(ITIMER_REAL, &never, NULL);
	*faults = after.ru_minflt - before.ru_minflt;
	if (caught == SIGALRM && *faults > MOST_FAULTS)
		*faults = MOST_FAULTS;
	return caught == 0 ? "ok" : caught == SIGBUS ? "event" : caught == POISONED ? "bus" :
	       caught == SIGALRM ? "refault" : "segv";
}

/* madvise(2), which may never return. */
const char *advise(int advice)
{
	struct itimerval look = { { 0, LOOK }, { 0, LOOK } }, never = { 0 };
	volatile int failed = 0;

	caught = 0;
	setitimer(ITIMER_REAL, &look, NULL);
	getrusage(RUSAGE_THREAD, &before);
	called = 1;
	if (!sigsetjmp(back, 1))
		failed = madvise(part, part_length, advice) ? errno : 0;
	called = 0;
	setitimer(ITIMER_REAL, &never, NULL);
	if (caught)
		return "never";
	errno = failed;
	return result(failed != 0);
}

/* From a file in memory, which begins with what a store stores; and to what comes behind. */
const char *transfer(int into)
{
	static int file = -1;

	if (file < 0) {
		file = memfd_create("bytes", MFD_CLOEXEC);
		if (pwrite(file, "\1", 1, 0) != 1)
			return result(1);
	}
	return result((into ? pread(file, place, 1, 0) : pwrite(file, place, 1, 1)) != 1);
}

const char *access_remotely(int write)
{
	char byte = 1;
	struct iovec ours = { &byte, 1 }, theirs = { place, 1 };

	return result((write ? process_vm_writev(getpid(), &ours, 1, &theirs, 1, 0)
		       : process_vm_readv(getpid(), &ours, 1, &theirs, 1, 0)) != 1);
}

int mortal(int (*call)(void *), void *arg)
{
	static char stack[1 << 16] __attribute__((aligned(16)));
	pid_t child = clone(call, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD, arg);
	struct timespec used = { 0 }, pause = { 0, 200000 };
	clockid_t clock;

	while (child > 0 && !waitpid(child, NULL, WNOHANG)) {
		if (!clock_getcpuclockid(child, &clock) && !clock_gettime(clock, &used)
		    && used.tv_sec * 1000000 + used.tv_nsec / 1000 > FOREVER) {
			kill(child, SIGKILL);
			waitpid(child, NULL, 0);
			return 0;
		}
		nanosleep(&pause, NULL);
	}
	return child > 0;
}
