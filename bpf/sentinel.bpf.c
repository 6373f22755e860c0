// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The kernel side of sentinel-tui: turns what processes do into the records of events.h.
//
// Typed raw tracepoints (tp_btf) only. sys_exit looks the call up in a table and tail-calls its kind's
// handler; everything else is sched_process_{exec,fork,exit}. Kernel structs are reached through
// OFF_<struct>__<member> byte offsets. Compiled ahead (CORE) they are relocations of core.h; compiled on the
// host by BCC the loader takes them from the running kernel's BTF.
#ifdef CORE
#include "core.h"
#else
#define BPF_LICENSE Dual BSD/GPL
#include <linux/types.h>
#define REQUIRE(condition) _Static_assert(condition, "this kernel's structs are laid out in another way")
#ifdef OFF_task_struct__loginuid
#define HAS_LOGINUID 1
#else
#define HAS_LOGINUID 0
#define OFF_task_struct__loginuid 0
#endif
#endif
#include "events.h"

#define __always_inline inline __attribute__((always_inline))
#define COMPONENTS 64	 // a deeper path keeps its last 64 names and is flagged truncated
#define NAME_SIZE 256	 // NAME_MAX and room for a mask
#define RECORD_MASK (MAX_RECORD - 1)
#define OWN_PROCESSES 4

#define AT_FDCWD -100
#define AT_REMOVEDIR 0x200
#define O_CREAT_FLAGS 01101 // what creat() means: O_WRONLY | O_CREAT | O_TRUNC
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define TTY_NAME_SIZE 64
#define UNIX_PATH_MAX 108
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define EINPROGRESS 115
#define TS_COMPAT 2
#define PROC_PID_INIT_INO 0xEFFFFFFC // the first pid namespace

// Call and kind that one system call number stands for, in the native [0] and the 32-bit [1] table.
struct call {
	u16 id[2];
	u16 kind[2];
};

struct config {
	u64 mask;		 // kinds wanted
	u64 wake;		 // bit per ring: wake the reader for each record
	u32 own[OWN_PROCESSES];	 // processes that are ours, never reported
};

struct counters {
	u64 emitted[KIND_SLOTS];
	u64 dropped[KIND_SLOTS];
	u64 filtered[KIND_SLOTS];
	u64 seq[RINGS];
};

// The paths that a call names: for each slot that of descriptor fd, and after it, if `user`, a user string.
struct names {
	u64 from[2]; // the user strings
	u64 raw[2];  // user strings that are no paths, for slots 1 and 2
	int fd[2];
	u32 count;
	bool user;
};

struct scratch {
	u64 arg[5];
	struct names names;
	s64 ret;
	u32 call;
	u32 kind;
	u32 flags; // record flags so far
	u32 end;   // bytes of the record in use
	union {
		struct event event;
		u8 record[MAX_RECORD + MAX_PATH + NAME_SIZE];
	};
	u32 start;		       // of the path being built; in memory, where the verifier does not follow it
	bool whole, loose;
	u8 path[MAX_PATH + NAME_SIZE]; // a path being built, from its end
};

BPF_ARRAY(calls, struct call, CALL_SLOTS);
BPF_ARRAY(config, struct config, 1);
BPF_PERCPU_ARRAY(counters, struct counters, 1);
BPF_PERCPU_ARRAY(scratch, struct scratch, 1);
BPF_PROG_ARRAY(handlers, KIND_SLOTS);
BPF_RINGBUF_OUTPUT(lifecycle, LIFECYCLE_PAGES);
BPF_RINGBUF_OUTPUT(bulk, BULK_PAGES);

// A member of a struct that the verifier knows the type of: a plain load, 0 where a pointer is bad.
#define GET(type, base, member) (*(type *)((void *)(base) + OFF_##member))
// A member of any other kernel struct. Ten times slower, so neighbours are read together where it counts.
#define PEEK(type, base, member)                                                                    \
	({                                                                                          \
		type _value = 0;                                                                    \
		bpf_probe_read_kernel(&_value, sizeof(_value), (void *)((u64)(base) + OFF_##member)); \
		_value;                                                                             \
	})

static void *(*current_task)(void) = (void *)158; // bpf_get_current_task_btf, newer than BCC's headers

// ---- maps: BCC rewrites method calls, and refuses them in macros ---------------------------------

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

static __always_inline long put_in_lifecycle(struct event *e, u32 len, u64 flags)
{
	return lifecycle.ringbuf_output(e, len, flags);
}

static __always_inline long put_in_bulk(struct event *e, u32 len, u64 flags)
{
	return bulk.ringbuf_output(e, len, flags);
}
#endif

#define barrier() asm volatile("" ::: "memory")

// ---- one record: begin, strings, emit ----------------------------------------------------------

static __always_inline bool wanted(u32 kind)
{
	struct config *cfg = current_config();
	if (!cfg)
		return false;
	if (!(cfg->mask >> (kind & 63) & 1)) {
		struct counters *count = counters_of_cpu();
		if (count)
			count->filtered[kind & (KIND_SLOTS - 1)]++;
		return false;
	}
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	for (int i = 0; i < OWN_PROCESSES; i++)
		if (cfg->own[i] == tgid)
			return false;
	return true;
}

static __always_inline u32 pid_namespace(void *task)
{
	void *pid = GET(void *, task, task_struct__thread_pid);
	u32 level = GET(u32, pid, pid__level);
	if (!level)
		return PROC_PID_INIT_INO;
	void *ns = PEEK(void *, pid + (u64)level * SIZE_upid, pid__numbers + OFF_upid__ns);
	return PEEK(u32, ns, pid_namespace__ns__inum);
}

// Fills the header for the current task; strings are put after it.
static __always_inline void begin(struct scratch *s, u32 kind)
{
	struct event *e = &s->event;
	void *task = current_task();
	void *leader = GET(void *, task, task_struct__group_leader);
	void *parent = GET(void *, task, task_struct__real_parent);
	void *cred = GET(void *, task, task_struct__cred);
	void *mnt_ns = GET(void *, GET(void *, task, task_struct__nsproxy), nsproxy__mnt_ns);
	u64 pid_tgid = bpf_get_current_pid_tgid();
	u64 uid_gid = bpf_get_current_uid_gid();

	e->kind = kind;
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
	e->pidns = pid_namespace(task);
	e->ret = s->ret;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	__builtin_memset(e->a, 0, sizeof(e->a) + sizeof(e->slen));
	s->end = HEADER_SIZE;
}

static __always_inline void emit(struct scratch *s)
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

// A NUL-terminated string in user memory.
static __always_inline void put_user(struct scratch *s, u32 slot, u64 from)
{
	long size = bpf_probe_read_user_str(s->record + (s->end & RECORD_MASK), MAX_PATH, (void *)from);
	s->flags |= FLAG_USER_PTR;
	if (size < 0)
		s->flags |= FLAG_FAULT;
	else if (size == MAX_PATH)
		s->flags |= FLAG_TRUNCATED;
	if (size > 1)
		keep(s, slot, size - 1);
}

static __always_inline void put_bytes(struct scratch *s, u32 slot, const void *from, u32 size)
{
	if (size > MAX_PATH)
		return;
	if (bpf_probe_read_kernel(s->record + (s->end & RECORD_MASK), size, from))
		s->flags |= FLAG_FAULT;
	else
		keep(s, slot, size);
}

// ---- real paths, from the kernel's own objects -------------------------------------------------

struct place {
	void *mnt, *dentry; // as struct path
};

// The absolute path of a file as its mount namespace has it. No string that user space could change is read.
// A file that is in no folder (a memfd) is "/" and its name. Returns whether it is such a one.
static __always_inline bool put_path(struct scratch *s, u32 slot, struct place at)
{
	struct {
		void *parent, *mountpoint, *root;
	} m = {};
	struct {
		void *parent;
		u64 hash_len;
		void *name;
	} d;
	s->start = MAX_PATH;
	s->whole = s->loose = false;
	// Neighbours in memory, read at once.
	REQUIRE(OFF_mount__mnt_mountpoint == OFF_mount__mnt_parent + 8);
	REQUIRE(OFF_mount__mnt + OFF_vfsmount__mnt_root == OFF_mount__mnt_parent + 16);
	REQUIRE(OFF_dentry__d_name__name == OFF_dentry__d_parent + 16);
	void *mount = at.mnt - OFF_mount__mnt;
	if (!at.dentry || bpf_probe_read_kernel(&m, sizeof(m), mount + OFF_mount__mnt_parent))
		return false;
	for (int i = 0; i < COMPONENTS; i++) {
		if (at.dentry == m.root) {
			if (m.parent == mount) {
				s->whole = true;
				break;
			}
			at.dentry = m.mountpoint;
			mount = m.parent;
			if (bpf_probe_read_kernel(&m, sizeof(m), mount + OFF_mount__mnt_parent))
				break;
			continue;
		}
		if (bpf_probe_read_kernel(&d, sizeof(d), at.dentry + OFF_dentry__d_parent))
			break;
		u32 size = (d.hash_len >> 32) & (NAME_SIZE - 1);
		u32 start = s->start;
		if (start < size + 1)
			break;
		start = (start - size - 1) & (MAX_PATH - 1);
		s->start = start;
		s->path[start] = '/';
		bpf_probe_read_kernel(s->path + start + 1, size, d.name);
		if (d.parent == at.dentry) {
			s->loose = s->whole = true;
			break;
		}
		at.dentry = d.parent;
	}
	barrier();
	u32 start = s->start;
	if (!s->whole)
		s->flags |= FLAG_TRUNCATED;
	if (start == MAX_PATH) {
		start--;
		s->path[start] = '/';
	}
	start &= MAX_PATH - 1;
	put_bytes(s, slot, s->path + start, MAX_PATH - start);
	return s->loose;
}

static __always_inline struct place place_of_file(void *file)
{
	struct place at = {};
	bpf_probe_read_kernel(&at, sizeof(at), file + OFF_file__f_path);
	return at;
}

static __always_inline struct place working_directory(void *task)
{
	struct place at = {};
	void *fs = GET(void *, task, task_struct__fs);
	bpf_probe_read_kernel(&at, sizeof(at), fs + OFF_fs_struct__pwd);
	return at;
}

static __always_inline void *file_of(int fd)
{
	void *files = GET(void *, current_task(), task_struct__files);
	void *table = GET(void *, files, files_struct__fdt);
	if (fd < 0 || (u32)fd >= GET(u32, table, fdtable__max_fds))
		return NULL;
	void **slots = GET(void **, table, fdtable__fd);
	void *file = NULL;
	bpf_probe_read_kernel(&file, sizeof(file), slots + (u32)fd);
	return file;
}

// ---- sockets -----------------------------------------------------------------------------------

static __always_inline void *sock_of(int fd)
{
	void *file = file_of(fd);
	void *inode = PEEK(void *, file, file__f_inode);
	if ((PEEK(u16, inode, inode__i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	return PEEK(void *, PEEK(void *, file, file__private_data), socket__sk);
}

// The other end of a connected socket, from the kernel's socket: family, port, address, local port.
static __always_inline void put_peer(struct scratch *s, void *sk)
{
	struct event *e = &s->event;
	u16 family = PEEK(u16, sk, sock_common__skc_family);
	e->a[1] = family;
	if (family != AF_INET && family != AF_INET6)
		return;
	e->a[2] = __builtin_bswap16(PEEK(u16, sk, sock_common__skc_dport));
	e->a[3] = PEEK(u16, sk, sock_common__skc_num);
	if (family == AF_INET)
		put_bytes(s, 0, sk + OFF_sock_common__skc_daddr, 4);
	else
		put_bytes(s, 0, sk + OFF_sock_common__skc_v6_daddr, 16);
}

static __always_inline void put_user_bytes(struct scratch *s, u32 slot, u64 from, u64 size)
{
	s->flags |= FLAG_USER_PTR;
	asm volatile("" : "+r"(size)); // or the compiler compares one register and uses another, which the verifier refuses
	if (size > UNIX_PATH_MAX)
		size = UNIX_PATH_MAX;
	if (bpf_probe_read_user(s->record + (s->end & RECORD_MASK), size, (void *)from))
		s->flags |= FLAG_FAULT;
	else
		keep(s, slot, size);
}

// A socket address argument: family, port, address. An abstract unix name keeps its leading NUL.
static __always_inline void put_sockaddr(struct scratch *s, u64 from, u32 size)
{
	struct {
		u16 family, port;
	} head = {};
	struct event *e = &s->event;
	if (bpf_probe_read_user(&head, size < sizeof(head) ? sizeof(head.family) : sizeof(head), (void *)from))
		s->flags |= FLAG_FAULT;
	e->a[1] = head.family;
	if (head.family == AF_INET) {
		e->a[2] = __builtin_bswap16(head.port);
		put_user_bytes(s, 0, from + 4, 4);
	} else if (head.family == AF_INET6) {
		e->a[2] = __builtin_bswap16(head.port);
		put_user_bytes(s, 0, from + 8, 16);
	} else if (head.family == AF_UNIX && size > 2) {
		if (head.port & 0xff) // the first byte of the name
			put_user(s, 0, from + 2);
		else
			put_user_bytes(s, 0, from + 2, size - 2);
	}
}

// ---- processes ---------------------------------------------------------------------------------

// The terminal's name under /dev: the kernel calls /dev/pts/0 pts0.
static __always_inline void put_tty(struct scratch *s, void *tty)
{
	const char pts[4] = "pts/";
	char name[4] = {};
	void *from = tty + OFF_tty_struct__name;
	if (!tty || bpf_probe_read_kernel(name, 3, from))
		return;
	if (*(u32 *)name == ('p' | 't' << 8 | 's' << 16)) {
		put_bytes(s, 3, pts, sizeof(pts));
		from += 3;
	}
	long size = bpf_probe_read_kernel_str(s->record + (s->end & RECORD_MASK), TTY_NAME_SIZE, from);
	if (size > 1)
		keep(s, 3, size - 1);
}

static __always_inline void put_argv(struct scratch *s, void *mm)
{
	u64 from = GET(u64, mm, mm_struct__arg_start);
	u64 size = GET(u64, mm, mm_struct__arg_end) - from;
	if (size > MAX_ARGV) {
		size = MAX_ARGV;
		s->flags |= FLAG_TRUNCATED;
	}
	if (bpf_probe_read_user(s->record + (s->end & RECORD_MASK), size, (void *)from))
		s->flags |= FLAG_FAULT;
	else
		keep(s, 1, size);
}

int tp_sched_process_exec(u64 *ctx)
{
	void *task = (void *)ctx[0];
	struct scratch *s = scratch_of_cpu();
	if (!s || !wanted(EVENT_EXEC))
		return 0;
	s->flags = s->ret = 0;
	begin(s, EVENT_EXEC);

	struct event *e = &s->event;
	void *mm = GET(void *, task, task_struct__mm);
	void *file = GET(void *, mm, mm_struct__exe_file);
	void *inode = GET(void *, file, file__f_inode);
	e->a[1] = GET(u64, inode, inode__i_ino);
	e->a[2] = PEEK(u64, GET(void *, task, task_struct__cred), cred__cap_effective);
	e->a[3] = GET(u32, ctx[2], linux_binprm__argc);
#pragma clang loop unroll(disable)
	for (u32 slot = 0; slot <= 2; slot += 2) {
		bool loose = put_path(s, slot, slot ? working_directory(task) : place_of_file(file));
		if (slot)
			break;
		if (GET(u32, inode, inode__i_nlink) == 0)
			e->a[0] = loose ? EXE_DELETED | EXE_MEMFD : EXE_DELETED;
		put_argv(s, mm);
	}
	put_tty(s, GET(void *, GET(void *, task, task_struct__signal), signal_struct__tty));
	emit(s);
	return 0;
}

int tp_sched_process_fork(u64 *ctx)
{
	void *child = (void *)ctx[1];
	struct scratch *s = scratch_of_cpu();
	u32 pid = GET(u32, child, task_struct__tgid);
	if (GET(u32, child, task_struct__pid) != pid || !s || !wanted(EVENT_FORK))
		return 0;
	s->flags = s->ret = 0;
	begin(s, EVENT_FORK);
	s->event.a[0] = pid;
	s->event.a[1] = GET(u64, child, task_struct__start_boottime);
	emit(s);
	return 0;
}

int tp_sched_process_exit(u64 *ctx)
{
	void *task = (void *)ctx[0];
	struct scratch *s = scratch_of_cpu();
	// The process is gone when its last thread is; an exec from another thread ends the leader only.
	if (GET(u32, GET(void *, task, task_struct__signal), signal_struct__live) != 0 || !s || !wanted(EVENT_EXIT))
		return 0;
	s->flags = s->ret = 0;
	begin(s, EVENT_EXIT);
	u32 code = GET(u32, task, task_struct__exit_code);
	s->event.a[0] = code >> 8 & 0xff;
	s->event.a[1] = code & 0x7f;
	emit(s);
	return 0;
}

// ---- system calls ------------------------------------------------------------------------------

#ifdef ARCH_x86_64
static __always_inline u32 call_number(void *regs)
{
	return GET(u64, regs, pt_regs__orig_ax);
}

static __always_inline bool is_compat(void)
{
	return GET(u32, current_task(), task_struct__thread_info__status) & TS_COMPAT;
}

static __always_inline void read_arguments(struct scratch *s, void *regs, bool compat)
{
	if (compat) {
		s->arg[0] = GET(u32, regs, pt_regs__bx);
		s->arg[1] = GET(u32, regs, pt_regs__cx);
		s->arg[2] = GET(u32, regs, pt_regs__dx);
		s->arg[3] = GET(u32, regs, pt_regs__si);
		s->arg[4] = GET(u32, regs, pt_regs__di);
		return;
	}
	s->arg[0] = GET(u64, regs, pt_regs__di);
	s->arg[1] = GET(u64, regs, pt_regs__si);
	s->arg[2] = GET(u64, regs, pt_regs__dx);
	s->arg[3] = GET(u64, regs, pt_regs__r10);
	s->arg[4] = GET(u64, regs, pt_regs__r8);
}
#endif

#ifdef ARCH_aarch64
#define TIF_32BIT 22

static __always_inline u32 call_number(void *regs)
{
	return GET(u32, regs, pt_regs__syscallno);
}

static __always_inline bool is_compat(void)
{
	return GET(u64, current_task(), task_struct__thread_info__flags) >> TIF_32BIT & 1;
}

static __always_inline void read_arguments(struct scratch *s, void *regs, bool compat)
{
	s->arg[0] = GET(u64, regs, pt_regs__orig_x0); // x0 holds the result by now
	s->arg[1] = GET(u64, regs + 8, pt_regs__regs);
	s->arg[2] = GET(u64, regs + 16, pt_regs__regs);
	s->arg[3] = GET(u64, regs + 24, pt_regs__regs);
	s->arg[4] = GET(u64, regs + 32, pt_regs__regs);
}
#endif

int tp_sys_exit(u64 *ctx)
{
	void *regs = (void *)ctx[0];
	u32 number = call_number(regs);
	struct call *call = call_of(number);
	if (!call || !(call->id[0] | call->id[1]))
		return 0;
	u32 compat = is_compat();
	u32 kind = call->kind[compat];
	struct scratch *s = scratch_of_cpu();
	if (!kind || !s || !wanted(kind))
		return 0;
	s->call = call->id[compat];
	s->kind = kind;
	s->ret = ctx[1];
	s->flags = compat ? FLAG_COMPAT : 0;
	read_arguments(s, regs, compat);
	run_handler(ctx, kind);
	return 0;
}

// Every call that takes a path, or makes a descriptor of one: one program, since the walk is most of its size.
int on_path(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s || (s->kind == EVENT_EXEC_FAILED && s->ret >= 0)) // the exec that succeeded is reported where it happens
		return 0;
	u64 *arg = s->arg, *a = s->event.a;
	u64 how[2] = {}; // flags and mode of struct open_how
	// In the scratch and not in registers, so that the verifier walks the rest once and not once per call.
	struct names *names = &s->names;
	begin(s, s->kind);
	*names = (struct names){.fd = {AT_FDCWD, AT_FDCWD}, .from = {arg[0], 0}, .count = 1, .user = true};

	switch (s->call) {
	case CALL_execveat:
	case CALL_openat:
	case CALL_openat2:
	case CALL_unlinkat:
	case CALL_fchmodat:
	case CALL_fchmodat2:
		names->fd[0] = arg[0];
		names->from[0] = arg[1];
		a[0] = arg[2];
		a[1] = arg[3];
		break;
	case CALL_open_by_handle_at:
		names->fd[0] = arg[0];
		names->user = false;
		a[0] = arg[2];
		break;
	case CALL_open:
	case CALL_chmod:
		a[0] = arg[1];
		a[1] = arg[2];
		break;
	case CALL_creat:
		a[0] = O_CREAT_FLAGS;
		a[1] = arg[1];
		break;
	case CALL_rmdir:
		a[0] = AT_REMOVEDIR;
		break;
	case CALL_rename:
		names->count = 2;
		names->from[1] = arg[1];
		break;
	case CALL_renameat:
	case CALL_renameat2:
		names->count = 2;
		names->fd[0] = arg[0];
		names->from[0] = arg[1];
		names->fd[1] = arg[2];
		names->from[1] = arg[3];
		a[0] = s->call == CALL_renameat2 ? arg[4] : 0;
		break;
	case CALL_fchmod:
		names->fd[0] = arg[0];
		names->user = false;
		a[0] = arg[1];
		break;
	case CALL_mount:
		names->from[0] = arg[1];
		a[0] = arg[3];
		names->raw[0] = arg[0];
		names->raw[1] = arg[2];
		break;
	case CALL_move_mount:
		names->count = 2;
		names->fd[0] = arg[2];
		names->from[0] = arg[3];
		names->fd[1] = arg[0];
		names->from[1] = arg[1];
		a[0] = arg[4];
		break;
	case CALL_init_module:
		names->count = 0;
		a[2] = arg[1];
		names->raw[0] = arg[2];
		break;
	case CALL_finit_module:
		names->fd[0] = arg[0];
		names->user = false;
		a[0] = 1;
		a[1] = (u32)arg[0];
		names->raw[0] = arg[1];
		break;
	}
	u32 kind = s->kind;
	if (kind == EVENT_OPEN) {
		if (s->call == CALL_openat2) {
			bpf_probe_read_user(how, sizeof(how), (void *)arg[2]);
			a[0] = how[0];
			a[1] = how[1];
		}
		if (s->ret >= 0) {
			names->fd[0] = s->ret;
			names->user = false;
			a[2] = PEEK(u64, PEEK(void *, file_of(names->fd[0]), file__f_inode), inode__i_ino);
		}
	} else if (kind == EVENT_EXEC_FAILED) {
		a[0] = a[1] = 0;
	} else if (kind == EVENT_UNLINK || kind == EVENT_CHMOD) {
		a[1] = 0;
	}
	barrier();
#pragma clang loop unroll(disable)
	for (u32 slot = 0; slot < names->count && slot < 2; slot++) {
		char first = 0;
		if (names->user)
			bpf_probe_read_user(&first, sizeof(first), (void *)names->from[slot]);
		if (first != '/') {
			int fd = names->fd[slot];
			put_path(s, slot, fd == AT_FDCWD ? working_directory(current_task()) : place_of_file(file_of(fd)));
			if (first && s->event.slen[slot] > 1) {
				s->record[s->end & RECORD_MASK] = '/';
				keep(s, slot, 1);
			}
		}
		if (names->user)
			put_user(s, slot, names->from[slot]);
	}
	if (names->raw[0])
		put_user(s, 1, names->raw[0]);
	if (names->raw[1])
		put_user(s, 2, names->raw[1]);
	emit(s);
	return 0;
}

int on_connect(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	begin(s, EVENT_CONNECT);
	s->event.a[0] = (u32)s->arg[0];
	if (s->ret == 0 || s->ret == -EINPROGRESS)
		put_peer(s, sock_of(s->arg[0]));
	if (!s->event.slen[0]) // refused, or a family whose peer has no port
		put_sockaddr(s, s->arg[1], s->arg[2]);
	emit(s);
	return 0;
}

int on_bind(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	begin(s, EVENT_BIND);
	s->event.a[0] = (u32)s->arg[0];
	put_sockaddr(s, s->arg[1], s->arg[2]);
	emit(s);
	return 0;
}

int on_accept(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s || s->ret < 0)
		return 0;
	begin(s, EVENT_ACCEPT);
	s->event.a[0] = s->ret;
	put_peer(s, sock_of(s->ret));
	emit(s);
	return 0;
}

#define PTRACE_PEEKTEXT 1
#define PTRACE_PEEKUSER 3
#define PTRACE_ATTACH 16
#define PTRACE_SEIZE 0x4206

int on_ptrace(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	u32 request = s->arg[0];
	bool attach = request == PTRACE_ATTACH || request == PTRACE_SEIZE;
	bool peek = request >= PTRACE_PEEKTEXT && request <= PTRACE_PEEKUSER;
	if (peek || (s->ret < 0 && !attach))
		return 0;
	begin(s, EVENT_PTRACE);
	s->event.a[0] = request;
	s->event.a[1] = (u32)s->arg[1];
	s->event.a[2] = s->arg[2];
	s->event.a[3] = s->arg[3];
	emit(s);
	return 0;
}

int on_setuid(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	u32 call = s->call;
	begin(s, EVENT_SETUID);
	s->event.a[0] = call - CALL_setuid;
	s->event.a[1] = (u32)s->arg[0];
	if (call >= CALL_setreuid && call <= CALL_setresgid)
		s->event.a[2] = (u32)s->arg[1];
	if (call == CALL_setresuid || call == CALL_setresgid)
		s->event.a[3] = (u32)s->arg[2];
	emit(s);
	return 0;
}

int on_memfd_create(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	begin(s, EVENT_MEMFD_CREATE);
	s->event.a[0] = (u32)s->arg[1];
	put_user(s, 0, s->arg[0]);
	emit(s);
	return 0;
}

// Commands of bpf(2), and the two fields of its PROG_LOAD argument that we report.
#define BPF_COMMANDS_OF_DATA 0x1eULL // map lookup, update, delete, next key: bulk work on data, not reported
#define PROG_LOAD 5
#define PROG_NAME_AT 48
#define PROG_NAME_SIZE 16

int on_bpf(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	u32 command = s->arg[0], type = 0;
	if (command < 64 && BPF_COMMANDS_OF_DATA >> command & 1)
		return 0;
	begin(s, EVENT_BPF);
	s->event.a[0] = command;
	if (command == PROG_LOAD) {
		if (bpf_probe_read_user(&type, sizeof(type), (void *)s->arg[1]))
			s->flags |= FLAG_FAULT;
		s->event.a[1] = type;
		/* An older caller's struct ends before the name: what lies behind it is not ours to show. */
		if (s->arg[2] >= PROG_NAME_AT + PROG_NAME_SIZE)
			put_user(s, 0, s->arg[1] + PROG_NAME_AT);
	}
	emit(s);
	return 0;
}

int on_kill(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	bool group = s->call == CALL_tgkill;
	u32 signal = group ? s->arg[2] : s->arg[1];
	if (!signal) // only asks whether the process exists
		return 0;
	begin(s, EVENT_KILL);
	s->event.a[0] = (s64)(int)s->arg[0];
	s->event.a[1] = signal;
	s->event.a[2] = s->call - CALL_kill;
	emit(s);
	return 0;
}

int on_dup(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s || s->ret < 0 || s->ret > 2)
		return 0;
	void *sk = sock_of(s->ret);
	u16 family = PEEK(u16, sk, sock_common__skc_family);
	if (!sk || (family != AF_INET && family != AF_INET6))
		return 0;
	begin(s, EVENT_DUP);
	put_peer(s, sk);
	s->event.a[3] = s->event.a[2]; // family and port move on by one: this kind has two descriptors
	s->event.a[2] = s->event.a[1];
	s->event.a[0] = (u32)s->arg[0];
	s->event.a[1] = s->ret;
	emit(s);
	return 0;
}
