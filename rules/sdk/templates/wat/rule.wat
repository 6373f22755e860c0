;; Someone opened the decoy. This file is at once source and module: nothing to build.
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "/etc/hosts\00") ;; the decoy's path, ended by a zero

  ;; Called for each open: the path lies at $path, has $len bytes and no zero at its end. 1: alert, 0: nothing.
  (func (export "check_file_access") (param $path i32) (param $len i32) (result i32)
    (local $at i32)
    (loop $next
      (if (i32.eq (local.get $at) (local.get $len))
        (then (return (i32.eqz (i32.load8_u (local.get $at))))))
      (if (i32.ne (i32.load8_u (i32.add (local.get $path) (local.get $at))) (i32.load8_u (local.get $at)))
        (then (return (i32.const 0))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next))
    unreachable))
