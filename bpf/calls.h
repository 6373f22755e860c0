// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The other calls: on processes, privilege, memory and the kernel itself.
#ifndef SENTINEL_CALLS_H
#define SENTINEL_CALLS_H

// ---- on other processes --------------------------------------------------------------------------

#define XARRAY_LEVELS 6
#define XARRAY_SLOTS 64 // of a node
#define XARRAY_NODE 2   // low bits of a pointer to a node

// What the caller's number of a process is in the host's pid namespace; the number itself when there is no such
// process. A process group is negative.
static __always_inline s32 host_pid(s32 given)
{
	u32 level, number = given < 0 ? -given : given;
	void *ns = inner_pid_namespace(current_task(), &level);
	if (!level || given == 0 || given == -1)
		return given;
	u64 entry = PEEK(u64, ns, pid_namespace__idr__idr_rt__xa_head);
	for (int i = 0; i < XARRAY_LEVELS && (entry & 3) == XARRAY_NODE; i++) {
		void *node = (void *)(entry - XARRAY_NODE);
		u32 slot = number >> (PEEK(u8, node, xa_node__shift) & 31) & (XARRAY_SLOTS - 1);
		entry = PEEK(u64, node + slot * sizeof(void *), xa_node__slots);
	}
	void *pid = (void *)entry;
	if (!entry || entry & 3 || PEEK(u32, pid + (u64)level * SIZE_upid, pid__numbers + OFF_upid__nr) != number)
		return given;
	s32 found = PEEK(u32, pid, pid__numbers + OFF_upid__nr);
	return given < 0 ? -found : found;
}

// The process that a pidfd stands for: the file's own up to Linux 6.8, its inode's since.
static __always_inline s32 pid_of_file(void *file)
{
	void *pid = PEEK(void *, file, file__private_data);
	if (!pid)
		pid = PEEK(void *, PEEK(void *, file, file__f_inode), inode__i_private);
	return PEEK(u32, pid, pid__numbers + OFF_upid__nr);
}

int on_kill(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	u32 call = s->call;
	u32 signal = call == CALL_tgkill || call == CALL_rt_tgsigqueueinfo ? s->arg[2] : s->arg[1];
	if (!signal || !begin(s, EVENT_KILL)) // signal 0 only asks whether the process exists
		return 0;
	s->event.a[0] = (s64)(call == CALL_pidfd_send_signal ? pid_of_file(file_of(s->arg[0])) : host_pid(s->arg[0]));
	s->event.a[1] = signal;
	s->event.a[2] = call - CALL_kill;
	return finish(ctx);
}

int on_process_vm_write(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s || !begin(s, EVENT_PROCESS_VM_WRITE))
		return 0;
	s->event.a[0] = (u32)host_pid(s->arg[0]);
	read_iovec(s, s->arg[3], &s->event.a[1], &s->event.a[2]); // where in the other process: the first part
	return finish(ctx);
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
	if (!begin(s, EVENT_PTRACE))
		return 0;
	s->event.a[0] = request;
	s->event.a[1] = (u32)host_pid(s->arg[1]);
	s->event.a[2] = s->arg[2];
	s->event.a[3] = s->arg[3];
	return finish(ctx);
}

// ---- privilege -----------------------------------------------------------------------------------

int on_setuid(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	u32 call = s->call;
	if (!begin(s, EVENT_SETUID))
		return 0;
	s->event.a[0] = call - CALL_setuid;
	s->event.a[1] = (u32)s->arg[0];
	if (call >= CALL_setreuid && call <= CALL_setresgid)
		s->event.a[2] = (u32)s->arg[1];
	if (call == CALL_setresuid || call == CALL_setresgid)
		s->event.a[3] = (u32)s->arg[2];
	return finish(ctx);
}

#define CAPABILITY_V1 0x19980330
#define CAPABILITY_WORDS 6 // two for each of the three sets, in turns

int on_capset(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	u64 *a = s->event.a;
	if (!begin(s, EVENT_CAPSET))
		return 0;
	if (s->ret == 0) {
		void *cred = GET(void *, current_task(), task_struct__cred);
		a[0] = PEEK(u64, cred, cred__cap_effective);
		a[1] = PEEK(u64, cred, cred__cap_permitted);
		a[2] = PEEK(u64, cred, cred__cap_inheritable);
	} else { // what was asked for
		u32 version = 0, words[CAPABILITY_WORDS] = {};
		read_user(s, &version, sizeof(version), s->arg[0]);
		read_user(s, words, version == CAPABILITY_V1 ? sizeof(words) / 2 : sizeof(words), s->arg[1]);
#pragma clang loop unroll(full)
		for (int i = 0; i < 3; i++)
			a[i] = words[i] | (u64)words[i + 3] << 32;
	}
	return finish(ctx);
}

// Options of prctl(2) that change what a process may do, what it is called, or who may look into it.
#define PR_SET_PDEATHSIG 1
#define PR_SET_DUMPABLE 4
#define PR_SET_KEEPCAPS 8
#define PR_SET_NAME 15
#define PR_SET_SECCOMP 22
#define PR_CAPBSET_DROP 24
#define PR_SET_SECUREBITS 28
#define PR_SET_MM 35
#define PR_SET_CHILD_SUBREAPER 36
#define PR_SET_NO_NEW_PRIVS 38
#define PR_CAP_AMBIENT 47
#define PR_SET_PTRACER 0x59616d61
#define BIT(option) (1ULL << (option))
#define PR_REPORTED                                                                                     \
	(BIT(PR_SET_PDEATHSIG) | BIT(PR_SET_DUMPABLE) | BIT(PR_SET_KEEPCAPS) | BIT(PR_SET_NAME) |       \
	 BIT(PR_SET_SECCOMP) | BIT(PR_CAPBSET_DROP) | BIT(PR_SET_SECUREBITS) | BIT(PR_SET_MM) |         \
	 BIT(PR_SET_CHILD_SUBREAPER) | BIT(PR_SET_NO_NEW_PRIVS) | BIT(PR_CAP_AMBIENT))

int on_prctl(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	u32 option = s->arg[0];
	if (option < 64 ? !(PR_REPORTED >> option & 1) : option != PR_SET_PTRACER)
		return 0;
	if (!begin(s, EVENT_PRCTL))
		return 0;
	s->event.a[0] = option;
	s->event.a[1] = s->arg[1];
	s->event.a[2] = s->arg[2];
	if (option == PR_SET_NAME) { // the kernel's own copy, and not what the argument points to by now
		bpf_get_current_comm(s->event.comm, sizeof(s->event.comm));
		put_string(s, 0, (u64)s->event.comm, KERNEL);
	}
	return finish(ctx);
}

// ---- programs from memory, and the kernel's own -----------------------------------------------------

int on_memfd_create(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s || !begin(s, EVENT_MEMFD_CREATE))
		return 0;
	s->event.a[0] = (u32)s->arg[1];
	put_user(s, 0, s->arg[0]);
	return finish(ctx);
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
	if (!begin(s, EVENT_BPF))
		return 0;
	s->event.a[0] = command;
	if (command == PROG_LOAD) {
		read_user(s, &type, sizeof(type), s->arg[1]);
		s->event.a[1] = type;
		/* An older caller's struct ends before the name: what lies behind it is not ours to show. */
		if (s->arg[2] >= PROG_NAME_AT + PROG_NAME_SIZE)
			put_user(s, 0, s->arg[1] + PROG_NAME_AT);
	}
	return finish(ctx);
}

// ---- memory, namespaces, io_uring ----------------------------------------------------------------

#define PROT_EXEC 4

int on_mprotect(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s || !(s->arg[2] & PROT_EXEC) || !begin(s, EVENT_MPROTECT))
		return 0;
	s->event.a[0] = s->arg[0];
	s->event.a[1] = s->arg[1];
	s->event.a[2] = (u32)s->arg[2];
	return finish(ctx);
}

int on_unshare(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s || !begin(s, EVENT_UNSHARE))
		return 0;
	s->event.a[0] = s->arg[0];
	return finish(ctx);
}

int on_setns(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s || !begin(s, EVENT_SETNS))
		return 0;
	s->event.a[0] = (u32)s->arg[0];
	s->event.a[1] = (u32)s->arg[1];
	s->event.a[2] = PEEK(u64, PEEK(void *, file_of(s->arg[0]), file__f_inode), inode__i_ino);
	return finish(ctx);
}

int on_io_uring_setup(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	u32 params[3] = {}; // struct io_uring_params: sizes of both queues, flags
	if (!begin(s, EVENT_IO_URING_SETUP))
		return 0;
	s->event.a[0] = (u32)s->arg[0];
	read_user(s, params, sizeof(params), s->arg[1]);
	s->event.a[1] = params[2];
	return finish(ctx);
}

#endif
