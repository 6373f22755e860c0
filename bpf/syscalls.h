// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// System calls: their arguments, and the way to the handler of their kind.
#ifndef SENTINEL_SYSCALLS_H
#define SENTINEL_SYSCALLS_H

#define TS_COMPAT 2

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

// i386's one call for all that is done to sockets: puts the call that is meant, and its arguments, in its place.
static __always_inline struct call *unpack_socketcall(struct scratch *s)
{
	u32 packed[5] = {};
	u32 number = s->arg[0];
	// Fewer than five are there for most; what lies behind is not used.
	if (read_from_user(packed, sizeof(packed), (void *)s->arg[1]) &&
	    read_from_user(packed, 2 * sizeof(u32), (void *)s->arg[1]))
		s->flags |= FLAG_FAULT;
	s->flags |= FLAG_USER_PTR;
	for (int i = 0; i < 5; i++)
		s->arg[i] = packed[i];
	return number < CALL_SLOTS - SOCKETCALL_BASE ? call_of(SOCKETCALL_BASE + number) : NULL;
}

int tp_sys_exit(u64 *ctx)
{
	void *regs = (void *)ctx[0];
	u32 number = call_number(regs);
	struct call *call = number < SOCKETCALL_BASE ? call_of(number) : NULL;
	if (!call || !(call->id[0] | call->id[1]))
		return 0;
	u32 compat = is_compat();
	u32 kind = call->kind[compat];
	bool packed = call->id[compat] == CALL_socketcall;
	if (!kind || (!packed && !wanted(kind)))
		return 0;
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	s->flags = compat ? FLAG_COMPAT : 0;
	read_arguments(s, regs, compat);
	if (packed) {
		call = unpack_socketcall(s);
		kind = call ? call->kind[compat] : 0;
		if (!kind || !wanted(kind))
			return 0;
	}
	s->call = call->id[compat];
	s->kind = kind;
	s->place = s->call_again = 0;
	s->ret = ctx[1];
	run_handler(ctx, kind);
	return 0;
}

#endif
