// SPDX-License-Identifier: Apache-2.0
//! Code that enters the kernel: modules, and eBPF programs of the types that can watch or change the system.
#![no_std]
use sentinel_sdk::{linux::BPF_PROG_LOAD, *};

rule!(check, state = REPORTED);

/// The program types each process was reported for, as bits: a tracer loads dozens of programs at once.
static REPORTED: Local<PerProcess<u64, 256>> = Local::new(PerProcess::new(0));

fn check(event: &Event) -> i32 {
    let entered = event.succeeded() || event.denied();
    match event.kind() {
        Kind::InitModule(_) => entered as i32,
        Kind::Bpf(bpf) if bpf.command() == BPF_PROG_LOAD && entered && is_intrusive(bpf.prog_type()) => {
            REPORTED.with(|reported| {
                let before = reported.get(event);
                // Types past 63 are newer than this rule and share the last bit.
                let after = before | 1 << bpf.prog_type().min(63);
                reported.set(event, after);
                (after != before) as i32
            })
        }
        _ => 0,
    }
}

/// The types of linux/bpf.h that systemd and container runtimes load for each service are left out: socket filters
/// and the cgroup ones.
fn is_intrusive(prog_type: u64) -> bool {
    const SOCKET_FILTER: u64 = 1;
    const CGROUP: [u64; 7] = [8, 9, 13, 15, 18, 23, 25]; // skb, sock, sock_ops, device, sock_addr, sysctl, sockopt
    prog_type != SOCKET_FILTER && !CGROUP.contains(&prog_type)
}
