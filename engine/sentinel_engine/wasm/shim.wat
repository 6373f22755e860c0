;; What a rule may import, and the arena: memory that the rule cannot reach. Instantiated before the rule.
(module
  (memory (export "arena") 1 1) ;; Layout: see driver.wat.
  (global $now (export "now") (mut i64) (i64.const 0))
  (global $early (export "early_logs") (mut i32) (i32.const 0))
  ;; The driver puts its functions that need the rule's memory here, once the rule is there.
  (table (export "hook") 3 3 funcref)
  (type $log (func (param i32 i32)))
  (type $process (func (param i32 i32 i32) (result i32)))
  (type $sizes (func (param i32 i32) (result i32)))

  (func (export "get_timestamp") (result i64) (global.get $now))

  (func (export "log_message") (param $ptr i32) (param $len i32)
    (if (ref.is_null (table.get 0 (i32.const 0)))
      (then (global.set $early (i32.add (global.get $early) (i32.const 1))) (return)))
    (call_indirect (type $log) (local.get $ptr) (local.get $len) (i32.const 0)))

  (func (export "get_process") (param $pid i32) (param $ptr i32) (param $room i32) (result i32)
    (if (ref.is_null (table.get 0 (i32.const 2))) (then (return (i32.const 0)))) ;; before the first event
    (call_indirect (type $process) (local.get $pid) (local.get $ptr) (local.get $room) (i32.const 2)))

  (func (export "environ_sizes_get") (param $count i32) (param $bytes i32) (result i32)
    (if (ref.is_null (table.get 0 (i32.const 1))) (then (return (i32.const 52)))) ;; ENOSYS
    (call_indirect (type $sizes) (local.get $count) (local.get $bytes) (i32.const 1))))
