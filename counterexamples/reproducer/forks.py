"""The C of fork, and of the events of a userfaultfd that asks for them, in an order in which C can
read it."""

from __future__ import annotations

from collections.abc import Collection

from counterexamples.reproducer.aliases import ALIASES
from counterexamples.reproducer.calls import Call
from counterexamples.reproducer.part import Part

FORKS = {
    "fork": Part(("sys/wait.h",), """
static int fork_and_wait(void)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	return child < 0 || waitpid(child, NULL, 0) != child ? errno : 0;
}
"""),
    "child": Part(("signal.h", "sys/prctl.h", "sys/wait.h"), """
/* A child that holds none of our files, and ends when we do. */
static pid_t child(void)
{
	pid_t child = fork();
	int fd;

	for (fd = 3; !child && fd < 32; fd++)
		close(fd);
	if (!child)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}
"""),
    "fork:stay": Part((), """
static int fork_and_stay(void)
{
	pid_t pid = child();

	if (!pid)
		raise(SIGSTOP);
	return pid < 0 || waitpid(pid, NULL, WUNTRACED) != pid ? errno : 0;
}
"""),
    "fork:write": Part((), """
static int fork_and_store(void)
{
	pid_t pid = child();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		*(volatile char *)PLACE = 1;
		_exit(0);
	}
	return pid < 0 || waitpid(pid, NULL, 0) != pid ? errno : 0;
}
"""),
}

FORK_CHILD = Part(("sys/wait.h",), """
/* The child makes the rest of the steps, with no file of ours; we wait, and end as it does. */
static int become_child(void)
{
	int status, fd;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child < 0)
		return errno;
	if (child)
		exit(waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 2);
	for (fd = 3; fd < 32; fd++)
		close(fd);
	pagemap = open("/proc/self/pagemap", O_RDONLY);
#ifdef CLEAR_REFS
	refs = open("/proc/self/clear_refs", O_WRONLY);
#endif
#ifdef FEATURES
	uffd = -1;
#endif
	return 0;
}
""")
"""Asks which other parts are there before it."""

EVENTS = {
    "events": Part(("linux/userfaultfd.h", "poll.h", "pthread.h", "signal.h", "sys/ioctl.h",
                    "sys/socket.h", "sys/syscall.h"), """
#define FEATURES (UFFD_FEATURE_SIGBUS | 1 << 12 /* UFFD_FEATURE_WP_HUGETLBFS_SHMEM */)
static int uffd, heard, source, asked[2], brought = -1;
static pthread_t reader;
static struct uffdio_api api;

/* Who raises an event waits until it is read. That of fork brings a userfaultfd of the child's. */
static void *read_events(void *from)
{
	struct pollfd wait[] = { { source, POLLIN, 0 }, { asked[1], POLLIN, 0 } };
	struct uffd_msg event;
	char word = 0;

	while (word != 'q') {
		poll(wait, 2, -1);
		while (read(source, &event, sizeof(event)) == sizeof(event))
			if (event.event == UFFD_EVENT_FORK)
				brought = event.arg.fork.ufd;
		if (wait[1].revents & POLLIN && read(asked[1], &word, 1) == 1 &&
				write(asked[1], &word, 1) != 1)
			break;
	}
	return from;
}

static int listen_for_events(void)
{
	sigset_t all, before;

	source = uffd;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	heard = !socketpair(AF_UNIX, SOCK_STREAM, 0, asked) &&
		!pthread_create(&reader, NULL, read_events, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return heard ? 0 : errno;
}

static int open_heard(void)
{
	int failed;

	if (uffd >= 0)
		return 0;
	api.api = UFFD_API;
	api.features = FEATURES | UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP |
		UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP;
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	failed = uffd < 0 || ioctl(uffd, UFFDIO_API, &api) ? errno : listen_for_events();
	if (failed) {
		close(uffd);
		uffd = -1;
	}
	return failed;
}
"""),
    "events:ask": Part((), """
/* The reader has read what was raised before; by 'q' it ends. */
static void ask(char word)
{
	while (write(asked[0], &word, 1) != 1 || read(asked[0], &word, 1) != 1)
		;
}
"""),
    "events:close": Part((), """
/* What poll() waits for stays open. */
static int close_heard(void)
{
	int failed;

	if (heard) {
		ask('q');
		pthread_join(reader, NULL);
		close(asked[0]);
		close(asked[1]);
		heard = 0;
	}
	failed = close(uffd) ? errno : 0;
	uffd = -1;
	return failed;
}
"""),
    "events:fork": Part((), """
static int heir;
struct sent { struct cmsghdr head; int fd; };

static void hand_over(int to, int fd)
{
	struct sent file = { { sizeof(file.head) + sizeof(fd), SOL_SOCKET, SCM_RIGHTS }, fd };
	struct iovec data = { &(char) { 0 }, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

	if (fd >= 0) {
		message.msg_control = &file;
		message.msg_controllen = sizeof(file);
	}
	sendmsg(to, &message, 0);
}

static int taken_over(int from)
{
	struct sent file;
	struct iovec data = { &(char) { 0 }, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &file,
		.msg_controllen = sizeof(file) };

	return recvmsg(from, &message, 0) == 1 && message.msg_controllen ? file.fd : -1;
}

/* The child's userfaultfd is closed before it goes on, or `kept`: then it has it, as `heir`. */
static pid_t fork_heard(int kept)
{
	char go = 0;
	int hand[2];
	pid_t child;

	heir = -1;
	if (!heard)
		return fork();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, hand))
		return -1;
	child = fork();
	if (child) {
		ask('w');
		hand_over(hand[0], kept ? brought : -1);
		close(brought);
		brought = -1;
		child = write(hand[0], &go, 1) == 1 ? child : -1;
	} else {
		heard = 0;
		heir = fcntl(taken_over(hand[1]), F_DUPFD, 64);
		if (read(hand[1], &go, 1) != 1)
			_exit(2);
	}
	close(hand[0]);
	close(hand[1]);
	return child;
}
"""),
    "events:forks": Part((), """\
#define fork() fork_heard(0)
"""),
}
"""Before every part that forks, or closes the userfaultfd."""

HEARD_PARTS = {
    "fork:child": Part(FORK_CHILD.headers, FORK_CHILD.text.replace(
        "child = fork();", "child = fork_heard(1);").replace(
        "\tuffd = -1;\n#endif\n\treturn 0;",
        "\tuffd = heir;\n#endif\n\treturn uffd < 0 ? 0 : listen_for_events();")),
    "dontunmap": Part((), ALIASES["dontunmap"].text.replace(
        "\tplace = to;", "\tif (heard) /* or it goes on raising events of fork */\n"
        "\t\tioctl(uffd, UFFDIO_UNREGISTER, &(struct uffdio_range) { (long)PLACE, LENGTH });\n"
        "\tplace = to;")),
}
HEARD_CALLS = {"close": Call("close_heard()", ("uffd",))}
"""What is done otherwise where a userfaultfd may ask for events."""


def needed(needs: set[str], ops: Collection[str]) -> set[str]:
    """What a program with events needs for its other operations."""
    forks = needs & {"fork", "child", "fork:child"}
    found = {"events:ask", "events:fork"} if forks else set()
    found |= {"events:forks"} if forks - {"fork:child"} else set()
    return found | ({"events:ask", "events:close"} if "close" in ops else set())
