// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The life of a process: exec, fork and exit; and the beginning of a cgroup, by which a process is somebody's.
#ifndef SENTINEL_LIFECYCLE_H
#define SENTINEL_LIFECYCLE_H

#define TTY_NAME_SIZE 64

// The terminal's name under /dev: the kernel calls /dev/pts/0 pts0.
static __always_inline void put_tty(struct scratch *s, void *tty)
{
	const char pts[4] = "pts/";
	char name[4] = {};
	void *from = tty + OFF_tty_struct__name;
	if (!tty || read_from_kernel(name, 3, from))
		return;
	if (*(u32 *)name == ('p' | 't' << 8 | 's' << 16)) {
		put_bytes(s, 3, pts, sizeof(pts));
		from += 3;
	}
	long size = read_string_from_kernel(s->record + (s->end & RECORD_MASK), TTY_NAME_SIZE, from);
	if (size > 1)
		keep(s, 3, size - 1);
}

static __always_inline void put_argv(struct scratch *s, u64 from, u64 size)
{
	asm volatile("" : "+r"(size)); // as in put_user_bytes
	if (size > MAX_ARGV) {
		size = MAX_ARGV;
		s->flags |= FLAG_TRUNCATED;
	}
	if (read_from_user(s->record + (s->end & RECORD_MASK), size, (void *)from))
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
	bool deleted = GET(u32, inode, inode__i_nlink) == 0;
	e->a[0] = deleted ? EXE_DELETED : 0;
	e->a[1] = GET(u64, inode, inode__i_ino);
	e->a[2] = PEEK(u64, GET(void *, task, task_struct__cred), cred__cap_effective);
	e->a[3] = GET(u32, ctx[2], linux_binprm__argc);
	// Every typed pointer is followed before the first string is put, as with place_names.
	s->names.at[0] = place_of_file(file);
	s->names.at[1] = working_directory(task);
	s->arg[0] = GET(u64, mm, mm_struct__arg_start);
	s->arg[1] = GET(u64, mm, mm_struct__arg_end) - s->arg[0];
	s->arg[2] = (u64)GET(void *, GET(void *, task, task_struct__signal), signal_struct__tty);
	barrier();
#pragma clang loop unroll(disable)
	for (u32 place = 0; place < 2; place++) {
		bool loose = put_path(s, place * 2, s->names.at[place]);
		if (place)
			break;
		if (loose && e->a[0])
			e->a[0] |= EXE_MEMFD;
		put_argv(s, s->arg[0], s->arg[1]);
	}
	put_tty(s, (void *)s->arg[2]);
	emit(s);
	return 0;
}

int tp_sched_process_fork(u64 *ctx)
{
	void *child = (void *)ctx[1];
	struct scratch *s = scratch_of_cpu();
	struct config *cfg = current_config();
	u32 pid = GET(u32, child, task_struct__tgid);
	if (GET(u32, child, task_struct__pid) != pid || !s || !cfg)
		return 0;
	if ((cfg->only | cfg->ignore) & SCOPE_PID) { // a child is in the tree that its parent is in
		u32 *side = side_of_pid(bpf_get_current_pid_tgid() >> 32);
		if (side)
			set_side_of_pid(pid, side);
	}
	if (!wanted(EVENT_FORK))
		return 0;
	s->flags = s->ret = 0;
	begin(s, EVENT_FORK);
	s->event.a[0] = pid;
	s->event.a[1] = GET(u64, child, task_struct__start_boottime);
	emit(s);
	return 0;
}

// Tells what this process, which ends, was over its limits by.
static __always_inline void emit_all_suppressed(struct scratch *s)
{
	struct bucket_key key = {.tgid = bpf_get_current_pid_tgid() >> 32};
#pragma clang loop unroll(disable)
	for (u32 kind = 1; kind <= LAST_KIND; kind++) {
		if (!(BULK_KINDS >> kind & 1))
			continue;
		key.kind = kind;
		struct bucket *bucket = bucket_of(&key);
		if (!bucket)
			continue;
		if (bucket->suppressed)
			emit_suppressed(s, kind, bucket->suppressed);
		forget_bucket(&key);
	}
}

int tp_sched_process_exit(u64 *ctx)
{
	void *task = (void *)ctx[0];
	struct scratch *s = scratch_of_cpu();
	struct config *cfg = current_config();
	// The process is gone when its last thread is; an exec from another thread ends the leader only.
	if (GET(u32, GET(void *, task, task_struct__signal), signal_struct__live) != 0 || !s || !cfg)
		return 0;
	s->flags = s->ret = 0;
	fill_header(s);
	if (cfg->limit)
		emit_all_suppressed(s);
	if (wanted(EVENT_EXIT)) {
		clear(s, EVENT_EXIT);
		u32 code = GET(u32, task, task_struct__exit_code);
		s->event.a[0] = code >> 8 & 0xff;
		s->event.a[1] = code & 0x7f;
		emit_one(s);
	}
	if ((cfg->only | cfg->ignore) & SCOPE_PID)
		forget_side_of_pid(bpf_get_current_pid_tgid() >> 32);
	return 0;
}

#ifdef OFF_cgroup__kn // not without CONFIG_CGROUPS
int tp_cgroup_mkdir(u64 *ctx)
{
	void *cgroup = (void *)ctx[0];
	struct scratch *s = scratch_of_cpu();
	// Ids are those of the default hierarchy, which is number 0; older ones have the same numbers again.
	if (!s || GET(u32, GET(void *, cgroup, cgroup__root), cgroup_root__hierarchy_id) || !wanted(EVENT_CGROUP_MKDIR))
		return 0;
	s->flags = s->ret = 0;
	begin(s, EVENT_CGROUP_MKDIR);
	s->event.a[0] = PEEK(u64, GET(void *, cgroup, cgroup__kn), kernfs_node__id);
	put_string(s, 0, ctx[1], KERNEL);
	emit(s);
	return 0;
}
#endif

#endif
