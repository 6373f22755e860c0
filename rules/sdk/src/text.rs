// SPDX-License-Identifier: Apache-2.0
//! Small helpers over byte strings; `starts_with`, `ends_with` and `==` come with slices.

/// Whether `needle` occurs in `text`.
pub fn contains(text: &[u8], needle: &[u8]) -> bool {
    find(text, needle, |a, b| a == b)
}

/// Whether `needle` (lower case) occurs in `text`, in any ASCII case.
pub fn contains_ignoring_case(text: &[u8], needle: &[u8]) -> bool {
    find(text, needle, |a, b| a.to_ascii_lowercase() == b)
}

#[inline]
fn find(text: &[u8], needle: &[u8], same: impl Fn(u8, u8) -> bool) -> bool {
    let last = match text.len().checked_sub(needle.len()) {
        Some(last) => last,
        None => return false,
    };
    (0..=last).any(|at| text[at..].iter().zip(needle).all(|(&a, &b)| same(a, b)))
}

/// What follows the last `/`.
pub fn basename(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// What comes before the last `/`; empty when there is none.
pub fn dirname(path: &[u8]) -> &[u8] {
    path.iter().rposition(|&byte| byte == b'/').map_or(&[], |slash| &path[..slash])
}

/// The arguments of a NUL-separated argv, the program's own name first.
pub fn args(argv: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    argv.strip_suffix(b"\0").unwrap_or(argv).split(|&byte| byte == 0)
}

/// The leading decimal digits as a number; `None` when there are none or too many.
pub fn number(text: &[u8]) -> Option<u32> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let value =
        digits.clone().try_fold(0u32, |value, &digit| value.checked_mul(10)?.checked_add((digit - b'0') as u32));
    digits.count().checked_sub(1).and(value)
}
