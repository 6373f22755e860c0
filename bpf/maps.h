// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The maps, and how each of the two loaders reaches into them.
#ifndef SENTINEL_MAPS_H
#define SENTINEL_MAPS_H

#define OWN_PROCESSES 4
#define NAME_SIZE 256	 // NAME_MAX and room for a mask
#define RECORD_MASK (MAX_RECORD - 1)
#define SEEN_SIZE 256 // of a path, when a call begins
#define FINISH 0	// the handler that is no kind's
#define TRACKED 4096  // calls, processes under a limit, users and cgroups of a scope: more than ever are at once
#define MEMBERS 16384 // processes of all trees of a scope; a child beyond that is in none

// Call and kind that one system call number stands for, in the native [0] and the 32-bit [1] table.
struct call {
	u16 id[2];
	u16 kind[2];
	u16 racy[2];
};

// Bits of `only` and `ignore`, by what a filter looks at.
enum scope_field {
	SCOPE_UID = 1,
	SCOPE_PID = 2,
	SCOPE_CGROUP = 4,
};

// Values in the scope maps.
enum scope_side {
	SIDE_ONLY = 1,
	SIDE_IGNORE = 2,
};

struct config {
	u64 mask;		 // kinds wanted
	u64 wake;		 // bit per ring: wake the reader for each record
	u32 own[OWN_PROCESSES];	 // processes that are ours, never reported
	u32 only, ignore;	 // scope_field bits: which scope maps say what is reported
	u32 limit;		 // events a second for each process and bulk kind; 0 for no limit
	u32 unused;
};

struct counters {
	u64 emitted[KIND_SLOTS];
	u64 dropped[KIND_SLOTS];
	u64 filtered[KIND_SLOTS];
	u64 suppressed[KIND_SLOTS];
	u64 seq[RINGS];
};

struct bucket_key {
	u32 tgid, kind;
};

// A token bucket of one process and one bulk kind.
struct bucket {
	u64 at;		// boot_ns of the last refill
	u64 told;	// and of the last `suppressed` event
	u64 tokens;
	u64 suppressed; // events since then
};

enum memory {
	NOWHERE, // the descriptor is all
	USER,
	KERNEL,
};

struct place {
	void *mnt, *dentry; // as struct path
};

// The paths that an operation names: for each slot that of descriptor fd, and after it a string in this memory.
struct names {
	u64 from[2];
	u64 raw[2]; // user strings that are no paths, for slots 1 and 2
	struct place at[2]; // where a path that is not absolute begins
	bool relative[2];
	int fd[2];
	u32 count;
	enum memory memory;
};

// The user strings of a call when it began.
struct entered {
	u64 call;
	u8 path[2][SEEN_SIZE];
};

// One message that a call sends, in user memory.
struct message {
	u64 to, payload, size;
};

struct scratch {
	u64 arg[5];
	struct names names;
	struct entered entered;
	struct message message;
	s64 ret;
	u32 call;
	u32 kind;
	u32 flags;	// record flags so far
	u32 end;	// bytes of the record in use
	u32 place;	// of the message in a call that sends several
	bool call_again; // the handler, for the next one
	u32 raced;	// 1 + the place of the path that had changed since the call began
	u64 suppressed; // events of this kind not reported before this one, and not told of yet
	union {
		struct event event;
		u8 record[MAX_RECORD + MAX_PATH + NAME_SIZE];
	};
	// What loops count; in memory, where the verifier does not follow it.
	u32 start; // of the path being built
	u32 at;	   // in a question for a name
	bool whole, loose;
	u8 path[MAX_PATH + NAME_SIZE]; // a path being built, from its end
};

BPF_ARRAY(calls, struct call, CALL_SLOTS);
BPF_ARRAY(config, struct config, 1);
BPF_PERCPU_ARRAY(counters, struct counters, 1);
BPF_PERCPU_ARRAY(scratch, struct scratch, 1);
BPF_PROG_ARRAY(handlers, KIND_SLOTS);
BPF_HASH(scope_uids, u32, u32, TRACKED);
BPF_HASH(scope_pids, u32, u32, MEMBERS);
BPF_HASH(scope_cgroups, u64, u32, TRACKED);
BPF_TABLE("lru_hash", struct bucket_key, struct bucket, buckets, TRACKED);
BPF_TABLE("lru_hash", u64, struct entered, entered, TRACKED);
BPF_RINGBUF_OUTPUT(lifecycle, LIFECYCLE_PAGES);
BPF_RINGBUF_OUTPUT(bulk, BULK_PAGES);

// BCC rewrites method calls, and refuses them in macros.
#ifdef CORE
static __always_inline void *first(void *map)
{
	u32 zero = 0;
	return bpf_map_lookup_elem(map, &zero);
}

#define scratch_of_cpu() ((struct scratch *)first(&scratch))
#define counters_of_cpu() ((struct counters *)first(&counters))
#define current_config() ((struct config *)first(&config))
#define call_of(number) ((struct call *)bpf_map_lookup_elem(&calls, &(u32){number}))
#define run_handler(ctx, kind) bpf_tail_call(ctx, &handlers, kind)
#define side_of_uid(uid) ((u32 *)bpf_map_lookup_elem(&scope_uids, &(u32){uid}))
#define side_of_pid(pid) ((u32 *)bpf_map_lookup_elem(&scope_pids, &(u32){pid}))
#define side_of_cgroup(cgroup) ((u32 *)bpf_map_lookup_elem(&scope_cgroups, &(u64){cgroup}))
#define set_side_of_pid(pid, side) bpf_map_update_elem(&scope_pids, &(u32){pid}, side, 0)
#define forget_side_of_pid(pid) bpf_map_delete_elem(&scope_pids, &(u32){pid})
#define bucket_of(key) ((struct bucket *)bpf_map_lookup_elem(&buckets, key))
#define set_bucket(key, bucket) bpf_map_update_elem(&buckets, key, bucket, 0)
#define forget_bucket(key) bpf_map_delete_elem(&buckets, key)
#define entered_of(thread) ((struct entered *)bpf_map_lookup_elem(&entered, &(u64){thread}))
#define set_entered(thread, value) bpf_map_update_elem(&entered, &(u64){thread}, value, 0)
#define put_in_lifecycle(e, len, flags) bpf_ringbuf_output(&lifecycle, e, len, flags)
#define put_in_bulk(e, len, flags) bpf_ringbuf_output(&bulk, e, len, flags)
#else
static __always_inline struct scratch *scratch_of_cpu(void)
{
	u32 zero = 0;
	return scratch.lookup(&zero);
}

static __always_inline struct counters *counters_of_cpu(void)
{
	u32 zero = 0;
	return counters.lookup(&zero);
}

static __always_inline struct config *current_config(void)
{
	u32 zero = 0;
	return config.lookup(&zero);
}

static __always_inline struct call *call_of(u32 number)
{
	return calls.lookup(&number);
}

static __always_inline void run_handler(void *ctx, u32 kind)
{
	handlers.call(ctx, kind);
}

static __always_inline u32 *side_of_uid(u32 uid)
{
	return scope_uids.lookup(&uid);
}

static __always_inline u32 *side_of_pid(u32 pid)
{
	return scope_pids.lookup(&pid);
}

static __always_inline u32 *side_of_cgroup(u64 cgroup)
{
	return scope_cgroups.lookup(&cgroup);
}

static __always_inline void set_side_of_pid(u32 pid, u32 *side)
{
	scope_pids.update(&pid, side);
}

static __always_inline void forget_side_of_pid(u32 pid)
{
	scope_pids.delete(&pid);
}

static __always_inline struct bucket *bucket_of(struct bucket_key *key)
{
	return buckets.lookup(key);
}

static __always_inline void set_bucket(struct bucket_key *key, struct bucket *bucket)
{
	buckets.update(key, bucket);
}

static __always_inline void forget_bucket(struct bucket_key *key)
{
	buckets.delete(key);
}

static __always_inline struct entered *entered_of(u64 thread)
{
	return entered.lookup(&thread);
}

static __always_inline void set_entered(u64 thread, struct entered *value)
{
	entered.update(&thread, value);
}

static __always_inline long put_in_lifecycle(struct event *e, u32 len, u64 flags)
{
	return lifecycle.ringbuf_output(e, len, flags);
}

static __always_inline long put_in_bulk(struct event *e, u32 len, u64 flags)
{
	return bulk.ringbuf_output(e, len, flags);
}
#endif

#endif
