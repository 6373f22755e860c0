/* Starts itself again and again for some seconds on one CPU; prints how often, and the rate. Build it static.
   spawns SECONDS CPU [PER_SECOND] */
#define _GNU_SOURCE
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	if (argc < 3) /* a child */
		return 0;
	double seconds = atof(argv[1]), rate = argc > 3 ? atof(argv[3]) : 0;
	char *self = realpath("/proc/self/exe", NULL), *child_argv[] = { self, NULL };
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[2]), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	double began = now(), passed = 0;
	long done = 0;
	for (; passed < seconds; passed = now() - began) {
		pid_t child;
		if (posix_spawn(&child, self, NULL, NULL, child_argv, NULL) || waitpid(child, NULL, 0) < 0)
			return 1;
		done++;
		if (rate && now() - began < done / rate)
			usleep((done / rate - (now() - began)) * 1e6);
	}
	printf("%ld %f\n", done, done / passed);
	return 0;
}
