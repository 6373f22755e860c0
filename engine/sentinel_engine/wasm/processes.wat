;; The processes that are there, for rules to look up: kept by the exec, fork and exit records of each batch, as of the
;; time of each event. A cell of 1 KiB is one program of one process: an exec record whose strings may be cut, and at
;; 1008 u32 next in its bucket (when retired: the cell that came after it), u32 older version, u32 next retired, u32
;; state (0 newest, 1 older, 2 exited). Memory: u32 free cells 0, u32 first cell never used 4, u32 retired cells 8,
;; u32 processes that found no room 12; buckets by pid (u32 x 65536) at 4096; cells from 266240.
(module
  (import "sandbox" "records" (memory $b 1 4096 shared))
  (import "sandbox" "processes" (memory $p 5 1024 shared))

  ;; Forgets all of them.
  (func (export "clear")
    (memory.fill $p (i32.const 0) (i32.const 0) (i32.const 266240))
    (i32.store $p (i32.const 4) (i32.const 266240)))

  ;; Takes up the $len bytes of records at $at. What the batch before has made old is forgotten first.
  (func (export "apply") (param $at i32) (param $len i32)
    (local $end i32) (local $kind i32)
    (local.set $end (i32.add (local.get $at) (local.get $len)))
    (call $forget)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $kind (i32.load16_u $b offset=4 (local.get $at)))
        (if (i32.eq (local.get $kind) (i32.const 1)) (then (call $exec (local.get $at))))
        (if (i32.eq (local.get $kind) (i32.const 3)) (then (call $fork (local.get $at))))
        (if (i32.eq (local.get $kind) (i32.const 4)) (then (call $exit (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.load $b (local.get $at))))
        (br $next))))

  (func $bucket (param $pid i32) (result i32)
    (i32.add (i32.const 4096) (i32.shl (i32.and (local.get $pid) (i32.const 65535)) (i32.const 2))))

  ;; The newest cell of this pid, or 0.
  (func $find (param $pid i32) (result i32)
    (local $cell i32)
    (local.set $cell (i32.load $p (call $bucket (local.get $pid))))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $cell)))
        (br_if $done (i32.eq (i32.load $p offset=28 (local.get $cell)) (local.get $pid)))
        (local.set $cell (i32.load $p offset=1008 (local.get $cell)))
        (br $next)))
    (local.get $cell))

  ;; A cell to write to, or 0 when there is no room: which is counted.
  (func $take (result i32)
    (local $cell i32)
    (local.set $cell (i32.load $p (i32.const 0)))
    (if (local.get $cell)
      (then (i32.store $p (i32.const 0) (i32.load $p offset=1008 (local.get $cell))))
      (else
        (local.set $cell (i32.load $p (i32.const 4)))
        (if (i32.gt_u (i32.add (local.get $cell) (i32.const 1024)) (i32.shl (memory.size $p) (i32.const 16)))
          (then
            (if (i32.eq (memory.grow $p (i32.const 1)) (i32.const -1))
              (then
                (i32.store $p (i32.const 12) (i32.add (i32.load $p (i32.const 12)) (i32.const 1)))
                (return (i32.const 0))))))
        (i32.store $p (i32.const 4) (i32.add (local.get $cell) (i32.const 1024)))))
    (i64.store $p offset=1008 (local.get $cell) (i64.const 0))
    (i64.store $p offset=1016 (local.get $cell) (i64.const 0))
    (local.get $cell))

  (func $insert (param $cell i32)
    (local $bucket i32)
    (local.set $bucket (call $bucket (i32.load $p offset=28 (local.get $cell))))
    (i32.store $p offset=1008 (local.get $cell) (i32.load $p (local.get $bucket)))
    (i32.store $p (local.get $bucket) (local.get $cell)))

  (func $unlink (param $cell i32)
    (local $link i32)
    (local.set $link (call $bucket (i32.load $p offset=28 (local.get $cell))))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (i32.load $p (local.get $link))))
        (if (i32.eq (i32.load $p (local.get $link)) (local.get $cell))
          (then
            (i32.store $p (local.get $link) (i32.load $p offset=1008 (local.get $cell)))
            (return)))
        (local.set $link (i32.add (i32.load $p (local.get $link)) (i32.const 1008)))
        (br $next))))

  ;; Until the next batch it can still be found by events that were before.
  (func $retire (param $cell i32) (param $state i32)
    (i32.store $p offset=1020 (local.get $cell) (local.get $state))
    (i32.store $p offset=1016 (local.get $cell) (i32.load $p (i32.const 8)))
    (i32.store $p (i32.const 8) (local.get $cell)))

  (func $forget
    (local $cell i32) (local $next i32) (local $after i32)
    (local.set $cell (i32.load $p (i32.const 8)))
    (block $done
      (loop $again
        (br_if $done (i32.eqz (local.get $cell)))
        (local.set $next (i32.load $p offset=1016 (local.get $cell)))
        (if (i32.eq (i32.load $p offset=1020 (local.get $cell)) (i32.const 2))
          (then (call $unlink (local.get $cell)))
          (else
            (local.set $after (i32.load $p offset=1008 (local.get $cell)))
            (i32.store $p offset=1012 (local.get $after) (i32.const 0))))
        (i32.store $p offset=1008 (local.get $cell) (i32.load $p (i32.const 0)))
        (i32.store $p (i32.const 0) (local.get $cell))
        (local.set $cell (local.get $next))
        (br $again)))
    (i32.store $p (i32.const 8) (i32.const 0)))

  (func $exec (param $record i32)
    (local $old i32) (local $cell i32)
    (local.set $old (call $find (i32.load $b offset=28 (local.get $record))))
    (if (local.get $old)
      (then
        ;; One that was there before us is told of again for each rule that is loaded.
        (if (i32.and
              (i32.ne (i32.and (i32.load8_u $b offset=7 (local.get $record)) (i32.const 16)) (i32.const 0))
              (i64.eq (i64.load $b offset=40 (local.get $record)) (i64.load $p offset=40 (local.get $old))))
          (then (return)))))
    (local.set $cell (call $take))
    (if (i32.eqz (local.get $cell)) (then (return)))
    (call $copy (local.get $cell) (local.get $record))
    (if (local.get $old)
      (then
        (if (i32.eqz (i32.load $p offset=1020 (local.get $old)))
          (then
            (call $unlink (local.get $old))
            (i32.store $p offset=1012 (local.get $cell) (local.get $old))
            (i32.store $p offset=1008 (local.get $old) (local.get $cell))
            (call $retire (local.get $old) (i32.const 1))))))
    (call $insert (local.get $cell)))

  ;; A child is its parent until it runs a program of its own.
  (func $fork (param $record i32)
    (local $child i32) (local $parent i32) (local $cell i32)
    (local.set $child (call $find (i32.load $b offset=104 (local.get $record))))
    (if (local.get $child)
      (then
        (if (i64.eq (i64.load $p offset=40 (local.get $child)) (i64.load $b offset=112 (local.get $record)))
          (then (return)))))
    (local.set $cell (call $take))
    (if (i32.eqz (local.get $cell)) (then (return)))
    (local.set $parent (call $find (i32.load $b offset=28 (local.get $record))))
    (if (local.get $parent)
      (then (memory.copy $p $p (local.get $cell) (local.get $parent) (i32.const 1008)))
      (else
        (memory.copy $p $b (local.get $cell) (local.get $record) (i32.const 104))
        (memory.fill $p (i32.add (local.get $cell) (i32.const 104)) (i32.const 0) (i32.const 40))
        (i32.store $p (local.get $cell) (i32.const 144))))
    (i32.store16 $p offset=4 (local.get $cell) (i32.const 1))
    (i32.store8 $p offset=7 (local.get $cell)
      (i32.or (i32.const 16) (i32.load8_u $p offset=7 (local.get $cell))))
    (i64.store $p offset=8 (local.get $cell) (i64.load $b offset=8 (local.get $record)))
    (i32.store $p offset=28 (local.get $cell) (i32.load $b offset=104 (local.get $record)))
    (i32.store $p offset=32 (local.get $cell) (i32.load $b offset=104 (local.get $record)))
    (i32.store $p offset=36 (local.get $cell) (i32.load $b offset=28 (local.get $record)))
    (i64.store $p offset=40 (local.get $cell) (i64.load $b offset=112 (local.get $record)))
    ;; uid, euid, gid, loginuid, cgroup, mntns, pidns
    (memory.copy $p $b (i32.add (local.get $cell) (i32.const 48)) (i32.add (local.get $record) (i32.const 48))
      (i32.const 32))
    (call $insert (local.get $cell)))

  (func $exit (param $record i32)
    (local $cell i32)
    (local.set $cell (call $find (i32.load $b offset=28 (local.get $record))))
    (if (i32.eqz (local.get $cell)) (then (return)))
    (if (i32.and
          (i32.eqz (i32.load $p offset=1020 (local.get $cell)))
          (i64.eq (i64.load $p offset=40 (local.get $cell)) (i64.load $b offset=40 (local.get $record))))
      (then (call $retire (local.get $cell) (i32.const 2)))))

  ;; The record as far as a cell holds it: exe 384 bytes, argv 320, cwd 128, tty 32.
  (func $copy (param $cell i32) (param $record i32)
    (local $to i32) (local $from i32)
    (memory.copy $p $b (local.get $cell) (local.get $record) (i32.const 144))
    (local.set $from (i32.add (local.get $record) (i32.const 144)))
    (local.set $to (i32.add (local.get $cell) (i32.const 144)))
    (local.set $to (call $string (local.get $cell) (i32.const 0) (i32.const 384) (local.get $to) (local.get $from)))
    (local.set $from (i32.add (local.get $from) (i32.load16_u $b offset=136 (local.get $record))))
    (local.set $to (call $string (local.get $cell) (i32.const 2) (i32.const 320) (local.get $to) (local.get $from)))
    (local.set $from (i32.add (local.get $from) (i32.load16_u $b offset=138 (local.get $record))))
    (local.set $to (call $string (local.get $cell) (i32.const 4) (i32.const 128) (local.get $to) (local.get $from)))
    (local.set $from (i32.add (local.get $from) (i32.load16_u $b offset=140 (local.get $record))))
    (local.set $to (call $string (local.get $cell) (i32.const 6) (i32.const 32) (local.get $to) (local.get $from)))
    (i32.store $p (local.get $cell)
      (i32.and (i32.add (i32.sub (local.get $to) (local.get $cell)) (i32.const 7)) (i32.const -8))))

  ;; Copies the string whose length is at 136 + $slot, at most $most bytes; returns where it ends.
  (func $string (param $cell i32) (param $slot i32) (param $most i32) (param $to i32) (param $from i32) (result i32)
    (local $len i32)
    (local.set $len (i32.load16_u $p offset=136 (i32.add (local.get $cell) (local.get $slot))))
    (if (i32.gt_u (local.get $len) (local.get $most))
      (then
        (local.set $len (local.get $most))
        (i32.store16 $p offset=136 (i32.add (local.get $cell) (local.get $slot)) (local.get $len))
        (i32.store8 $p offset=7 (local.get $cell)
          (i32.or (i32.const 1) (i32.load8_u $p offset=7 (local.get $cell)))))) ;; TRUNCATED
    (memory.copy $p $b (local.get $to) (local.get $from) (local.get $len))
    (i32.add (local.get $to) (local.get $len))))
