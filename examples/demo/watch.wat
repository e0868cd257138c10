;; Keeps a watch: prints one line a second, five times, and writes /outputs/watch.txt at the end.
;; It sleeps in between, so that it takes time and no processor.
;;
;; Memory: 0 scratch for system calls, 256 texts.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)

  (data (i32.const 256) "bilge dry at bell 0\n")
  (data (i32.const 288) "The watch was kept: five bells, bilge dry.\n")
  (data (i32.const 352) "watch.txt")

  (func $print (param $descriptor i32) (param $from i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $from))
    (i32.store (i32.const 4) (local.get $length))
    (if (call $fd_write (local.get $descriptor) (i32.const 0) (i32.const 1) (i32.const 8))
      (then (call $proc_exit (i32.const 1)))))

  ;; One subscription of 48 bytes at 64: user data, tag 0 (clock), clock 1 (monotonic), time-out and
  ;; precision in nanoseconds, flags 0 (relative). One event of 32 bytes comes at 128.
  (func $sleep_one_second
    (i64.store (i32.const 64) (i64.const 0))
    (i64.store (i32.const 72) (i64.const 0))
    (i32.store (i32.const 80) (i32.const 1))
    (i64.store (i32.const 88) (i64.const 1000000000))
    (i64.store (i32.const 96) (i64.const 1000000))
    (i64.store (i32.const 104) (i64.const 0))
    (if (call $poll_oneoff (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 160))
      (then (call $proc_exit (i32.const 2)))))

  ;; The results folder is the only one that the job has: descriptor 3.
  (func $write_result
    (if (call $path_open (i32.const 3) (i32.const 0) (i32.const 352) (i32.const 9) (i32.const 9)
          (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 16))
      (then (call $proc_exit (i32.const 3))))
    (call $print (i32.load (i32.const 16)) (i32.const 288) (i32.const 43)))

  (func (export "_start")
    (local $bell i32)
    (loop $again
      (local.set $bell (i32.add (local.get $bell) (i32.const 1)))
      (call $sleep_one_second)
      (i32.store8 (i32.const 274) (i32.add (i32.const 48) (local.get $bell)))
      (call $print (i32.const 1) (i32.const 256) (i32.const 20))
      (br_if $again (i32.lt_u (local.get $bell) (i32.const 5))))
    (call $write_result)))
