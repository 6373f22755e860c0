// SPDX-License-Identifier: Apache-2.0
//
// Rules in C: freestanding C11, no libc. `sentinel-tui rules build` compiles src/rule.c with this folder on its path.
//
//     #include <sentinel.h>
//
//     static int check(const struct sentinel_event *event)
//     {
//         return event->kind == SENTINEL_BIND && sentinel_bind_port(event) == 4444;
//     }
//
//     SENTINEL_RULE(check)
//
// 0 is no match, 1 to 100 a match and its score, a negative number an error of the rule itself.
#ifndef SENTINEL_H
#define SENTINEL_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"

// A literal as a `struct sentinel_text`.
#define SENTINEL_TEXT(literal) ((struct sentinel_text){(literal), sizeof(literal) - 1})

// What the host offers; each asks for a capability in rule.yaml.
#define SENTINEL_IMPORT(name) __attribute__((import_module("host"), import_name(name)))
// Puts this line beside the alert: `capabilities: [log]`.
SENTINEL_IMPORT("log_message") void sentinel_log(const char *line, uint32_t len);
// The event's own time, ns since the epoch; a replay gives the same: `capabilities: [clock]`.
SENTINEL_IMPORT("get_timestamp") int64_t sentinel_timestamp(void);
// Writes a process as it was at the time of the event, as an exec record, and returns its length: 0 when the process is
// not known, negative when the record is longer than `room`: `capabilities: [process]`.
SENTINEL_IMPORT("get_process") int32_t sentinel_get_process(uint32_t pid, void *record, uint32_t room);

// Room for one: read `event` with the functions of exec. Long strings are cut.
struct sentinel_process {
	struct sentinel_event event;
	char strings[1008 - sizeof(struct sentinel_event)];
};

// Whether the process with this id is known; then it is in `process`.
static inline bool sentinel_find(uint32_t pid, struct sentinel_process *process)
{
	return sentinel_get_process(pid, process, sizeof(*process)) > 0;
}

#define SENTINEL_EXPORT(name) __attribute__((export_name(name)))

// Makes `int check(const struct sentinel_event *)` this module's rule.
#define SENTINEL_RULE(check) \
	SENTINEL_EXPORT("sentinel_abi_v1") void sentinel_abi_v1(void) {} \
	SENTINEL_EXPORT("sentinel_alloc") void *sentinel_alloc(uint32_t len) \
	{ \
		static uint64_t input[SENTINEL_MAX_RECORD / 8]; \
		return len <= sizeof(input) ? input : 0; \
	} \
	SENTINEL_EXPORT("sentinel_eval") int32_t sentinel_eval(const struct sentinel_event *event, uint32_t len) \
	{ \
		return sentinel_whole(event, len) ? (check)(event) : -1; \
	}

// Also makes `int configure(struct sentinel_text json)` what is called once, before any event, with the manifest's
// `config:` as JSON; a negative number refuses it.
#define SENTINEL_CONFIG(configure) \
	SENTINEL_EXPORT("sentinel_config") int32_t sentinel_config(const char *json, uint32_t len) \
	{ \
		return (configure)((struct sentinel_text){json, len}); \
	}

// Hands this static variable, which must hold no pointer, to the next generation when the rule is reloaded; one of
// another size begins anew: `capabilities: [state]`.
#define SENTINEL_STATE(variable) \
	SENTINEL_EXPORT("sentinel_snapshot") int64_t sentinel_snapshot(void) \
	{ \
		return (int64_t)((uint64_t)sizeof(variable) << 32 | (uintptr_t)&(variable)); \
	} \
	SENTINEL_EXPORT("sentinel_restore") int32_t sentinel_restore(const void *other, uint32_t len) \
	{ \
		if (len != sizeof(variable)) \
			return -1; \
		__builtin_memcpy(&(variable), other, sizeof(variable)); \
		return 0; \
	}

// Whether the record is all there: its strings end before it does.
static inline bool sentinel_whole(const struct sentinel_event *event, uint32_t len)
{
	if (len < sizeof(*event) || event->len > len)
		return false;
	return sizeof(*event) + event->slen[0] + event->slen[1] + event->slen[2] + event->slen[3] <= event->len;
}

static inline bool sentinel_starts_with(struct sentinel_text text, struct sentinel_text start)
{
	if (text.len < start.len)
		return false;
	for (uint32_t at = 0; at < start.len; at++)
		if (text.at[at] != start.at[at])
			return false;
	return true;
}

static inline bool sentinel_equal(struct sentinel_text left, struct sentinel_text right)
{
	return left.len == right.len && sentinel_starts_with(left, right);
}

static inline bool sentinel_ends_with(struct sentinel_text text, struct sentinel_text end)
{
	return text.len >= end.len &&
	       sentinel_equal((struct sentinel_text){text.at + text.len - end.len, end.len}, end);
}

static inline bool sentinel_contains(struct sentinel_text text, struct sentinel_text part)
{
	for (; text.len >= part.len; text.at++, text.len--)
		if (sentinel_starts_with(text, part))
			return true;
	return false;
}

// The thread's name. Any program can choose its own: never trust it.
static inline struct sentinel_text sentinel_comm(const struct sentinel_event *event)
{
	uint32_t len = 0;
	while (len < sizeof(event->comm) && event->comm[len])
		len++;
	return (struct sentinel_text){event->comm, len};
}

// Whether the call was refused for want of a permission (EPERM or EACCES).
static inline bool sentinel_denied(const struct sentinel_event *event)
{
	return event->ret == -1 || event->ret == -13;
}

#endif
