/* The events of a userfaultfd that asks for them: fork, mremap, munmap, and what gives memory up. */
#ifndef EVENTS_H
#define EVENTS_H

#include <sys/types.h>

/* A thread of ours reads them from now on, of a userfaultfd that was opened with O_NONBLOCK. */
int listen_for_events(int uffd);
int listens(void);
/* No more: before the userfaultfd is closed, which the thread holds open. */
void stop_listening(void);
/* fork(2). `child_uffd` gets, in the child alone, and where `keep` says so, the userfaultfd that an
 * event of this fork has brought, else -1: then it is closed before the child goes on. */
pid_t fork_heard(int keep, int *child_uffd);

#endif
