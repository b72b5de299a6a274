/* What forks; see rooms.h. */
#define _GNU_SOURCE
#include "events.h"
#include "rooms.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 32		/* of one run, at most, that live on */

int is_heir, run_is_over;
static pid_t children[CHILDREN];
static int child_count;

/* The child neither keeps the userfaultfd and the pin alive, nor shows up in the page's history. */
static void be_child(int stores, int ready)
{
	if (uffd >= 0)
		close(uffd);
	if (ring >= 0)
		close(ring);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	if (stores)
		*(volatile char *)place = 1;
	if (ready < 0)
		_exit(0);
	if (write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

const char *fork_and_wait(int stores)
{
	int theirs;
	pid_t child = fork_heard(0, &theirs);

	if (!child)
		be_child(stores, -1);
	return result(child < 0 || waitpid(child, NULL, 0) != child);
}

const char *fork_and_stay(void)
{
	int ends[2], theirs;
	char got;

	if (child_count == CHILDREN) {
		errno = EAGAIN;
		return result(1);
	}
	if (pipe(ends))
		return result(1);
	pid_t child = fork_heard(0, &theirs);
	if (!child)
		be_child(0, ends[1]);
	close(ends[1]);
	int failed = child < 0 || read(ends[0], &got, 1) != 1;
	close(ends[0]);
	if (child > 0)
		children[child_count++] = child;
	return result(failed);
}

/* The parent waits until the child has made the rest of the run. What of ours is the parent's alone
 * is let go; the child has the userfaultfd that an event of fork has brought. */
const char *become_child(void)
{
	int theirs;

	fflush(stdout);
	pid_t child = fork_heard(1, &theirs);
	if (child) {
		if (child < 0)
			return result(1);
		waitpid(child, NULL, 0);
		run_is_over = 1;
		return "ok";
	}
	is_heir = 1;
	child_count = 0;
	if (uffd >= 0)
		close(uffd);
	if (ring >= 0)
		close(ring);
	uffd = theirs;
	ring = -1;
	open_files();
	return result(uffd >= 0 && listen_for_events(uffd));
}

int run_by_child(void)
{
	return run_is_over;
}

void end_children(void)
{
	while (child_count) {
		pid_t child = children[--child_count];

		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
}
