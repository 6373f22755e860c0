// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One record: whether it is wanted, its header, its strings, and the way into a ring.
#ifndef SENTINEL_RECORD_H
#define SENTINEL_RECORD_H

#define PROC_PID_INIT_INO 0xEFFFFFFC // the first pid namespace
#define SECOND 1000000000ULL

// A member of a struct that the verifier knows the type of: a plain load, 0 where a pointer is bad.
#define GET(type, base, member) (*(type *)((void *)(base) + OFF_##member))
// A member of any other kernel struct. Ten times slower, so neighbours are read together where it counts.
#define PEEK(type, base, member)                                                                    \
	({                                                                                          \
		type _value = 0;                                                                    \
		read_from_kernel(&_value, sizeof(_value), (void *)((u64)(base) + OFF_##member)); \
		_value;                                                                             \
	})

static void *(*current_task)(void) = (void *)158; // bpf_get_current_task_btf, newer than BCC's headers
// bpf_probe_read_*: under their own names BCC would read all of the kernel's symbols for each use.
static long (*read_from_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*read_from_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*read_string_from_user)(void *to, u32 size, const void *from) = (void *)114;
static long (*read_string_from_kernel)(void *to, u32 size, const void *from) = (void *)115;

// ---- whether ------------------------------------------------------------------------------------

static __always_inline bool passes(struct config *cfg, u32 field, u32 *side)
{
	u32 sides = side ? *side : 0;
	return !(sides & SIDE_IGNORE && cfg->ignore & field) && (sides & SIDE_ONLY || !(cfg->only & field));
}

static __always_inline bool in_scope(struct config *cfg, u32 tgid)
{
	u32 used = cfg->only | cfg->ignore;
	return (!(used & SCOPE_UID) || passes(cfg, SCOPE_UID, side_of_uid(bpf_get_current_uid_gid()))) &&
	       (!(used & SCOPE_PID) || passes(cfg, SCOPE_PID, side_of_pid(tgid))) &&
	       (!(used & SCOPE_CGROUP) || passes(cfg, SCOPE_CGROUP, side_of_cgroup(bpf_get_current_cgroup_id())));
}

static __always_inline bool wanted(u32 kind)
{
	struct config *cfg = current_config();
	if (!cfg)
		return false;
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	if (cfg->mask >> (kind & 63) & 1) {
		for (int i = 0; i < OWN_PROCESSES; i++)
			if (cfg->own[i] == tgid)
				return false;
		if (!(cfg->only | cfg->ignore) || in_scope(cfg, tgid))
			return true;
	}
	struct counters *count = counters_of_cpu();
	if (count)
		count->filtered[kind & (KIND_SLOTS - 1)]++;
	return false;
}

// Whether this process may report one more event of this kind.
static __always_inline bool take_token(struct scratch *s, u32 limit, u32 kind)
{
	struct bucket_key key = {.tgid = bpf_get_current_pid_tgid() >> 32, .kind = kind};
	struct bucket *bucket = bucket_of(&key);
	u64 now = bpf_ktime_get_boot_ns();
	if (!bucket) {
		struct bucket full = {.at = now, .told = now, .tokens = limit - 1};
		set_bucket(&key, &full);
		return true;
	}
	u64 elapsed = now - bucket->at;
	if (elapsed >= SECOND) {
		bucket->tokens = limit;
		bucket->at = now;
	} else if (elapsed * limit >= SECOND) {
		u64 more = elapsed * limit / SECOND;
		bucket->tokens = bucket->tokens + more > limit ? limit : bucket->tokens + more;
		bucket->at += more * SECOND / limit;
	}
	if (!bucket->tokens) {
		struct counters *count = counters_of_cpu();
		if (count)
			count->suppressed[kind & (KIND_SLOTS - 1)]++;
		__sync_fetch_and_add(&bucket->suppressed, 1);
		return false;
	}
	bucket->tokens--;
	if (bucket->suppressed && now - bucket->told >= SECOND) {
		s->suppressed = bucket->suppressed;
		bucket->suppressed = 0;
		bucket->told = now;
	}
	return true;
}

// ---- header -------------------------------------------------------------------------------------

// The pid namespace of the current task; 0 for the first one, whose process ids are the host's.
static __always_inline void *inner_pid_namespace(void *task, u32 *level)
{
	void *pid = GET(void *, task, task_struct__thread_pid);
	*level = GET(u32, pid, pid__level);
	return *level ? PEEK(void *, pid + (u64)*level * SIZE_upid, pid__numbers + OFF_upid__ns) : NULL;
}

// Fills the header for the current task. Last of all, since what it reads are typed pointers: see finish.
static __always_inline void fill_header(struct scratch *s)
{
	struct event *e = &s->event;
	void *task = current_task();
	void *leader = GET(void *, task, task_struct__group_leader);
	void *parent = GET(void *, task, task_struct__real_parent);
	void *cred = GET(void *, task, task_struct__cred);
	void *mnt_ns = GET(void *, GET(void *, task, task_struct__nsproxy), nsproxy__mnt_ns);
	u64 pid_tgid = bpf_get_current_pid_tgid();
	u64 uid_gid = bpf_get_current_uid_gid();
	u32 level;
	void *pid_ns = inner_pid_namespace(task, &level);

	e->version = RECORD_VERSION;
	e->boot_ns = bpf_ktime_get_boot_ns();
	e->cpu = bpf_get_smp_processor_id();
	e->tgid = pid_tgid >> 32;
	e->tid = pid_tgid;
	e->ppid = GET(u32, parent, task_struct__tgid);
	e->leader_start = GET(u64, leader, task_struct__start_boottime);
	e->uid = uid_gid;
	e->euid = GET(u32, cred, cred__euid);
	e->gid = uid_gid >> 32;
	e->loginuid = HAS_LOGINUID ? GET(u32, task, task_struct__loginuid) : -1;
	e->cgroup = bpf_get_current_cgroup_id();
	e->mntns = GET(u32, mnt_ns, mnt_namespace__ns__inum);
	e->pidns = level ? PEEK(u32, pid_ns, pid_namespace__ns__inum) : PROC_PID_INIT_INO;
	e->ret = s->ret;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
}

// An empty record of this kind: arguments are 0, and there are no strings.
static __always_inline void clear(struct scratch *s, u32 kind)
{
	struct event *e = &s->event;
	__builtin_memset(e->a, 0, sizeof(e->a) + sizeof(e->slen));
	e->kind = kind;
	s->end = HEADER_SIZE;
}

// Begins a record of the current task. False when the process is over its limit: there is nothing to put then.
static __always_inline bool begin(struct scratch *s, u32 kind)
{
	clear(s, kind);
	s->suppressed = 0;
	s->raced = 0;
	struct config *cfg = current_config();
	return !cfg || !cfg->limit || !(BULK_KINDS >> (kind & 63) & 1) || take_token(s, cfg->limit, kind);
}

// ---- into a ring --------------------------------------------------------------------------------

// The header is filled.
static __always_inline void emit_one(struct scratch *s)
{
	struct event *e = &s->event;
	struct config *cfg = current_config();
	struct counters *count = counters_of_cpu();
	u32 end = s->end & RECORD_MASK;
	u32 kind = e->kind & (KIND_SLOTS - 1);
	u32 ring = BULK_KINDS >> kind & 1;
	u32 len = (end + 7) & ~7u;
	if (!cfg || !count || len > MAX_RECORD)
		return;
	__builtin_memset(s->record + end, 0, 8); // the padding
	e->len = len;
	e->flags = s->flags;
	e->cpu_seq = ++count->seq[ring];
	u64 flags = cfg->wake >> ring & 1 ? 0 : BPF_RB_NO_WAKEUP;
	long failed = ring ? put_in_bulk(e, len, flags) : put_in_lifecycle(e, len, flags);
	if (failed)
		count->dropped[kind]++;
	else
		count->emitted[kind]++;
}

// Tells how many events of this kind the process was over its limit by. Under the header that is there: of the same
// moment and process, only the arguments are others.
static __always_inline void emit_suppressed(struct scratch *s, u32 kind, u64 count)
{
	clear(s, EVENT_SUPPRESSED);
	s->event.a[0] = kind;
	s->event.a[1] = count;
	s->event.ret = s->flags = 0;
	emit_one(s);
}

static __always_inline void emit(struct scratch *s)
{
	fill_header(s);
	emit_one(s);
	if (s->suppressed)
		emit_suppressed(s, s->event.kind, s->suppressed);
}

// The end of each handler of a call: what all have in common is one program, walked once by the verifier.
static __always_inline int finish(void *ctx)
{
	run_handler(ctx, FINISH);
	return 0;
}

// ---- strings ------------------------------------------------------------------------------------

// Counts the bytes just written at the end of the record as part of this string.
static __always_inline void keep(struct scratch *s, u32 slot, u32 size)
{
	u32 room = MAX_PATH - (s->event.slen[slot] & (2 * MAX_PATH - 1));
	if (size > room) {
		s->flags |= FLAG_TRUNCATED;
		size = room;
	}
	s->event.slen[slot] += size;
	s->end += size;
}

// A NUL-terminated string in this memory.
static __always_inline void put_string(struct scratch *s, u32 slot, u64 from, enum memory memory)
{
	u8 *to = s->record + (s->end & RECORD_MASK);
	long size = memory == KERNEL ? read_string_from_kernel(to, MAX_PATH, (void *)from)
				     : read_string_from_user(to, MAX_PATH, (void *)from);
	if (memory == USER)
		s->flags |= FLAG_USER_PTR;
	if (size < 0)
		s->flags |= FLAG_FAULT;
	else if (size == MAX_PATH)
		s->flags |= FLAG_TRUNCATED;
	if (size > 1)
		keep(s, slot, size - 1);
}

static __always_inline void put_user(struct scratch *s, u32 slot, u64 from)
{
	put_string(s, slot, from, USER);
}

static __always_inline void put_bytes(struct scratch *s, u32 slot, const void *from, u32 size)
{
	if (size > MAX_PATH)
		return;
	if (read_from_kernel(s->record + (s->end & RECORD_MASK), size, from))
		s->flags |= FLAG_FAULT;
	else
		keep(s, slot, size);
}

// Reads an argument's struct from user memory, and says so.
static __always_inline bool read_user(struct scratch *s, void *to, u32 size, u64 from)
{
	s->flags |= FLAG_USER_PTR;
	if (!read_from_user(to, size, (void *)from))
		return true;
	s->flags |= FLAG_FAULT;
	return false;
}

// Reads a struct iovec, whose two members are half as long in a 32-bit program.
static __always_inline bool read_iovec(struct scratch *s, u64 from, u64 *base, u64 *size)
{
	u32 narrow[2] = {};
	u64 wide[2] = {};
	bool compat = s->flags & FLAG_COMPAT;
	bool good = compat ? read_user(s, narrow, sizeof(narrow), from) : read_user(s, wide, sizeof(wide), from);
	*base = compat ? narrow[0] : wide[0];
	*size = compat ? narrow[1] : wide[1];
	return good;
}

#endif
