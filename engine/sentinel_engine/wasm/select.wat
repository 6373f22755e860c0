;; Picks the records of a batch whose kind is in a mask, in order, with their indexes. The bytes written are the
;; u32 at 0.
(module
  (memory (export "memory") 136 136)
  (global $IN (export "input") i32 (i32.const 0x80000))        ;; 4 MiB
  (global $OUT (export "output") i32 (i32.const 0x480000))     ;; 4 MiB, no more than comes in
  (global $OFFSETS (export "offsets") i32 (i32.const 0x10000)) ;; u32 each, 4 MiB / 144 of them fit in 128 KiB
  (global $INDEXES (export "indexes") i32 (i32.const 0x40000))

  ;; Returns how many of the records in $len bytes of input were picked.
  (func (export "pick") (param $mask i64) (param $len i32) (result i32)
    (local $at i32) (local $size i32) (local $index i32) (local $count i32) (local $written i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $len)))
        (local.set $size (i32.load (i32.add (global.get $IN) (local.get $at))))
        (if (i32.wrap_i64 (i64.and (i64.const 1) (i64.shr_u
              (local.get $mask) (i64.load16_u offset=4 (i32.add (global.get $IN) (local.get $at))))))
          (then
            (memory.copy
              (i32.add (global.get $OUT) (local.get $written))
              (i32.add (global.get $IN) (local.get $at)) (local.get $size))
            (i32.store
              (i32.add (global.get $OFFSETS) (i32.shl (local.get $count) (i32.const 2))) (local.get $written))
            (i32.store (i32.add (global.get $INDEXES) (i32.shl (local.get $count) (i32.const 2))) (local.get $index))
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (local.set $written (i32.add (local.get $written) (local.get $size)))))
        (local.set $at (i32.add (local.get $at) (local.get $size)))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next)))
    (i32.store (i32.const 0) (local.get $written))
    (local.get $count)))
