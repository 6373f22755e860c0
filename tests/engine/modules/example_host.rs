// The original example with the two host functions: what it logs is "<seconds since the epoch> <path>".
#[link(wasm_import_module = "host")]
extern "C" {
    fn log_message(ptr: *const u8, len: usize);
    fn get_timestamp() -> u64;
}

#[no_mangle]
pub extern "C" fn check_file_access(path_ptr: *const u8, path_len: usize) -> i32 {
    let path = unsafe { std::str::from_utf8_unchecked(std::slice::from_raw_parts(path_ptr, path_len)) };
    if path.contains("/etc/passwd") || path.contains("/etc/shadow") {
        let message = format!("{} {}", unsafe { get_timestamp() } / 1_000_000_000, path);
        unsafe { log_message(message.as_ptr(), message.len()) };
        return 1;
    }
    0
}
