;; Calls a rule once per record, Wasm to Wasm. Instantiated after the rule, in the rule's store.
;; The records are in one memory that all drivers share and no rule sees. The arena, one per rule: u32 cursor (of the
;; run's records) 0, u32 listed matches 4, u32 matches 8, u32 rule errors 12, u32 bytes of log 16, u32 dropped log
;; lines 20, u64 total ns 24, u64 longest sampled ns 32, u64 clock scratch 40; histogram of sampled ns (u32 x 1024) at
;; 1024; listed matches (u32 place in the run, i32 score) at 8192; log lines (u32 place, u32 length, bytes) at 16384.
(module
  (import "shim" "arena" (memory $a 1 1))
  (import "sandbox" "records" (memory $b 1 4096 shared))
  (import "sandbox" "processes" (memory $p 5 1024 shared))
  (import "rule" "memory" (memory $r 0))
  (import "rule" "eval" (func $eval (param i32 i32) (result i32)))
  (import "shim" "hook" (table $hook 3 3 funcref))
  (import "shim" "now" (global $now (mut i64)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (export "memory" (memory $a)) ;; where clock_time_get writes
  (global $offset (mut i64) (i64.const 0))     ;; epoch minus boot time, ns
  (global $input (mut i32) (i32.const 0))      ;; where in the rule's memory the input goes
  (global $path_only (mut i32) (i32.const 0))  ;; ABI 0
  (global $highest (mut i32) (i32.const 0))    ;; the largest return value that is a match
  (global $sample (mut i32) (i32.const 0))
  (global $overhead (mut i64) (i64.const 0x7fffffffffffffff))
  (elem (table $hook) (i32.const 0) func $log $no_environment $process)

  (func (export "setup") (param $offset i64) (param $input i32) (param $path_only i32)
    (local $n i32) (local $start i64) (local $took i64)
    (global.set $offset (local.get $offset))
    (global.set $input (local.get $input))
    (global.set $path_only (local.get $path_only))
    (global.set $highest (select (i32.const 1) (i32.const 100) (local.get $path_only)))
    ;; What reading the clock itself costs: the least of 16 tries.
    (loop $try
      (local.set $start (call $clock))
      (local.set $took (i64.sub (call $clock) (local.get $start)))
      (if (i64.lt_u (local.get $took) (global.get $overhead)) (then (global.set $overhead (local.get $took))))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $try (i32.lt_u (local.get $n) (i32.const 16)))))

  (func $clock (result i64)
    (drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 40)))
    (i64.load $a (i32.const 40)))

  ;; Evaluates $count records; their offsets from $base are the u32s at $offsets. Returns 0 when there is nothing to
  ;; tell but the cursor and the time: no match, no error, no log line.
  (func (export "run") (param $base i32) (param $offsets i32) (param $count i32) (result i32)
    (local $index i32) (local $sample i32) (local $rest i32) (local $from i32) (local $to i32)
    (local $left i32) (local $bits i64) (local $seen v128) (local $one v128) (local $two v128) (local $three v128)
    (local $record i32) (local $n i32) (local $result i32) (local $start i64) (local $began i64)
    (i64.store $a (i32.const 0) (i64.const 0))
    (i64.store $a offset=8 (i32.const 0) (i64.const 0))
    (i64.store $a offset=16 (i32.const 0) (i64.const 0))
    (i64.store $a offset=24 (i32.const 0) (i64.const 0))
    (local.set $began (call $clock))
    (local.set $sample (global.get $sample))
    ;; Two looks at the clock cost 200 ns: one call in 64 until there are a thousand samples, then one in 256.
    (local.set $rest (select (i32.const 63) (i32.const 255) (i32.lt_u (local.get $sample) (i32.const 65536))))
    (block $done
      (loop $next
        ;; Kept in a local, since a load right after the store would cost more than the call; stored for the host.
        (i32.store $a (i32.const 0) (local.get $index))
        (br_if $done (i32.ge_u (local.get $index) (local.get $count)))
        (local.set $record (i32.add (local.get $base)
          (i32.load $b (i32.add (local.get $offsets) (i32.shl (local.get $index) (i32.const 2))))))
        (global.set $now (i64.add (i64.load $b offset=8 (local.get $record)) (global.get $offset)))
        (if (global.get $path_only)
          (then
            ;; The first string, 48 bytes a turn; what lies behind it is still in that memory. Invalid
            ;; UTF-8 is replaced, since ABI 0 modules may take it for granted. In line, for a call costs as much; the
            ;; first turn is outside the loop, whose head looks at the deadline.
            (local.set $n (i32.load16_u $b offset=136 (local.get $record)))
            (local.set $from (i32.add (local.get $record) (i32.const 144)))
            (local.set $to (global.get $input))
            (local.set $left (local.get $n))
            (local.set $seen (v128.const i64x2 0 0))
            (local.set $one (v128.load $b (local.get $from)))
            (local.set $two (v128.load $b offset=16 (local.get $from)))
            (local.set $three (v128.load $b offset=32 (local.get $from)))
            (v128.store $r (local.get $to) (local.get $one))
            (v128.store $r offset=16 (local.get $to) (local.get $two))
            (v128.store $r offset=32 (local.get $to) (local.get $three))
            (if (i32.ge_u (local.get $left) (i32.const 48)) (then
              (loop $copy
                (local.set $seen (v128.or
                  (local.get $seen) (v128.or (local.get $one) (v128.or (local.get $two) (local.get $three)))))
                (local.set $left (i32.sub (local.get $left) (i32.const 48)))
                (local.set $from (i32.add (local.get $from) (i32.const 48)))
                (local.set $to (i32.add (local.get $to) (i32.const 48)))
                (local.set $one (v128.load $b (local.get $from)))
                (local.set $two (v128.load $b offset=16 (local.get $from)))
                (local.set $three (v128.load $b offset=32 (local.get $from)))
                (v128.store $r (local.get $to) (local.get $one))
                (v128.store $r offset=16 (local.get $to) (local.get $two))
                (v128.store $r offset=32 (local.get $to) (local.get $three))
                (br_if $copy (i32.ge_u (local.get $left) (i32.const 48))))))
            ;; One bit for each byte above 0x7f; of the last turn only those of the string itself.
            (local.set $bits (i64.and
              (i64.or
                (i64.extend_i32_u (i32.or
                  (i8x16.bitmask (local.get $one))
                  (i32.shl (i8x16.bitmask (local.get $two)) (i32.const 16))))
                (i64.shl (i64.extend_i32_u (i8x16.bitmask (local.get $three))) (i64.const 32)))
              (i64.sub (i64.shl (i64.const 1) (i64.extend_i32_u (local.get $left))) (i64.const 1))))
            (if (i32.or (i8x16.bitmask (local.get $seen)) (i32.eqz (i64.eqz (local.get $bits))))
              (then (local.set $n (call $lossy
                (i32.add (local.get $record) (i32.const 144)) (local.get $n))))))
          (else
            (local.set $n (i32.load $b (local.get $record)))
            (memory.copy $r $b (global.get $input) (local.get $record) (local.get $n))))
        (if (i32.and (local.get $sample) (local.get $rest))
          (then (local.set $result (call $eval (global.get $input) (local.get $n))))
          (else
            (local.set $start (call $clock))
            (local.set $result (call $eval (global.get $input) (local.get $n)))
            (call $sampled (i64.sub (i64.sub (call $clock) (local.get $start)) (global.get $overhead)))))
        (local.set $sample (i32.add (local.get $sample) (i32.const 1)))
        (if (local.get $result) (then (call $verdict (local.get $result))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next)))
    (global.set $sample (local.get $sample))
    (i64.store $a offset=24 (i32.const 0)
      (i64.sub (i64.sub (call $clock) (local.get $began)) (global.get $overhead)))
    ;; A match or an error, or a log line kept or dropped. The cursor shares its word with the listed matches.
    (i64.ne (i64.const 0) (i64.or
      (i64.load $a offset=8 (i32.const 0)) (i64.load $a offset=16 (i32.const 0)))))

  (func $verdict (param $result i32)
    (local $listed i32)
    (if (i32.or (i32.lt_s (local.get $result) (i32.const 0)) (i32.gt_s (local.get $result) (global.get $highest)))
      (then
        (i32.store $a offset=12 (i32.const 0) (i32.add (i32.load $a offset=12 (i32.const 0)) (i32.const 1)))
        (return)))
    (i32.store $a offset=8 (i32.const 0) (i32.add (i32.load $a offset=8 (i32.const 0)) (i32.const 1)))
    (local.set $listed (i32.load $a offset=4 (i32.const 0)))
    (if (i32.ge_u (local.get $listed) (i32.const 256)) (then (return)))
    (i32.store $a offset=8192 (i32.shl (local.get $listed) (i32.const 3)) (i32.load $a (i32.const 0)))
    (i32.store $a offset=8196 (i32.shl (local.get $listed) (i32.const 3)) (local.get $result))
    (i32.store $a offset=4 (i32.const 0) (i32.add (local.get $listed) (i32.const 1))))

  ;; Log-linear: 16 steps in each power of two, so a percentile is at most 6 % off.
  (func $sampled (param $ns i64)
    (local $exponent i64) (local $slot i32)
    (if (i64.lt_s (local.get $ns) (i64.const 0)) (then (local.set $ns (i64.const 0))))
    (if (i64.gt_u (local.get $ns) (i64.load $a offset=32 (i32.const 0)))
      (then (i64.store $a offset=32 (i32.const 0) (local.get $ns))))
    (if (i64.lt_u (local.get $ns) (i64.const 16))
      (then (local.set $slot (i32.wrap_i64 (local.get $ns))))
      (else
        (local.set $exponent (i64.sub (i64.const 63) (i64.clz (local.get $ns))))
        (local.set $slot (i32.wrap_i64 (i64.add
          (i64.shl (i64.sub (local.get $exponent) (i64.const 3)) (i64.const 4))
          (i64.and
            (i64.shr_u (local.get $ns) (i64.sub (local.get $exponent) (i64.const 4))) (i64.const 15)))))))
    (local.set $slot (i32.shl (local.get $slot) (i32.const 2)))
    (i32.store $a offset=1024 (local.get $slot) (i32.add (i32.load $a offset=1024 (local.get $slot)) (i32.const 1))))

  ;; host.log_message: at most 512 bytes a line, 16 KiB a run; what is beyond is counted.
  (func $log (param $ptr i32) (param $len i32)
    (local $used i32) (local $at i32)
    (if (i32.gt_u (local.get $len) (i32.const 512)) (then (local.set $len (i32.const 512))))
    (local.set $used (i32.load $a offset=16 (i32.const 0)))
    (if (i32.gt_u (i32.add (local.get $used) (i32.add (local.get $len) (i32.const 8))) (i32.const 16384))
      (then
        (i32.store $a offset=20 (i32.const 0) (i32.add (i32.load $a offset=20 (i32.const 0)) (i32.const 1)))
        (return)))
    (local.set $at (i32.add (local.get $used) (i32.const 16384)))
    (memory.copy $a $r (i32.add (local.get $at) (i32.const 8)) (local.get $ptr) (local.get $len))
    (i32.store $a (local.get $at) (i32.load $a (i32.const 0)))
    (i32.store $a offset=4 (local.get $at) (local.get $len))
    (i32.store $a offset=16 (i32.const 0) (i32.add (local.get $used) (i32.add (local.get $len) (i32.const 8)))))

  ;; host.get_process: the process that has this pid at the time of the event, as an exec record. Returns its length, 0
  ;; when there is none, and what it would be, negative, when it is longer than the room. See processes.wat.
  (func $process (param $pid i32) (param $ptr i32) (param $room i32) (result i32)
    (local $cell i32) (local $at i32) (local $found i32) (local $when i64) (local $len i32)
    (local.set $when (i64.sub (global.get $now) (global.get $offset)))
    (local.set $cell (i32.load $p offset=4096 (i32.shl (i32.and (local.get $pid) (i32.const 65535)) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $cell)))
        (if (i32.eq (i32.load $p offset=28 (local.get $cell)) (local.get $pid))
          (then
            (local.set $at (local.get $cell))
            (loop $older
              (local.set $found (local.get $at))
              (br_if $done (i64.le_u (i64.load $p offset=8 (local.get $at)) (local.get $when)))
              (local.set $at (i32.load $p offset=1012 (local.get $at)))
              (br_if $older (local.get $at)))))
        (local.set $cell (i32.load $p offset=1008 (local.get $cell)))
        (br $next)))
    (if (i32.eqz (local.get $found)) (then (return (i32.const 0))))
    (local.set $len (i32.load $p (local.get $found)))
    (if (i32.gt_u (local.get $len) (local.get $room)) (then (return (i32.sub (i32.const 0) (local.get $len)))))
    (memory.copy $r $p (local.get $ptr) (local.get $found) (local.get $len))
    (local.get $len))

  ;; WASI's environ_sizes_get, which a Rust module built for WASI calls and cannot do without: no variables.
  (func $no_environment (param $count i32) (param $bytes i32) (result i32)
    (i32.store $r (local.get $count) (i32.const 0))
    (i32.store $r (local.get $bytes) (i32.const 0))
    (i32.const 0))

  (func $lossy (param $from i32) (param $n i32) (result i32)
    (local $i i32) (local $to i32) (local $size i32)
    (local.set $to (global.get $input))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (local.set $size
          (call $sequence (i32.add (local.get $from) (local.get $i)) (i32.sub (local.get $n) (local.get $i))))
        (if (local.get $size)
          (then
            (memory.copy $r $b (local.get $to) (i32.add (local.get $from) (local.get $i)) (local.get $size))
            (local.set $to (i32.add (local.get $to) (local.get $size)))
            (local.set $i (i32.add (local.get $i) (local.get $size))))
          (else ;; U+FFFD
            (i32.store16 $r (local.get $to) (i32.const 0xbfef))
            (i32.store8 $r offset=2 (local.get $to) (i32.const 0xbd))
            (local.set $to (i32.add (local.get $to) (i32.const 3)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))))
        (br $next)))
    (i32.sub (local.get $to) (global.get $input)))

  ;; Length of the well-formed UTF-8 sequence (Unicode table 3-7) at $p with $room bytes; 0 when there is none.
  (func $sequence (param $p i32) (param $room i32) (result i32)
    (local $lead i32) (local $size i32) (local $low i32) (local $high i32) (local $i i32) (local $byte i32)
    (local.set $lead (i32.load8_u $b (local.get $p)))
    (if (i32.lt_u (local.get $lead) (i32.const 0x80)) (then (return (i32.const 1))))
    (if (i32.or (i32.lt_u (local.get $lead) (i32.const 0xc2)) (i32.gt_u (local.get $lead) (i32.const 0xf4)))
      (then (return (i32.const 0))))
    (local.set $size (i32.add (i32.const 2) (i32.add
      (i32.ge_u (local.get $lead) (i32.const 0xe0)) (i32.ge_u (local.get $lead) (i32.const 0xf0)))))
    (if (i32.gt_u (local.get $size) (local.get $room)) (then (return (i32.const 0))))
    (local.set $low (i32.const 0x80))
    (local.set $high (i32.const 0xbf))
    (if (i32.eq (local.get $lead) (i32.const 0xe0)) (then (local.set $low (i32.const 0xa0))))
    (if (i32.eq (local.get $lead) (i32.const 0xed)) (then (local.set $high (i32.const 0x9f))))
    (if (i32.eq (local.get $lead) (i32.const 0xf0)) (then (local.set $low (i32.const 0x90))))
    (if (i32.eq (local.get $lead) (i32.const 0xf4)) (then (local.set $high (i32.const 0x8f))))
    (local.set $i (i32.const 1))
    (loop $next
      (local.set $byte (i32.load8_u $b (i32.add (local.get $p) (local.get $i))))
      (if (i32.or (i32.lt_u (local.get $byte) (local.get $low)) (i32.gt_u (local.get $byte) (local.get $high)))
        (then (return (i32.const 0))))
      (local.set $low (i32.const 0x80))
      (local.set $high (i32.const 0xbf))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $size))))
    (local.get $size)))
