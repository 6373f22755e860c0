// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every call that takes a path, or makes a descriptor of one: one program, since the walk is most of its size.
#ifndef SENTINEL_PATH_CALLS_H
#define SENTINEL_PATH_CALLS_H

#define AT_FDCWD -100
#define AT_REMOVEDIR 0x200
#define O_CREAT_FLAGS 01101 // what creat() means: O_WRONLY | O_CREAT | O_TRUNC

// Finds out which paths the call names, and with them the numbers of its event.
static __always_inline void name_paths(struct scratch *s)
{
	u64 *arg = s->arg, *a = s->event.a;
	// In the scratch and not in registers, so that the verifier walks the rest once and not once per call.
	struct names *names = &s->names;
	*names = (struct names){.fd = {AT_FDCWD, AT_FDCWD}, .from = {arg[0], 0}, .count = 1, .memory = USER};

	switch (s->call) {
	case CALL_execveat:
		names->fd[0] = arg[0];
		names->from[0] = arg[1];
		break;
	case CALL_openat:
	case CALL_openat2:
	case CALL_unlinkat:
	case CALL_mkdirat:
	case CALL_fchmodat:
	case CALL_fchmodat2:
	case CALL_fchownat:
		names->fd[0] = arg[0];
		names->from[0] = arg[1];
		a[0] = arg[2];
		a[1] = arg[3];
		break;
	case CALL_open_by_handle_at:
		names->fd[0] = arg[0];
		names->memory = NOWHERE;
		a[0] = arg[2];
		break;
	case CALL_open:
	case CALL_chmod:
	case CALL_mkdir:
	case CALL_chown:
	case CALL_lchown:
	case CALL_truncate:
	case CALL_umount2:
		a[0] = arg[1];
		a[1] = arg[2];
		break;
	case CALL_truncate64:
		a[0] = arg[1] | arg[2] << 32;
		break;
	case CALL_creat:
		a[0] = O_CREAT_FLAGS;
		a[1] = arg[1];
		break;
	case CALL_rmdir:
		a[0] = AT_REMOVEDIR;
		break;
	case CALL_rename:
	case CALL_link:
	case CALL_pivot_root:
		names->count = 2;
		names->from[1] = arg[1];
		break;
	case CALL_renameat:
	case CALL_renameat2:
	case CALL_linkat:
		names->count = 2;
		names->fd[0] = arg[0];
		names->from[0] = arg[1];
		names->fd[1] = arg[2];
		names->from[1] = arg[3];
		a[0] = s->call == CALL_renameat ? 0 : arg[4];
		break;
	case CALL_symlink:
		names->from[0] = arg[1];
		names->raw[0] = arg[0];
		break;
	case CALL_symlinkat:
		names->fd[0] = arg[1];
		names->from[0] = arg[2];
		names->raw[0] = arg[0];
		break;
	case CALL_fchmod:
	case CALL_fchown:
	case CALL_ftruncate:
		names->fd[0] = arg[0];
		names->memory = NOWHERE;
		a[0] = arg[1];
		a[1] = arg[2];
		break;
	case CALL_ftruncate64:
		names->fd[0] = arg[0];
		names->memory = NOWHERE;
		a[0] = arg[1] | arg[2] << 32;
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
		names->memory = NOWHERE;
		a[0] = 1;
		a[1] = (u32)arg[0];
		names->raw[0] = arg[1];
		break;
	}
}

// Keeps the user strings of a call that begins, for the end to be compared with.
int tp_sys_enter(u64 *ctx)
{
	u32 number = ctx[1];
	struct call *call = number < SOCKETCALL_BASE ? call_of(number) : NULL;
	if (!call || !(call->racy[0] | call->racy[1]))
		return 0;
	u32 compat = is_compat();
	struct scratch *s = scratch_of_cpu();
	struct config *cfg = current_config();
	if (!call->racy[compat] || !s || !cfg || !(cfg->mask >> (call->kind[compat] & 63) & 1))
		return 0;
	s->call = call->id[compat];
	read_arguments(s, (void *)ctx[0], compat);
	name_paths(s);
	s->entered.call = s->call;
	barrier();
#pragma clang loop unroll(disable)
	for (u32 slot = 0; slot < 2; slot++) {
		s->entered.path[slot][0] = 0;
		if (slot < s->names.count)
			read_string_from_user(s->entered.path[slot], SEEN_SIZE, (void *)s->names.from[slot]);
	}
	set_entered(bpf_get_current_pid_tgid(), &s->entered);
	return 0;
}

// Whether the string just put, `size` bytes at `from` in the record, is another one than when the call began.
static __always_inline bool has_changed(struct scratch *s, u32 slot, u32 from, u32 size)
{
	struct entered *before = entered_of(bpf_get_current_pid_tgid());
	// What could not be read then is empty, and says nothing.
	if (!before || before->call != s->call || !before->path[slot & 1][0])
		return false;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < SEEN_SIZE - 1; i++) {
		u8 now = i < size ? s->record[(from + i) & RECORD_MASK] : 0;
		u8 then = before->path[slot & 1][i];
		if (now != then)
			return true;
		if (!now)
			break;
	}
	return false;
}

// What was kept when this call began is not the beginning of the thread's next one.
static __always_inline void forget_beginning(void)
{
	struct entered *before = entered_of(bpf_get_current_pid_tgid());
	if (before)
		before->call = 0;
}

// Finds where each path that is not absolute begins: before any string is put, since to follow a typed pointer takes
// the verifier some 0.1 ms each time that it comes by.
static __always_inline void place_names(struct scratch *s, enum memory of_strings)
{
	struct names *names = &s->names;
	barrier();
#pragma clang loop unroll(disable)
	for (u32 slot = 0; slot < names->count && slot < 2; slot++) {
		char first = 0;
		if (of_strings == KERNEL)
			read_from_kernel(&first, sizeof(first), (void *)names->from[slot]);
		else if (names->memory == USER)
			read_from_user(&first, sizeof(first), (void *)names->from[slot]);
		int fd = names->fd[slot];
		if (first == '/')
			names->at[slot] = (struct place){};
		else if (fd == AT_FDCWD)
			names->at[slot] = working_directory(current_task());
		else
			names->at[slot] = place_of_file(file_of(fd));
		names->relative[slot] = first && first != '/';
	}
	barrier();
}

// The strings are in user memory, or all in the kernel's: the verifier has half as much to walk when it knows.
static __always_inline void put_names(struct scratch *s, enum memory of_strings)
{
	struct names *names = &s->names;
#pragma clang loop unroll(disable)
	for (u32 slot = 0; slot < names->count && slot < 2; slot++) {
		if (names->at[slot].dentry) {
			put_path(s, slot, names->at[slot]);
			if (names->relative[slot] && s->event.slen[slot] > 1) {
				s->record[s->end & RECORD_MASK] = '/';
				keep(s, slot, 1);
			}
		}
		if (names->memory == NOWHERE)
			continue;
		u32 from = s->end;
		put_string(s, slot, names->from[slot], of_strings);
		if (of_strings == USER && has_changed(s, slot, from, s->end - from))
			s->raced = slot + 1;
	}
}

// Tells of a path that had changed: as it was at the end of the call, and as it began.
static __always_inline void emit_race(struct scratch *s)
{
	struct entered *before = entered_of(bpf_get_current_pid_tgid());
	u32 during = s->event.kind, second = s->raced - 1;
	u32 size = s->event.slen[second & 1];
	u32 from = HEADER_SIZE + (second ? s->event.slen[0] : 0);
	if (!before || size > MAX_PATH)
		return;
	read_from_kernel(s->path, size, s->record + (from & RECORD_MASK));
	clear(s, EVENT_ARGUMENT_RACE);
	s->event.a[0] = during;
	put_bytes(s, 0, s->path, size);
	put_string(s, 1, (u64)before->path[second & 1], KERNEL);
	emit_one(s);
}

int on_path(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s || (s->kind == EVENT_EXEC_FAILED && s->ret >= 0)) // the exec that succeeded is reported where it happens
		return 0;
	u64 *a = s->event.a;
	u64 how[2] = {}; // flags and mode of struct open_how
	if (!begin(s, s->kind))
		return 0;
	name_paths(s);
	barrier();
	u32 kind = s->kind;
	if (kind == EVENT_OPEN) {
		a[3] = s->call - CALL_open;
		if (s->call == CALL_openat2) {
			if (read_from_user(how, sizeof(how), (void *)s->arg[2]))
				s->flags |= FLAG_FAULT;
			a[0] = how[0];
			a[1] = how[1];
		}
		if (s->ret >= 0) {
			s->names.fd[0] = s->ret;
			s->names.memory = NOWHERE;
			a[2] = PEEK(u64, PEEK(void *, file_of(s->ret), file__f_inode), inode__i_ino);
		}
	} else if (kind == EVENT_UNLINK || kind == EVENT_CHMOD || kind == EVENT_MKDIR || kind == EVENT_TRUNCATE ||
		   kind == EVENT_UMOUNT) {
		a[1] = 0; // what lies behind the arguments of some of these calls
	}
	place_names(s, USER);
	put_names(s, USER);
	if (s->names.memory == USER)
		forget_beginning();
	if (s->names.raw[0])
		put_user(s, 1, s->names.raw[0]);
	if (s->names.raw[1])
		put_user(s, 2, s->names.raw[1]);
	return finish(ctx);
}

// Where each call that is reported ends.
int on_finish(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	emit(s);
	if (s->raced)
		emit_race(s);
	if (s->call_again)
		run_handler(ctx, s->kind);
	return 0;
}

#endif
