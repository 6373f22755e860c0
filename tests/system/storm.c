// Forks processes of every sort, argv[1] of them; each says on descriptor 3 who it is and who made it:
// "<sort> <pid> <start in ticks> <parent's pid> <parent's start>". Says "go" on stdout after half a thousand,
// waits for the end of its input before the last two hundred, and says how many there were. Those of the sorts "short"
// and "link" end at once, the others after 60 s.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long long own_start(void)
{
	char text[1024];
	FILE *file = fopen("/proc/self/stat", "r");
	size_t size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = 0;
	unsigned long long start = 0;
	sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &start);
	return start;
}

static int made;
static pid_t pid;
static unsigned long long start;

// In the child: says who it is. In the parent 1.
static int spawn(const char *sort)
{
	pid_t parent = pid;
	unsigned long long parent_start = start;
	char line[128];
	made++;
	pid_t child = fork();
	if (child < 0)
		_exit(1);
	if (child)
		return 1;
	pid = getpid();
	start = own_start();
	int size = snprintf(line, sizeof(line), "%s %d %llu %d %llu\n", sort, pid, start, parent, parent_start);
	if (write(3, line, size) != size)
		_exit(1);
	return 0;
}

static void stay(void)
{
	sleep(60);
	_exit(0);
}

// Each makes the next one; every second one ends then, and what it made is given to another.
static void chain(int depth)
{
	if (!depth)
		stay();
	if (spawn(depth == 1 || depth % 2 == 0 ? "chain" : "link")) {
		if (depth % 2)
			stay();
		_exit(0);
	}
	chain(depth - 1);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "stay"))
		stay();
	int wanted = argc > 1 ? atoi(argv[1]) : 0, begun = 0;
	char byte;
	signal(SIGCHLD, SIG_IGN);
	pid = getpid();
	start = own_start();
	for (int round = 0; made < wanted; round++) {
		switch (round % 8) {
		case 0: // two generations, of which the first ends at once
			if (!spawn("short")) {
				if (!spawn("orphan"))
					stay();
				_exit(0);
			}
			made++;
			break;
		case 1:
			if (!spawn("session")) {
				setsid();
				stay();
			}
			break;
		case 2:
			if (!spawn("program")) {
				execl("/proc/self/exe", "storm", "stay", NULL);
				_exit(1);
			}
			break;
		case 3:
			if (round % 64 == 3) {
				if (!spawn("chain"))
					chain(7);
				made += 7;
			}
			break;
		case 4: // its child has ended and is not waited for
			if (!spawn("negligent")) {
				signal(SIGCHLD, SIG_DFL);
				if (!spawn("short"))
					_exit(0);
				stay();
			}
			made++;
			break;
		default:
			if (!spawn("short"))
				_exit(0);
		}
		if (made >= 500 && !begun) {
			begun = 1;
			puts("go");
			fflush(stdout);
		}
		if (made >= wanted - 200) // at the end of the input, that is not waited for again
			read(0, &byte, 1);
		usleep(50);
	}
	printf("%d\n", made);
	fflush(stdout);
	stay();
}
