// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Calls on sockets.
#ifndef SENTINEL_SOCKET_CALLS_H
#define SENTINEL_SOCKET_CALLS_H

#define EINPROGRESS 115
#define AF_PACKET 17
#define AF_XDP 44
#define SOCK_TYPE 0xf // the rest are flags
#define SOCK_RAW 3

int on_connect(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s || !begin(s, EVENT_CONNECT))
		return 0;
	s->event.a[0] = (u32)s->arg[0];
	if (s->ret == 0 || s->ret == -EINPROGRESS)
		put_peer(s, sock_of(s->arg[0]));
	if (!s->event.slen[0]) // refused, or a family whose peer has no port
		put_sockaddr(s, s->arg[1], s->arg[2]);
	return finish(ctx);
}

int on_bind(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s || !begin(s, EVENT_BIND))
		return 0;
	s->event.a[0] = (u32)s->arg[0];
	if (s->ret == 0)
		put_local(s, sock_of(s->arg[0]));
	if (!s->event.slen[0])
		put_sockaddr(s, s->arg[1], s->arg[2]);
	return finish(ctx);
}

int on_accept(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s || s->ret < 0 || !begin(s, EVENT_ACCEPT))
		return 0;
	s->event.a[0] = s->ret;
	put_peer(s, sock_of(s->ret));
	return finish(ctx);
}

int on_listen(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s || !begin(s, EVENT_LISTEN))
		return 0;
	s->event.a[0] = (u32)s->arg[0];
	put_local(s, sock_of(s->arg[0]));
	s->event.a[3] = (u32)s->arg[1];
	return finish(ctx);
}

int on_socket(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	u32 family = s->arg[0], type = s->arg[1] & SOCK_TYPE;
	bool raw = family == AF_PACKET || family == AF_XDP || (is_internet(family) && type == SOCK_RAW);
	if (!raw || !begin(s, EVENT_SOCKET))
		return 0;
	s->event.a[0] = s->ret;
	s->event.a[1] = family;
	s->event.a[2] = type;
	s->event.a[3] = (u32)s->arg[2];
	return finish(ctx);
}

int on_dup(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s || s->ret < 0 || s->ret > 2)
		return 0;
	void *sk = sock_of(s->ret);
	if (!sk || !is_internet(PEEK(u16, sk, sock_common__skc_family)) || !begin(s, EVENT_DUP))
		return 0;
	put_peer(s, sk);
	s->event.a[3] = s->event.a[2]; // family and port move on by one: this kind has two descriptors
	s->event.a[2] = s->event.a[1];
	s->event.a[0] = (u32)s->arg[0];
	s->event.a[1] = s->ret;
	return finish(ctx);
}

#endif
