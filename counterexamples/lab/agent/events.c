/* The events of a userfaultfd; see events.h. */
#define _GNU_SOURCE
#include "events.h"

#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUIT 'q'
#define WHOM 'w'

static pthread_t reader;
static int listening, source, talk[2];	/* with the reader: ours, and its own */
static int hand[2];			/* with a child: ours, and its own */

/* A call that raises an event waits until it is read. What of an event of fork the reader keeps is
 * the child's userfaultfd. It waits in poll(), for who reads a file holds it open. */
static void *read_events(void *unused)
{
	struct pollfd from[] = { { source, POLLIN, 0 }, { talk[1], POLLIN, 0 } };
	struct uffd_msg event;
	int child = -1;
	char word = 0;

	while (word != QUIT) {
		poll(from, 2, -1);
		while (read(source, &event, sizeof(event)) == sizeof(event))
			if (event.event == UFFD_EVENT_FORK)
				child = event.arg.fork.ufd;
		if (!(from[1].revents & POLLIN) || read(talk[1], &word, 1) != 1)
			continue;
		if (write(talk[1], &child, sizeof(child)) != sizeof(child))
			break;
		child = -1;
	}
	return unused;
}

/* Every signal is for the thread that makes the run. */
int listen_for_events(int uffd)
{
	sigset_t all, before;

	source = uffd;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, talk))
		return -1;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	listening = !pthread_create(&reader, NULL, read_events, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return listening ? 0 : -1;
}

int listens(void)
{
	return listening;
}

static int ask(char word)
{
	int child = -1;

	if (write(talk[0], &word, 1) != 1 || read(talk[0], &child, sizeof(child)) != sizeof(child))
		return -1;
	return child;
}

static void forget(void)
{
	listening = 0;
	close(talk[0]);
	close(talk[1]);
}

void stop_listening(void)
{
	if (!listening)
		return;
	ask(QUIT);
	pthread_join(reader, NULL);
	forget();
}

/* One byte, and with it a file. */
static void send_file(int fd)
{
	char room[CMSG_SPACE(sizeof(fd))] = { 0 }, byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

	if (fd >= 0) {
		message.msg_control = room;
		message.msg_controllen = sizeof(room);
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		*head = (struct cmsghdr) { CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	}
	sendmsg(hand[0], &message, 0);
}

static int receive_file(void)
{
	char room[CMSG_SPACE(sizeof(int))], byte;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = room,
		.msg_controllen = sizeof(room) };
	int fd = -1;

	if (recvmsg(hand[1], &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* The child goes on when what we have of its userfaultfd is closed. */
pid_t fork_heard(int keep, int *child_uffd)
{
	pid_t child;
	int brought;
	char go = 0;

	*child_uffd = -1;
	if (!listening)
		return fork();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, hand))
		return -1;
	child = fork();
	if (child) {
		brought = ask(WHOM);
		send_file(keep ? brought : -1);
		if (brought >= 0)
			close(brought);
		if (write(hand[0], &go, 1) != 1)
			child = -1;
	} else {
		forget();
		*child_uffd = receive_file();
		if (read(hand[1], &go, 1) != 1)
			_exit(1);
	}
	close(hand[0]);
	close(hand[1]);
	return child;
}
