/* Opens and closes one file, its own program by the path it was called with, as fast as it can on one CPU for some
   seconds; prints how often, and the rate.
   opens SECONDS CPU [PER_SECOND]: with a rate, paced in bursts of one millisecond. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
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
	if (argc < 3)
		return 2;
	double seconds = atof(argv[1]), rate = argc > 3 ? atof(argv[3]) : 0;
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[2]), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	double began = now(), passed = 0;
	long done = 0;
	while (passed < seconds) {
		long due = rate ? (long)(rate * (passed + 0.001)) : done + 1000;
		for (; done < due; done++)
			close(open(argv[0], O_RDONLY));
		while (rate && now() - began < done / rate)
			;
		passed = now() - began;
	}
	printf("%ld %f\n", done, done / passed);
	return 0;
}
