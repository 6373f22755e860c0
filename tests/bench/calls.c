/* Times one kind of system call on one CPU: prints the median of its rounds, in nanoseconds per call.
   calls KIND CPU SECONDS FOLDER: works in FOLDER; `calls -` lists the kinds. Built static: a program that it starts is
   itself, and does nothing but end. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUND = 64, MOST_ROUNDS = 100000 };

static char *self;
static int sock, file, fds[ROUND];
static pid_t me;
static struct sockaddr_in peer;
static char names[ROUND][16], others[ROUND][16];

static void must(int result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	exit(1);
}

static void create(int i) { must(close(open(names[i], O_CREAT | O_WRONLY, 0600)), "create"); }
static void remove_it(int i) { must(unlink(names[i]), "unlink"); }
static void remove_both(int i) { remove_it(i); must(unlink(others[i]), "unlink"); }
static void remove_other(int i) { must(unlink(others[i]), "unlink"); }
static void remove_folder(int i) { must(rmdir(names[i]), "rmdir"); }
static void close_it(int i) { must(close(fds[i]), "close"); }
static void nothing(int i) { (void)i; }

static void do_open(int i) { must(fds[i] = open("/etc/hostname", O_RDONLY), "open"); }
static void do_rename(int i) { must(rename(names[i], others[i]), "rename"); }
static void do_chmod(int i) { must(chmod(".", i & 1 ? 0700 : 0711), "chmod"); }
static void do_chown(int i) { (void)i; must(chown(".", -1, -1), "chown"); }
static void do_truncate(int i) { must(ftruncate(file, i), "truncate"); }
static void do_link(int i) { must(link(names[i], others[i]), "link"); }
static void do_symlink(int i) { must(symlink("target", names[i]), "symlink"); }
static void do_mkdir(int i) { must(mkdir(names[i], 0700), "mkdir"); }
static void do_connect(int i) { (void)i; must(connect(sock, (void *)&peer, sizeof(peer)), "connect"); }
static void do_kill(int i) { (void)i; must(kill(me, SIGURG), "kill"); }
static void do_memfd(int i) { must(fds[i] = memfd_create("bench", 0), "memfd_create"); }
static void do_setuid(int i) { (void)i; must(setuid(0), "setuid"); }
static void do_prctl(int i) { (void)i; must(prctl(PR_SET_NAME, "calls"), "prctl"); }

static void do_spawn(int i)
{
	char *argv[] = { self, NULL };
	pid_t child;
	(void)i;
	must(-posix_spawn(&child, self, NULL, NULL, argv, NULL), "posix_spawn");
	must(waitpid(child, NULL, 0), "waitpid");
}

/* The kind, what is done before each call and after it (both untimed), the call. */
static const struct { const char *kind; void (*before)(int), (*call)(int), (*after)(int); } all[] = {
	{ "open", nothing, do_open, close_it },
	{ "unlink", create, remove_it, nothing },
	{ "rename", create, do_rename, remove_other },
	{ "link", create, do_link, remove_both },
	{ "symlink", nothing, do_symlink, remove_it },
	{ "mkdir", nothing, do_mkdir, remove_folder },
	{ "chmod", nothing, do_chmod, nothing },
	{ "chown", nothing, do_chown, nothing },
	{ "truncate", nothing, do_truncate, nothing },
	{ "connect", nothing, do_connect, nothing },
	{ "kill", nothing, do_kill, nothing },
	{ "memfd_create", nothing, do_memfd, close_it },
	{ "setuid", nothing, do_setuid, nothing },
	{ "prctl", nothing, do_prctl, nothing },
	{ "exec", nothing, do_spawn, nothing },
};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double took[MOST_ROUNDS];
	int kinds = sizeof(all) / sizeof(*all), kind = 0, rounds = 0;
	if (argc == 1)
		return 0;
	if (argc == 2) {
		for (int i = 0; i < kinds; i++)
			puts(all[i].kind);
		return 0;
	}
	if (argc != 5)
		return 2;
	while (kind < kinds && strcmp(all[kind].kind, argv[1]))
		kind++;
	if (kind == kinds)
		return 2;
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[2]), &cpus);
	must(sched_setaffinity(0, sizeof(cpus), &cpus), "sched_setaffinity");
	me = getpid();
	self = realpath("/proc/self/exe", NULL);
	must(chdir(argv[4]), argv[4]);
	must(sock = socket(AF_INET, SOCK_DGRAM, 0), "socket");
	must(file = open("truncated", O_CREAT | O_WRONLY, 0600), "open");
	peer = (struct sockaddr_in){ AF_INET, htons(9), { htonl(INADDR_LOOPBACK) }, { 0 } };
	for (int i = 0; i < ROUND; i++) {
		sprintf(names[i], "a%d", i);
		sprintf(others[i], "b%d", i);
	}
	double end = now() + atof(argv[3]) * 1e9;
	while (rounds < MOST_ROUNDS && now() < end) {
		for (int i = 0; i < ROUND; i++)
			all[kind].before(i);
		double began = now();
		for (int i = 0; i < ROUND; i++)
			all[kind].call(i);
		took[rounds++] = (now() - began) / ROUND;
		for (int i = 0; i < ROUND; i++)
			all[kind].after(i);
	}
	qsort(took, rounds, sizeof(*took), ascending);
	printf("%f\n", took[rounds / 2]);
	return 0;
}
