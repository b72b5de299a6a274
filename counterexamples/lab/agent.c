/*
 * The lab's agent: makes the calls of a run on the kernel it runs on, and says what a program sees.
 *
 * It speaks on standard input and output; as init of a virtual machine, on the second serial port.
 *
 *   it says first    agent RELEASE | VERSION
 *   probe MAPPING    has FEATURE ... ; lacks FEATURE: REASON ; ...
 *   run MAPPING OP…  OUTCOME FAULTS BITS FLAGS | ...      a field group for each operation
 *   exec PATH        the program's lines, then: exit STATUS
 *   end              (ends; as init, reboots)
 *
 * BITS are the pagemap bits 63 62 61 56 57 55, FLAGS the VmFlags of smaps, joined by commas.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif

/* Below everything else of this process, so that smaps has it first; alone, so that it cannot merge. */
#define PLACE ((char *)0x100000000ul)
#define OTHER_PLACE ((char *)0x140000000ul)
#define PAGE 4096ul
#define HUGE_PAGE (2ul << 20)
#define HUGE_PAGES "8"		/* kept for hugetlb: the mapping, its copies, and some to spare */
#define LOOK 20000		/* microseconds between two looks at an access that does not end */
#define ENDLESS 1000		/* faults of one access: it will never end */
#define MOST_FAULTS 4		/* are told of such an access */
#define PRESENT_BIT 63
#define SOFT_DIRTY_BIT 55

static const int pagemap_bits[] = { PRESENT_BIT, 62, 61, 56, 57, SOFT_DIRTY_BIT };
static const char *const letters[] = { "rd", "wr", "sh", "mw", "uw", "um", "sd" };

/* Without MAP_ANONYMOUS: of a fresh tmpfs file of the same length that has content. */
static const struct {
	const char *name;
	int flags;
	unsigned long length;
} mappings[] = {
	{ "anon", MAP_PRIVATE | MAP_ANONYMOUS, PAGE },
	{ "shmem", MAP_SHARED | MAP_ANONYMOUS, PAGE },
	{ "private-shmem", MAP_PRIVATE, PAGE },
	{ "hugetlb", MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, HUGE_PAGE },
	{ "private-hugetlb", MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, HUGE_PAGE },
};

/* VmFlags letters have no place for PROT_EXEC without PROT_READ: "x" alone is left out. */
static const struct {
	const char *name;
	int prot;
} protections[] = {
	{ "none", PROT_NONE },
	{ "r", PROT_READ },
	{ "w", PROT_WRITE },
	{ "rw", PROT_READ | PROT_WRITE },
	{ "rx", PROT_READ | PROT_EXEC },
	{ "rwx", PROT_READ | PROT_WRITE | PROT_EXEC },
};

static char *place = PLACE;
static unsigned long length = PAGE;
static int uffd = -1, pagemap = -1, smaps = -1, refs = -1;

/* --- one access, and the minor faults it takes --- */

static sigjmp_buf back;
static volatile int caught;
static volatile char sink;

static struct rusage before, after;

/* An access that faults for ever is given up; one that the machine is slow with is not. */
static void on_signal(int sig)
{
	getrusage(RUSAGE_THREAD, &after);
	if (sig == SIGALRM && after.ru_minflt - before.ru_minflt < ENDLESS)
		return;
	caught = sig;
	siglongjmp(back, 1);
}

/* clear_refs write-protects our own pages too: take those faults before the count begins. */
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

static const char *access_page(int write, long *faults)
{
	struct itimerval look = { { 0, LOOK }, { 0, LOOK } }, never = { 0 };

	warm();
	setitimer(ITIMER_REAL, &look, NULL);
	before.ru_minflt = after.ru_minflt = 0;
	getrusage(RUSAGE_THREAD, &before);
	if (!sigsetjmp(back, 1)) {
		if (write)
			*(volatile char *)place = 1;
		else
			sink = *(volatile char *)place;
	}
	getrusage(RUSAGE_THREAD, &after);
	setitimer(ITIMER_REAL, &never, NULL);
	*faults = after.ru_minflt - before.ru_minflt;
	if (caught == SIGALRM && *faults > MOST_FAULTS)
		*faults = MOST_FAULTS;
	return caught == 0 ? "ok" : caught == SIGBUS ? "event" :
	       caught == SIGALRM ? "refault" : "segv";
}

/* --- the other operations --- */

static const char *result(int failed)
{
	static char other[32];

	if (!failed)
		return "ok";
	const char *name = strerrorname_np(errno);
	if (name)
		return name;
	snprintf(other, sizeof(other), "E%d", errno);
	return other;
}

static const char *writeprotect(unsigned long mode)
{
	struct uffdio_writeprotect arg = { .range = { (unsigned long)place, length }, .mode = mode };

	return result(ioctl(uffd, UFFDIO_WRITEPROTECT, &arg));
}

static const char *register_range(struct uffdio_range range, unsigned long mode)
{
	struct uffdio_register arg = { .range = range, .mode = mode };

	return result(ioctl(uffd, UFFDIO_REGISTER, &arg));
}

static const char *protect(const char *letters)
{
	for (unsigned int i = 0; i < sizeof(protections) / sizeof(*protections); i++)
		if (!strcmp(letters, protections[i].name))
			return result(mprotect(place, length, protections[i].prot));
	return NULL;
}

static const char *move(void)
{
	char *to = place == PLACE ? OTHER_PLACE : PLACE;

	if (mremap(place, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED)
		return result(1);
	place = to;
	return "ok";
}

static const char *fork_and_wait(void)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	return result(child < 0 || waitpid(child, NULL, 0) != child);
}

static const char *open_userfaultfd(void);

static const char *close_userfaultfd(void)
{
	int failed = close(uffd);

	uffd = -1;
	return result(failed);
}

static const char *operate(const char *op, long *faults)
{
	struct uffdio_range range = { (unsigned long)place, length };

	*faults = 0;
	if (!strcmp(op, "store"))
		return access_page(1, faults);
	if (!strcmp(op, "load"))
		return access_page(0, faults);
	if (!strcmp(op, "clear_refs"))
		return result(pwrite(refs, "4", 1, 0) != 1);
	if (!strcmp(op, "register"))
		return register_range(range, UFFDIO_REGISTER_MODE_WP);
	if (!strcmp(op, "register:missing"))
		return register_range(range, UFFDIO_REGISTER_MODE_MISSING);
	if (!strcmp(op, "register:wp+missing"))
		return register_range(range, UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING);
	if (!strcmp(op, "unregister"))
		return result(ioctl(uffd, UFFDIO_UNREGISTER, &range));
	if (!strcmp(op, "wp"))
		return writeprotect(UFFDIO_WRITEPROTECT_MODE_WP);
	if (!strcmp(op, "unwp"))
		return writeprotect(0);
	if (!strncmp(op, "mprotect:", 9))
		return protect(op + 9);
	if (!strcmp(op, "close"))
		return close_userfaultfd();
	if (!strcmp(op, "open"))
		return uffd >= 0 || !open_userfaultfd() ? "ok" : result(1);
	if (!strcmp(op, "dontneed"))
		return result(madvise(place, length, MADV_DONTNEED));
	if (!strcmp(op, "fork"))
		return fork_and_wait();
	if (!strcmp(op, "mremap"))
		return move();
	return NULL;
}

/* --- what a program sees --- */

static uint64_t pagemap_entry(void)
{
	uint64_t entry = 0;

	if (pread(pagemap, &entry, sizeof(entry), (unsigned long)place / PAGE * sizeof(entry)) < 0)
		return 0;
	return entry;
}

/* Prints the VmFlags that the lab compares, in the order of `letters`. */
static void print_vm_flags(void)
{
	char text[2048];
	ssize_t got = pread(smaps, text, sizeof(text) - 1, 0);
	const char *comma = "";

	text[got > 0 ? got : 0] = 0;
	char *flags = strstr(text, "VmFlags:");
	if (strtoul(text, NULL, 16) != (unsigned long)place || !flags) {
		printf(" ?");
		return;
	}
	*strchrnul(flags, '\n') = 0;
	putchar(' ');
	for (unsigned int i = 0; i < sizeof(letters) / sizeof(*letters); i++)
		if (strstr(flags, letters[i])) {
			printf("%s%s", comma, letters[i]);
			comma = ",";
		}
	if (!*comma)
		putchar('-');
}

static void print_step(const char *outcome, long faults)
{
	uint64_t entry = pagemap_entry();

	printf("%s %ld ", outcome, faults);
	for (unsigned int i = 0; i < sizeof(pagemap_bits) / sizeof(*pagemap_bits); i++)
		putchar('0' + (int)(entry >> pagemap_bits[i] & 1));
	print_vm_flags();
}

/* --- a run from a fresh mapping --- */

static const char *open_userfaultfd(void)
{
	struct uffdio_api api = { .api = UFFD_API,
		.features = UFFD_FEATURE_WP_HUGETLBFS_SHMEM | UFFD_FEATURE_SIGBUS };

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0)
		return "userfaultfd(2) fails";
	if (ioctl(uffd, UFFDIO_API, &api))
		return "userfaultfd has no WP_HUGETLBFS_SHMEM and SIGBUS";
	return NULL;
}

static int filled_file(void)
{
	int fd = memfd_create("page", MFD_CLOEXEC);

	if (fd >= 0 && (ftruncate(fd, length) || pwrite(fd, "x", 1, 0) != 1)) {
		close(fd);
		return -1;
	}
	return fd;
}

static const char *make_mapping(const char *name)
{
	unsigned int i = 0;
	int fd = -1;
	char *got;

	while (i < sizeof(mappings) / sizeof(*mappings) && strcmp(name, mappings[i].name))
		i++;
	if (i == sizeof(mappings) / sizeof(*mappings))
		return "the agent does not know this mapping";
	length = mappings[i].length;
	if (!(mappings[i].flags & MAP_ANONYMOUS)) {
		fd = filled_file();
		if (fd < 0)
			return "no file can be made";
	}
	got = mmap(place, length, PROT_READ | PROT_WRITE, mappings[i].flags | MAP_FIXED_NOREPLACE,
		   fd, 0);
	if (fd >= 0)
		close(fd);
	return got == place ? NULL : "mmap fails";
}

static void drop(void)
{
	munmap(place, length);
	place = PLACE;
	if (uffd >= 0)
		close(uffd);
	uffd = -1;
}

static void run(char *words)
{
	char *rest, *name = strtok_r(words, " ", &rest), *op;
	const char *wrong = name ? make_mapping(name) : "no mapping named", *bar = "";

	if (!wrong)
		wrong = open_userfaultfd();
	if (wrong)
		printf("error %s", wrong);
	while (!wrong && (op = strtok_r(NULL, " ", &rest))) {
		long faults;
		const char *outcome = operate(op, &faults);

		if (!outcome) {
			printf("error the agent does not know operation %s", op);
			break;
		}
		printf("%s", bar);
		print_step(outcome, faults);
		bar = "|";
	}
	putchar('\n');
	drop();
}

/* --- which features work: by doing, not by asking --- */

static int soft_dirty(void)
{
	return pagemap_entry() >> SOFT_DIRTY_BIT & 1;
}

static const char *without_soft_dirty(void)
{
	long faults;

	operate("store", &faults);
	if (strcmp(operate("clear_refs", &faults), "ok"))
		return "clear_refs cannot be written";
	if (!(pagemap_entry() >> PRESENT_BIT & 1))
		return "pagemap cannot be read";
	if (soft_dirty())
		return "clear_refs leaves a page soft-dirty";
	operate("store", &faults);
	return soft_dirty() ? NULL : "a store does not make a page soft-dirty";
}

static const char *without_uffd_wp(void)
{
	long faults;
	const char *wrong = open_userfaultfd();

	if (wrong)
		return wrong;
	operate("store", &faults);	/* an empty anonymous entry cannot be protected */
	if (strcmp(operate("register", &faults), "ok"))
		return "this mapping cannot be registered for write protection";
	if (strcmp(operate("wp", &faults), "ok"))
		return "UFFDIO_WRITEPROTECT fails";
	if (strcmp(operate("store", &faults), "event"))
		return "a store to a protected page raises no event";
	return NULL;
}

static void probe(char *words)
{
	const char *wrong = make_mapping(words);

	drop();
	if (wrong) {
		printf("lacks mapping: %s\n", wrong);
		return;
	}
	make_mapping("anon");
	wrong = without_soft_dirty();
	printf(wrong ? "lacks soft-dirty: %s; " : "has soft-dirty; ", wrong);
	drop();
	make_mapping(words);
	wrong = without_uffd_wp();
	printf(wrong ? "lacks uffd-wp: %s; " : "has uffd-wp; ", wrong);
	printf("has mapping\n");
	drop();
}

/* --- the life of the agent --- */

static void execute(char *path)
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	waitpid(child, &status, 0);
	printf("exit %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static int be_init(void)
{
	struct termios raw;
	int fd;

	mkdir("/proc", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	write_file("/proc/sys/vm/nr_hugepages", HUGE_PAGES);
	mknod("/dev/ttyS1", S_IFCHR | 0600, makedev(4, 65));
	fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY);
	if (fd < 0 || tcgetattr(fd, &raw))
		return -1;
	cfmakeraw(&raw);
	tcsetattr(fd, TCSANOW, &raw);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	return 0;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct utsname name;
	char *line = NULL;
	size_t room = 0;
	int init = getpid() == 1;

	if (init && be_init()) {
		fprintf(stderr, "the agent finds no second serial port\n");
		reboot(RB_AUTOBOOT);
	}
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	smaps = open("/proc/self/smaps", O_RDONLY);
	refs = open("/proc/self/clear_refs", O_WRONLY);
	uname(&name);
	printf("agent %s | %s\n", name.release, name.version);
	fflush(stdout);

	while (getline(&line, &room, stdin) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "run ", 4))
			run(line + 4);
		else if (!strncmp(line, "probe ", 6))
			probe(line + 6);
		else if (!strncmp(line, "exec ", 5))
			execute(line + 5);
		else if (!strcmp(line, "end"))
			break;
		else
			printf("error the agent does not know '%s'\n", line);
		fflush(stdout);
	}
	if (init)
		reboot(RB_AUTOBOOT);
	return 0;
}
