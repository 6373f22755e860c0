// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What processes hand to an io_uring: operations that never are system calls. Seen when they are submitted, so that
// their result is not known; the paths are the kernel's own copies already, which nobody can change any more.
#ifndef SENTINEL_IO_URING_H
#define SENTINEL_IO_URING_H

#define OPEN_BY_IO_URING (CALL_open_by_handle_at - CALL_open + 1) // its place in schema.OPEN_CALLS

enum io_uring_opcode {
	OP_CONNECT = 16,
	OP_OPENAT = 18,
	OP_OPENAT2 = 28,
	OP_RENAMEAT = 35,
	OP_UNLINKAT = 36,
	OP_MKDIRAT = 37,
	OP_SYMLINKAT = 38,
	OP_LINKAT = 39,
};

static __always_inline u32 kind_of_operation(u32 opcode)
{
	switch (opcode) {
	case OP_CONNECT:
		return EVENT_CONNECT;
	case OP_OPENAT:
	case OP_OPENAT2:
		return EVENT_OPEN;
	case OP_RENAMEAT:
		return EVENT_RENAME;
	case OP_UNLINKAT:
		return EVENT_UNLINK;
	case OP_MKDIRAT:
		return EVENT_MKDIR;
	case OP_SYMLINKAT:
		return EVENT_SYMLINK;
	case OP_LINKAT:
		return EVENT_LINK;
	}
	return EVENT_IO_URING;
}

// The characters of a struct filename that the command points to.
#define NAME_IN(command, member) PEEK(u64, PEEK(void *, command, member), filename__name)

static __always_inline void name_operation(struct scratch *s, u32 opcode, void *command)
{
	u64 *a = s->event.a;
	struct names *names = &s->names;
	*names = (struct names){.fd = {AT_FDCWD, AT_FDCWD}, .count = 1, .memory = KERNEL};
	switch (opcode) {
	case OP_OPENAT:
	case OP_OPENAT2:
		names->fd[0] = PEEK(int, command, io_open__dfd);
		names->from[0] = NAME_IN(command, io_open__filename);
		a[0] = PEEK(u64, command, io_open__how__flags);
		a[1] = PEEK(u64, command, io_open__how__mode);
		a[3] = OPEN_BY_IO_URING;
		break;
	case OP_UNLINKAT:
		names->fd[0] = PEEK(int, command, io_unlink__dfd);
		names->from[0] = NAME_IN(command, io_unlink__filename);
		a[0] = PEEK(u32, command, io_unlink__flags);
		break;
	case OP_MKDIRAT:
		names->fd[0] = PEEK(int, command, io_mkdir__dfd);
		names->from[0] = NAME_IN(command, io_mkdir__filename);
		a[0] = PEEK(u16, command, io_mkdir__mode);
		break;
	case OP_RENAMEAT:
		names->count = 2;
		names->fd[0] = PEEK(int, command, io_rename__old_dfd);
		names->from[0] = NAME_IN(command, io_rename__oldpath);
		names->fd[1] = PEEK(int, command, io_rename__new_dfd);
		names->from[1] = NAME_IN(command, io_rename__newpath);
		a[0] = PEEK(u32, command, io_rename__flags);
		break;
	case OP_LINKAT:
		names->count = 2;
		names->fd[0] = PEEK(int, command, io_link__old_dfd);
		names->from[0] = NAME_IN(command, io_link__oldpath);
		names->fd[1] = PEEK(int, command, io_link__new_dfd);
		names->from[1] = NAME_IN(command, io_link__newpath);
		a[0] = PEEK(u32, command, io_link__flags);
		break;
	case OP_SYMLINKAT:
		names->fd[0] = PEEK(int, command, io_link__new_dfd);
		names->from[0] = NAME_IN(command, io_link__newpath);
		names->raw[0] = NAME_IN(command, io_link__oldpath);
		break;
	default:
		names->count = 0;
	}
}

int tp_io_uring_submit_req(u64 *ctx)
{
	void *request = (void *)ctx[0];
	struct scratch *s = scratch_of_cpu();
	if (!s || !HAS_IO_URING)
		return 0;
	// In the scratch, as in on_path: what follows is walked once and not once per operation.
	s->call = GET(u8, request, io_kiocb__opcode);
	s->kind = kind_of_operation(s->call);
	barrier();
	if (!wanted(s->kind))
		return 0;
	void *command = request + OFF_io_kiocb__cmd;
	s->flags = FLAG_IO_URING;
	s->ret = 0;
	if (!begin(s, s->kind))
		return 0;
	name_operation(s, s->call, command);
	s->arg[0] = PEEK(u32, request, io_kiocb__cqe__fd);
	s->arg[1] = PEEK(u64, command, io_connect__addr);
	s->arg[2] = PEEK(u32, command, io_connect__addr_len);
	place_names(s, KERNEL);
	put_names(s, KERNEL);
	if (s->names.raw[0])
		put_string(s, 1, s->names.raw[0], KERNEL);
	if (s->kind == EVENT_CONNECT) {
		s->event.a[0] = s->arg[0];
		put_sockaddr(s, s->arg[1], s->arg[2]);
	} else if (s->kind == EVENT_IO_URING) {
		s->event.a[0] = s->call;
		s->event.a[1] = s->arg[0];
	}
	emit(s);
	return 0;
}

#endif
