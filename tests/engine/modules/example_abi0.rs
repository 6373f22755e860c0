#[no_mangle]
pub extern "C" fn check_file_access(path_ptr: *const u8, path_len: usize) -> i32 {
    let path = unsafe { std::str::from_utf8_unchecked(std::slice::from_raw_parts(path_ptr, path_len)) };
    if path.contains("/etc/passwd") || path.contains("/etc/shadow") { return 1; }
    0
}
