/*
 * The lab's agent: makes the calls of a run on the kernel it runs on, and says what a program sees.
 *
 * It speaks on standard input and output; as init of a virtual machine, on the second serial port.
 *
 *   it says first    agent RELEASE | VERSION
 *   probe MAPPING    has FEATURE ... ; lacks FEATURE: REASON ; ...
 *   run MAPPING OP…  OUTCOME FAULTS BITS FLAGS | ...      a field group for each operation,
 *                    without FLAGS where they are as before: a serial line is slow
 *   exec PATH        the program's lines, then: exit STATUS
 *   end              (ends; as init, reboots)
 *
 * BITS are the pagemap bits 63 62 61 56 57 55, then where the kernel has PAGEMAP_SCAN "+" and the
 * categories of the page in hexadecimal; FLAGS the VmFlags of smaps, joined by commas.
 * Of a MAPPING:PAGES there are the BITS of each page, joined by slashes: "." where nothing is mapped,
 * empty where they are as before, and none behind the last that is not; and FLAGS are VMAs, FIRST-LAST,FLAGS joined by semicolons, or ".".
 */
#define _GNU_SOURCE
#include "calls.h"
#include "told.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define HUGE_PAGES "8"		/* kept for hugetlb: the mapping, its copies, and some to spare */
#define THP "/sys/kernel/mm/transparent_hugepage/"
#define PRESENT_BIT 63
#define SOFT_DIRTY_BIT 55


/* --- a run from a fresh mapping --- */

static void run(char *words)
{
	char *rest, *name = strtok_r(words, " ", &rest), *op;
	const char *wrong = name ? make_mapping(name) : "no mapping named", *bar = "";

	if (!wrong && has_userfaultfd())
		wrong = open_userfaultfd();
	if (wrong)
		printf("error %s", wrong);
	begin_run();
	while (!wrong && (op = strtok_r(NULL, " ", &rest))) {
		long faults;
		const char *outcome = operate(op, &faults);

		if (!outcome) {
			printf("error the agent does not know operation %s", op);
			break;
		}
		if (run_by_child())
			return drop();
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

/* Documentation/admin-guide/mm/pagemap.rst. A later kernel without it is wrong, and lacks nothing. */
static const char *without_uffd_wp_bit(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	return major < 5 || (major == 5 && minor < 13) ?
		"pagemap has it since Linux 5.13" : NULL;
}

static void say(const char *feature, const char *wrong)
{
	printf(wrong ? "lacks %s: %s; " : "has %s; ", feature, wrong);
}

static void probe(char *words)
{
	const char *wrong = make_mapping(words);

	if (!wrong)
		wrong = without_huge_page();
	drop();
	if (wrong) {
		printf("lacks mapping: %s\n", wrong);
		return;
	}
	make_mapping("anon");
	say("soft-dirty", without_soft_dirty());
	drop();
	/* That a regular file cannot be registered is an answer, and nothing that is lacking. */
	make_mapping(strstr(words, "file") ? "anon" : words);
	say("uffd-wp", without_uffd_wp());
	say("uffd-wp-bit", without_uffd_wp_bit());
	drop();
	say("swap", without_swap());
	say("second-node", without_second_node());
	say("pins", without_pins());
	say("ksm", without_ksm());
	say("map-files", without_map_files());
	printf("has mapping\n");
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

/* /module0.ko and on, in order; NULL, or why the last of those that are not loaded is not. */
static const char *load_modules(void)
{
	static char wrong[64];
	char name[] = "/module0.ko";

	for (int i = 0; i < 9; i++) {
		name[7] = '0' + i;
		int from = open(name, O_RDONLY | O_CLOEXEC);
		if (from < 0)
			break;
		if (syscall(SYS_finit_module, from, "rd_nr=2 rd_size=131072", 0))
			snprintf(wrong, sizeof(wrong), "a module does not load (%s)",
				 strerrorname_np(errno));
		close(from);
	}
	return *wrong ? wrong : NULL;
}

/* /ext4 is the image of a file system, for /dev/ram1. */
static void make_devices(void)
{
	const char *not_loaded = load_modules();
	char block[4096];
	ssize_t got;
	int from, to;

	mkdir("/var", 0755);
	mkdir(FILE_SYSTEM, 0777);
	mknod("/dev/ram0", S_IFBLK | 0600, makedev(1, 0));
	mknod("/dev/ram1", S_IFBLK | 0600, makedev(1, 1));
	from = open("/ext4", O_RDONLY | O_CLOEXEC);
	to = open("/dev/ram1", O_WRONLY | O_CLOEXEC);
	if (to < 0) {
		snprintf(no_disk, sizeof(no_disk), "there is no RAM disk: %s",
			 not_loaded ? not_loaded : "this kernel needs the module brd for it");
		return;
	}
	while ((got = read(from, block, sizeof(block))) > 0)
		if (write(to, block, got) != got)
			break;
	close(from);
	close(to);
	if (mount("/dev/ram1", FILE_SYSTEM, "ext4", 0, NULL))
		snprintf(no_files, sizeof(no_files), "ext4 cannot be mounted (%s)",
			 strerrorname_np(errno));
}

/* What the kernel would do at a time of its own, asked for by no call, and seen by a slow run:
 * khugepaged sleeps for days between two scans, once there is something to scan. */
static void quieten(void)
{
	char *huge;

	write_file("/proc/sys/kernel/numa_balancing", "0");
	write_file("/proc/sys/vm/dirty_writeback_centisecs", "0");
	write_file("/proc/sys/vm/compaction_proactiveness", "0");
	write_file(THP "khugepaged/scan_sleep_millisecs", "2000000000");
	huge = mmap(NULL, HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(huge, HUGE_PAGE, MADV_HUGEPAGE);
}

static int be_init(void)
{
	struct termios raw;
	int fd;

	mkdir("/proc", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mkdir("/sys", 0755);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	write_file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", HUGE_PAGES);
	write_file(THP "enabled", "madvise");
	write_file(THP "shmem_enabled", "advise");
	quieten();
	make_devices();
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
	struct utsname name;
	char *line = NULL;
	size_t room = 0;
	int init = getpid() == 1;

	if (init && be_init()) {
		fprintf(stderr, "the agent finds no second serial port\n");
		reboot(RB_AUTOBOOT);
	}
	prepare_calls();
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
