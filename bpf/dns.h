// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Messages to port 53: what name they ask for.
#ifndef SENTINEL_DNS_H
#define SENTINEL_DNS_H

#define DNS_PORT 53
#define DNS_HEADER 12
#define DNS_NAME 255
#define DNS_LABELS 64 // more than an address, asked for backwards, has: a name of more is cut
#define DNS_IS_ANSWER 0x80 // of the third byte
#define DNS_POINTER 0xc0   // of a label's length: it is no length
#define DNS_SIZE (DNS_HEADER + DNS_NAME + 2)
#define MESSAGES 4 // of one sendmmsg; a resolver sends two
#define SOCK_STREAM 1

// Reads the message at this place of the call's arguments. False when there is none.
static __always_inline bool read_message(struct scratch *s, u32 place, struct message *m)
{
	bool compat = s->flags & FLAG_COMPAT;
	if (s->call == CALL_sendto) {
		*m = (struct message){s->arg[4], s->arg[1], s->arg[2]};
		return place == 0;
	}
	u64 at = s->arg[1];
	if (s->call == CALL_sendmmsg) // struct mmsghdr is a msghdr and a length
		at += place * (compat ? 32 : 64);
	if (place && (s->call != CALL_sendmmsg || place >= (u32)s->arg[2]))
		return false;
	u32 narrow[3] = {}; // struct msghdr: name, its size, iov
	u64 wide[3] = {};
	if (!(compat ? read_user(s, narrow, sizeof(narrow), at) : read_user(s, wide, sizeof(wide), at)))
		return false;
	m->to = compat ? narrow[0] : wide[0];
	return read_iovec(s, compat ? narrow[2] : wide[2], &m->payload, &m->size);
}

// The name asked for, with dots between its labels, and the type of record. False when it is no question.
static __always_inline bool put_question(struct scratch *s, u64 from, u64 size)
{
	asm volatile("" : "+r"(size)); // as in put_user_bytes
	if (size > DNS_SIZE)
		size = DNS_SIZE;
	if (size <= DNS_HEADER || !read_user(s, s->path, size, from) || s->path[2] & DNS_IS_ANSWER)
		return false;
	s->path[size & 511] = 0; // where what was sent ends, the name does
	s->at = DNS_HEADER;
#pragma clang loop unroll(disable)
	for (u32 label = 0; label < DNS_LABELS; label++) {
		u32 at = s->at & 511;
		u8 length = s->path[at];
		if (!length || length & DNS_POINTER)
			break;
		s->path[at] = '.';
		s->at = at + 1 + length;
		barrier();
	}
	barrier();
	u64 end = s->at;
	if (end + 2 < size && !s->path[end & 511])
		s->event.a[3] = s->path[(end + 1) & 511] << 8 | s->path[(end + 2) & 511];
	else
		s->flags |= FLAG_TRUNCATED;
	if (end > size)
		end = size;
	if (end > DNS_HEADER)
		put_bytes(s, 1, s->path + DNS_HEADER + 1, end - DNS_HEADER - 1);
	return true;
}

// For one message of the call. It is called again for the next one.
int on_dns(u64 *ctx)
{
	struct scratch *s = scratch_of_cpu();
	if (!s)
		return 0;
	void *socket = socket_of(s->arg[0]);
	void *sk = PEEK(void *, socket, socket__sk);
	struct {
		u16 family, port;
	} to = {};
	s->flags &= FLAG_COMPAT;
	s->call_again = false;
	struct message *m = &s->message; // in the scratch, where the verifier does not follow it
	if (!is_internet(PEEK(u16, sk, sock_common__skc_family)) || !read_message(s, s->place, m))
		return 0;
	barrier();
	if (m->to)
		read_from_user(&to, sizeof(to), (void *)m->to);
	else
		to.port = PEEK(u16, sk, sock_common__skc_dport);
	// Over TCP a message's length comes before it.
	u32 skip = PEEK(u16, socket, socket__type) == SOCK_STREAM ? 2 : 0;
	if (to.port != __builtin_bswap16(DNS_PORT) || m->size < skip || !begin(s, EVENT_DNS))
		return 0;
	if (m->to)
		put_sockaddr(s, m->to, sizeof(to));
	else
		put_peer(s, sk);
	s->event.a[0] = (u32)s->arg[0];
	s->event.a[3] = 0;
	barrier();
	s->call_again = ++s->place < MESSAGES;
	return put_question(s, m->payload + skip, m->size - skip) ? finish(ctx) : 0;
}

#endif
