// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#ifndef SENTINEL_TYPES_H
#define SENTINEL_TYPES_H
typedef unsigned char u8, __u8;
typedef signed char s8, __s8;
typedef unsigned short u16, __u16, __be16, __le16;
typedef signed short s16, __s16;
typedef unsigned int u32, __u32, __be32, __le32, __wsum;
typedef signed int s32, __s32;
typedef unsigned long long u64, __u64, __be64, __le64;
typedef signed long long s64, __s64;
typedef __u64 __attribute__((aligned(8))) __aligned_u64;
typedef unsigned short __sum16;
typedef unsigned long size_t, uintptr_t;
typedef _Bool bool;
typedef int pid_t;
#define true 1
#define false 0
#define NULL ((void *)0)
#endif
