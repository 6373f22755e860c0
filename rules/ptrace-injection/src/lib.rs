// SPDX-License-Identifier: Apache-2.0
//! Taking control of another process, or writing into it, through ptrace or process_vm_writev.
#![no_std]
use sentinel_sdk::{linux::*, *};

rule!(check, state = STATE);

struct State {
    /// The parent of each process that was forked while we watched: who may trace it without being reported.
    parent: PerProcess<u32, 8192>,
    /// The target each tracer was last reported for: thousands of pokes are one finding.
    reported: PerProcess<u32, 1024>,
}

// Tables of numbers.
unsafe impl Plain for State {}

static STATE: Local<State> = Local::new(State { parent: PerProcess::new(0), reported: PerProcess::new(0) });

fn check(event: &Event) -> i32 {
    STATE.with(|state| {
        let target = match event.kind() {
            Kind::Ptrace(ptrace) if takes_control(ptrace.request()) => ptrace.target_pid() as u32,
            Kind::ProcessVmWrite(write) => write.target_pid() as u32,
            Kind::Fork(fork) => {
                state.parent.put(fork.child_pid() as u32, fork.child_start(), event.tgid());
                return 0;
            }
            Kind::Exit(_) => {
                state.parent.set(event, 0);
                state.reported.set(event, 0);
                return 0;
            }
            _ => return 0,
        };
        let own = target == event.tgid() || state.parent.of(target) == event.tgid();
        if own || state.reported.get(event) == target || !(event.succeeded() || event.denied()) {
            return 0;
        }
        state.reported.set(event, target);
        1
    })
}

fn takes_control(request: u64) -> bool {
    matches!(
        request,
        PTRACE_ATTACH
            | PTRACE_SEIZE
            | PTRACE_POKETEXT
            | PTRACE_POKEDATA
            | PTRACE_POKEUSER
            | PTRACE_SETREGS
            | PTRACE_SETFPREGS
            | PTRACE_SETREGSET
    )
}
