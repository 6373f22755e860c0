//! Someone opened the decoy.
#![no_std]
use sentinel_sdk::*;

rule!(check);

fn check(event: &Event) -> i32 {
    match event.kind() {
        Kind::Open(open) if open.path() == b"/etc/hosts" => 1,
        _ => 0,
    }
}
