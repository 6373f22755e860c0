;; Turns a span of a BPF ring buffer into records back to back, their offsets and their counts.
;; Memory: per-batch counts (u32 each kind) at 0, totals (u64 each kind) at 1024, refused records (u64 each kind, 0 for
;; an unknown one) at 2048, events missing (u64) at 3072, the last sequence number (u64) of each CPU and ring at 4096, then
;; offsets, input and output as the host was told by the globals.
(module
  (memory (export "memory") 132 132)
  (global $IN (export "input") i32 (i32.const 0x40000))       ;; 4 MiB + one page for the last, longest record
  (global $OUT (export "output") i32 (i32.const 0x440000))    ;; 4 MiB
  (global $OFFSETS (export "offsets") i32 (i32.const 0x20000)) ;; 128 KiB: 4 MiB of records of at least 144 bytes
  (global $SEQ i32 (i32.const 0x1000))                        ;; 2048 CPUs of the bulk ring, then of the other
  (global $lifecycle (export "lifecycle") (mut i64) (i64.const 0)) ;; kinds of ring 0, one bit each
  (global $known (export "known") (mut i64) (i64.const 0))    ;; kinds there are
  (global $written (export "written") (mut i32) (i32.const 0)) ;; bytes of output
  (global $count (export "count") (mut i32) (i32.const 0))    ;; records of output

  ;; Walks `len` bytes of ring frames at $IN; returns how many it is done with: up to the first frame that is still
  ;; being written (BUSY) or not all there. Takes their records when $take is set.
  (func (export "frames") (param $len i32) (param $take i32) (result i32)
    (local $at i32) (local $head i32) (local $size i32) (local $next i32)
    (call $clear)
    (block $done
      (loop $frame
        (br_if $done (i32.gt_u (i32.add (local.get $at) (i32.const 8)) (local.get $len)))
        (local.set $head (i32.load (i32.add (global.get $IN) (local.get $at))))
        (br_if $done (i32.lt_s (local.get $head) (i32.const 0))) ;; BUSY is the sign bit
        (local.set $size (i32.and (local.get $head) (i32.const 0x3fffffff)))
        (br_if $done (i32.gt_u (local.get $size) (i32.sub (i32.sub (local.get $len) (local.get $at)) (i32.const 8))))
        (local.set $next
          (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 15)) (i32.const -8)))
        (if (i32.gt_u (local.get $take) (i32.and (local.get $head) (i32.const 0x40000000))) ;; DISCARD
          (then (call $take (i32.add (i32.add (global.get $IN) (local.get $at)) (i32.const 8)) (local.get $size))))
        (local.set $at (local.get $next))
        (br $frame)))
    (local.get $at))

  ;; Checks `len` bytes of records back to back at $IN; returns how many were whole and well formed, from the start.
  (func (export "records") (param $len i32) (result i32)
    (local $at i32) (local $before i32)
    (call $clear)
    (block $done
      (loop $record
        (br_if $done (i32.gt_u (i32.add (local.get $at) (i32.const 144)) (local.get $len)))
        (local.set $before (global.get $written))
        (call $take
          (i32.add (global.get $IN) (local.get $at)) (i32.sub (local.get $len) (local.get $at)))
        (br_if $done (i32.eq (local.get $before) (global.get $written)))
        (local.set $at (global.get $written))
        (br $record)))
    (local.get $at))

  (func $clear
    (global.set $written (i32.const 0))
    (global.set $count (i32.const 0))
    (memory.fill (i32.const 0) (i32.const 0) (i32.const 256)))

  ;; Copies one record of at most $room bytes to the output, or counts it as refused.
  (func $take (param $from i32) (param $room i32)
    (local $len i32) (local $kind i32) (local $to i32) (local $at i32)
    (block $bad
      (br_if $bad (i32.lt_u (local.get $room) (i32.const 144)))
      (local.set $len (i32.load (local.get $from)))
      (local.set $kind (call $kind (local.get $from)))
      (br_if $bad (i32.eqz (local.get $kind)))
      (br_if $bad (i32.lt_u (local.get $len) (i32.const 144)))
      (br_if $bad (i32.gt_u (local.get $len) (local.get $room)))
      (br_if $bad (i32.gt_u (local.get $len) (i32.const 16384)))
      (br_if $bad (i32.and (local.get $len) (i32.const 7)))
      (br_if $bad (i32.gt_u
        (i32.add
          (i32.add (i32.load16_u offset=136 (local.get $from)) (i32.load16_u offset=138 (local.get $from)))
          (i32.add (i32.load16_u offset=140 (local.get $from)) (i32.load16_u offset=142 (local.get $from))))
        (i32.sub (local.get $len) (i32.const 144))))
      (local.set $to (i32.add (global.get $OUT) (global.get $written)))
      (memory.copy (local.get $to) (local.get $from) (local.get $len))
      (i32.store
        (i32.add (global.get $OFFSETS) (i32.shl (global.get $count) (i32.const 2))) (global.get $written))
      (global.set $written (i32.add (global.get $written) (local.get $len)))
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (local.set $at (i32.shl (local.get $kind) (i32.const 2)))
      (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1)))
      (local.set $at (i32.shl (local.get $kind) (i32.const 3)))
      (i64.store offset=1024 (local.get $at) (i64.add (i64.load offset=1024 (local.get $at)) (i64.const 1)))
      (call $sequence (local.get $from) (local.get $kind))
      (return))
    (local.set $at (i32.shl (local.get $kind) (i32.const 3)))
    (i64.store offset=2048 (local.get $at) (i64.add (i64.load offset=2048 (local.get $at)) (i64.const 1))))

  ;; The kind of this record, 0 when it is none that there is.
  (func $kind (param $from i32) (result i32)
    (local $kind i32)
    (local.set $kind (i32.load16_u offset=4 (local.get $from)))
    (if (i32.gt_u (local.get $kind) (i32.const 63)) (then (return (i32.const 0))))
    (select (local.get $kind) (i32.const 0) (i32.wrap_i64 (i64.and
      (i64.shr_u (global.get $known) (i64.extend_i32_u (local.get $kind))) (i64.const 1)))))

  ;; A jump in the sequence of this record's ring and CPU is that many events lost. 0 is no sequence number.
  (func $sequence (param $record i32) (param $kind i32)
    (local $slot i32) (local $seq i64) (local $last i64)
    (local.set $seq (i64.load offset=16 (local.get $record)))
    (local.set $slot
      (i32.add
        (global.get $SEQ)
        (i32.shl
          (i32.or
            (i32.and (i32.load offset=24 (local.get $record)) (i32.const 2047))
            (i32.shl
              (i32.wrap_i64 (i64.and
                (i64.shr_u (global.get $lifecycle) (i64.extend_i32_u (local.get $kind))) (i64.const 1)))
              (i32.const 11)))
          (i32.const 3))))
    (local.set $last (i64.load (local.get $slot)))
    (if (i64.le_u (local.get $seq) (local.get $last)) (then (return)))
    (i64.store (local.get $slot) (local.get $seq))
    (i64.store (i32.const 3072)
      (i64.add
        (i64.load (i32.const 3072)) (i64.sub (i64.sub (local.get $seq) (local.get $last)) (i64.const 1))))))
