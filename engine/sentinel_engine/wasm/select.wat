;; Picks the records of a batch whose kind is in a mask, in order, with their indexes. The bytes written are the
;; u32 at 0.
(module
  (memory (export "memory") 1)

  ;; Returns how many of the records in $len bytes at $in were picked. The host made the memory large enough: $out
  ;; takes as many bytes, $offsets and $indexes a u32 each for as many records as there are.
  (func (export "pick")
    (param $mask i64) (param $len i32) (param $in i32) (param $out i32) (param $offsets i32) (param $indexes i32)
    (result i32)
    (local $at i32) (local $size i32) (local $index i32) (local $count i32) (local $written i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $len)))
        (local.set $size (i32.load (i32.add (local.get $in) (local.get $at))))
        (if (i32.wrap_i64 (i64.and (i64.const 1) (i64.shr_u
              (local.get $mask) (i64.load16_u offset=4 (i32.add (local.get $in) (local.get $at))))))
          (then
            (memory.copy
              (i32.add (local.get $out) (local.get $written))
              (i32.add (local.get $in) (local.get $at)) (local.get $size))
            (i32.store
              (i32.add (local.get $offsets) (i32.shl (local.get $count) (i32.const 2))) (local.get $written))
            (i32.store (i32.add (local.get $indexes) (i32.shl (local.get $count) (i32.const 2))) (local.get $index))
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (local.set $written (i32.add (local.get $written) (local.get $size)))))
        (local.set $at (i32.add (local.get $at) (local.get $size)))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next)))
    (i32.store (i32.const 0) (local.get $written))
    (local.get $count)))
