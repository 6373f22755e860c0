// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
// The oldest kernel with a ring buffer: BCC only asks which of its macros to define.
#define LINUX_VERSION_CODE KERNEL_VERSION(5, 8, 0)
