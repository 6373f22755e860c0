;; Picks the records of a batch whose kind is in a mask, in order.
(module
  (import "sandbox" "records" (memory 1 4096 shared))

  ;; Writes the offset (u32, from $in) of each picked record to $out, and returns how many. The host made room for as
  ;; many as there are records in the $len bytes at $in.
  (func (export "pick") (param $mask i64) (param $in i32) (param $len i32) (param $out i32) (result i32)
    (local $at i32) (local $record i32) (local $to i32)
    (local.set $to (local.get $out))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $len)))
        (local.set $record (i32.add (local.get $in) (local.get $at)))
        (if (i32.wrap_i64 (i64.and (i64.const 1) (i64.shr_u
              (local.get $mask) (i64.load16_u offset=4 (local.get $record)))))
          (then
            (i32.store (local.get $to) (local.get $at))
            (local.set $to (i32.add (local.get $to) (i32.const 4)))))
        (local.set $at (i32.add (local.get $at) (i32.load (local.get $record))))
        (br $next)))
    (i32.shr_u (i32.sub (local.get $to) (local.get $out)) (i32.const 2))))
