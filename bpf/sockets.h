// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Sockets and their addresses.
#ifndef SENTINEL_SOCKETS_H
#define SENTINEL_SOCKETS_H

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define UNIX_PATH_MAX 108
#define S_IFMT 0170000
#define S_IFSOCK 0140000

// The struct socket of a descriptor; NULL of one that is no socket.
static __always_inline void *socket_of(int fd)
{
	void *file = file_of(fd);
	void *inode = PEEK(void *, file, file__f_inode);
	if ((PEEK(u16, inode, inode__i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	return PEEK(void *, file, file__private_data);
}

static __always_inline void *sock_of(int fd)
{
	return PEEK(void *, socket_of(fd), socket__sk);
}

static __always_inline bool is_internet(u16 family)
{
	return family == AF_INET || family == AF_INET6;
}

static __always_inline void put_address(struct scratch *s, u16 family, void *v4, void *v6)
{
	if (family == AF_INET)
		put_bytes(s, 0, v4, 4);
	else
		put_bytes(s, 0, v6, 16);
}

// The other end of a connected socket, from the kernel's socket: family, port, address, local port.
static __always_inline void put_peer(struct scratch *s, void *sk)
{
	struct event *e = &s->event;
	u16 family = PEEK(u16, sk, sock_common__skc_family);
	e->a[1] = family;
	if (!is_internet(family))
		return;
	e->a[2] = __builtin_bswap16(PEEK(u16, sk, sock_common__skc_dport));
	e->a[3] = PEEK(u16, sk, sock_common__skc_num);
	put_address(s, family, sk + OFF_sock_common__skc_daddr, sk + OFF_sock_common__skc_v6_daddr);
}

// This end of a bound socket: family, port, address.
static __always_inline void put_local(struct scratch *s, void *sk)
{
	struct event *e = &s->event;
	u16 family = PEEK(u16, sk, sock_common__skc_family);
	e->a[1] = family;
	if (!is_internet(family))
		return;
	e->a[2] = PEEK(u16, sk, sock_common__skc_num);
	put_address(s, family, sk + OFF_sock_common__skc_rcv_saddr, sk + OFF_sock_common__skc_v6_rcv_saddr);
}

static __always_inline void put_user_bytes(struct scratch *s, u32 slot, u64 from, u64 size)
{
	s->flags |= FLAG_USER_PTR;
	asm volatile("" : "+r"(size)); // or the compiler compares one register and uses another, which the verifier refuses
	if (size > UNIX_PATH_MAX)
		size = UNIX_PATH_MAX;
	if (read_from_user(s->record + (s->end & RECORD_MASK), size, (void *)from))
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
	read_user(s, &head, size < sizeof(head) ? sizeof(head.family) : sizeof(head), from);
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

#endif
