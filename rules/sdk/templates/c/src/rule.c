// Someone opened the decoy.
#include <sentinel.h>

static int check(const struct sentinel_event *event)
{
	return event->kind == SENTINEL_OPEN && sentinel_equal(sentinel_open_path(event), SENTINEL_TEXT("/etc/hosts"));
}

SENTINEL_RULE(check)
