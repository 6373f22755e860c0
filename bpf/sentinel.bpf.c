// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The kernel side of sentinel-tui: turns what processes do into the records of events.h.
//
// Typed raw tracepoints (tp_btf) only. sys_exit looks the call up in a table and tail-calls its kind's handler.
// Kernel structs are reached through OFF_<struct>__<member> byte offsets. Compiled ahead (CORE) they are
// relocations of core.h; compiled on the host by BCC the loader takes them from the running kernel's BTF.
// Of the functions that are not static each is a program: tp_<tracepoint>, or on_<kind>, a handler.
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
#ifdef OFF_io_open__filename
#define HAS_IO_URING 1
#endif
#endif
#define __always_inline inline __attribute__((always_inline))
#define barrier() asm volatile("" ::: "memory")

// In this order: each builds on those before it. The loader for BCC, which takes one text, puts them in here.
#include "events.h"
#include "maps.h"
#include "record.h"
#include "paths.h"
#include "sockets.h"
#include "lifecycle.h"
#include "syscalls.h"
#include "path_calls.h"
#include "socket_calls.h"
#include "dns.h"
#include "calls.h"
#ifdef HAS_IO_URING
#include "io_uring.h"
#endif
