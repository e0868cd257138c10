;; Summarises engine readings: reads /inputs/readings.csv (rows of exactly 32 bytes, made by
;; make_readings.py), writes /outputs/report.txt and prints one line.
;;
;; Memory: 0 scratch for system calls, 256 texts, 4096 the text being made, 65536 the rows being read.
(module
  (import "wasi_snapshot_preview1" "fd_prestat_get"
    (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
    (func $fd_prestat_dir_name (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 18)

  (data (i32.const 256) "/inputs")
  (data (i32.const 264) "/outputs")
  (data (i32.const 272) "readings.csv")
  (data (i32.const 288) "report.txt")
  (data (i32.const 304) "There is no readings.csv with rows below /inputs.\n")
  (data (i32.const 368) "The report cannot be written below /outputs.\n")
  (data (i32.const 432) "readings    ")
  (data (i32.const 448) "lowest      ")
  (data (i32.const 464) "highest     ")
  (data (i32.const 480) "mean        ")
  (data (i32.const 496) "above 95.0  ")
  (data (i32.const 512) " readings from ")
  (data (i32.const 528) " to ")
  (data (i32.const 536) " degrees, mean ")
  (data (i32.const 552) "; ")
  (data (i32.const 560) " above 95.0\n")
  (data (i32.const 576) "Cooling water, degrees Celsius\n")

  (global $end (mut i32) (i32.const 4096))      ;; where the text being made ends
  (global $count (mut i64) (i64.const 0))
  (global $sum (mut i64) (i64.const 0))         ;; tenths of a degree
  (global $lowest (mut i32) (i32.const 9999))
  (global $highest (mut i32) (i32.const 0))
  (global $above (mut i64) (i64.const 0))

  ;; --- making text ---

  (func $put (param $from i32) (param $length i32)
    (memory.copy (global.get $end) (local.get $from) (local.get $length))
    (global.set $end (i32.add (global.get $end) (local.get $length))))

  (func $put_char (param $char i32)
    (i32.store8 (global.get $end) (local.get $char))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))

  (func $put_number (param $value i64)
    (if (i64.ge_u (local.get $value) (i64.const 10))
      (then (call $put_number (i64.div_u (local.get $value) (i64.const 10)))))
    (call $put_char (i32.add (i32.const 48)
      (i32.wrap_i64 (i64.rem_u (local.get $value) (i64.const 10))))))

  ;; 845 is 84.5
  (func $put_tenths (param $value i64)
    (call $put_number (i64.div_u (local.get $value) (i64.const 10)))
    (call $put_char (i32.const 46))
    (call $put_number (i64.rem_u (local.get $value) (i64.const 10))))

  (func $put_mean
    (local $hundredths i64)
    (local.set $hundredths
      (i64.div_u (i64.mul (global.get $sum) (i64.const 10)) (global.get $count)))
    (call $put_number (i64.div_u (local.get $hundredths) (i64.const 100)))
    (call $put_char (i32.const 46))
    (call $put_number
      (i64.rem_u (i64.div_u (local.get $hundredths) (i64.const 10)) (i64.const 10)))
    (call $put_number (i64.rem_u (local.get $hundredths) (i64.const 10))))

  (func $line_end (call $put_char (i32.const 10)))

  ;; --- files ---

  (func $write (param $fd i32) (param $from i32) (param $length i32) (result i32)
    (i32.store (i32.const 0) (local.get $from))
    (i32.store (i32.const 4) (local.get $length))
    (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))

  (func $fail (param $text i32) (param $length i32)
    (drop (call $write (i32.const 2) (local.get $text) (local.get $length)))
    (call $proc_exit (i32.const 1)))

  (func $equal (param $one i32) (param $two i32) (param $length i32) (result i32)
    (block $no
      (loop $next
        (if (i32.eqz (local.get $length)) (then (return (i32.const 1))))
        (br_if $no
          (i32.ne (i32.load8_u (local.get $one)) (i32.load8_u (local.get $two))))
        (local.set $one (i32.add (local.get $one) (i32.const 1)))
        (local.set $two (i32.add (local.get $two) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  ;; The folder that was opened for us under this name, or -1.
  (func $folder (param $name i32) (param $length i32) (result i32)
    (local $fd i32)
    (local.set $fd (i32.const 3))
    (block $none
      (loop $next
        (br_if $none (call $fd_prestat_get (local.get $fd) (i32.const 16)))
        (if (i32.eq (i32.load (i32.const 20)) (local.get $length))
          (then
            (drop (call $fd_prestat_dir_name
              (local.get $fd) (i32.const 32) (local.get $length)))
            (if (call $equal (i32.const 32) (local.get $name) (local.get $length))
              (then (return (local.get $fd))))))
        (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
        (br $next)))
    (i32.const -1))

  ;; A file below a folder, or -1. Flags: 0 as it is, 9 created and emptied. Rights: 2 read, 64 write.
  (func $open (param $folder i32) (param $name i32) (param $length i32)
      (param $flags i32) (param $rights i64) (result i32)
    (if (call $path_open (local.get $folder) (i32.const 0) (local.get $name) (local.get $length)
          (local.get $flags) (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 12))
      (then (return (i32.const -1))))
    (i32.load (i32.const 12)))

  ;; --- rows ---

  (func $digit (param $at i32) (result i32)
    (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))

  (func $row (param $at i32)
    (local $tenths i32)
    (local.set $tenths
      (i32.add
        (i32.add
          (i32.mul (call $digit (i32.add (local.get $at) (i32.const 21))) (i32.const 1000))
          (i32.mul (call $digit (i32.add (local.get $at) (i32.const 22))) (i32.const 100)))
        (i32.add
          (i32.mul (call $digit (i32.add (local.get $at) (i32.const 23))) (i32.const 10))
          (call $digit (i32.add (local.get $at) (i32.const 25))))))
    (global.set $count (i64.add (global.get $count) (i64.const 1)))
    (global.set $sum (i64.add (global.get $sum) (i64.extend_i32_u (local.get $tenths))))
    (if (i32.lt_u (local.get $tenths) (global.get $lowest))
      (then (global.set $lowest (local.get $tenths))))
    (if (i32.gt_u (local.get $tenths) (global.get $highest))
      (then (global.set $highest (local.get $tenths))))
    (if (i32.gt_u (local.get $tenths) (i32.const 950))
      (then (global.set $above (i64.add (global.get $above) (i64.const 1))))))

  ;; Reads a MiB at a time; what is left of a row goes to the front for the next round.
  (func $read_rows (param $fd i32)
    (local $left i32) (local $at i32) (local $stop i32)
    (loop $more
      (i32.store (i32.const 0) (i32.add (i32.const 65536) (local.get $left)))
      (i32.store (i32.const 4) (i32.sub (i32.const 1048576) (local.get $left)))
      (if (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))
        (then (return)))
      (if (i32.eqz (i32.load (i32.const 8))) (then (return)))
      (local.set $stop
        (i32.add (i32.const 65536) (i32.add (local.get $left) (i32.load (i32.const 8)))))
      (local.set $at (i32.const 65536))
      (block $done
        (loop $next
          (br_if $done
            (i32.gt_u (i32.add (local.get $at) (i32.const 32)) (local.get $stop)))
          (call $row (local.get $at))
          (local.set $at (i32.add (local.get $at) (i32.const 32)))
          (br $next)))
      (local.set $left (i32.sub (local.get $stop) (local.get $at)))
      (memory.copy (i32.const 65536) (local.get $at) (local.get $left))
      (br $more)))

  ;; --- the report ---

  (func $make_report
    (call $put (i32.const 576) (i32.const 31))
    (call $put (i32.const 432) (i32.const 12))
    (call $put_number (global.get $count)) (call $line_end)
    (call $put (i32.const 448) (i32.const 12))
    (call $put_tenths (i64.extend_i32_u (global.get $lowest))) (call $line_end)
    (call $put (i32.const 464) (i32.const 12))
    (call $put_tenths (i64.extend_i32_u (global.get $highest))) (call $line_end)
    (call $put (i32.const 480) (i32.const 12))
    (call $put_mean) (call $line_end)
    (call $put (i32.const 496) (i32.const 12))
    (call $put_number (global.get $above)) (call $line_end))

  (func $make_line
    (call $put_number (global.get $count))
    (call $put (i32.const 512) (i32.const 15))
    (call $put_tenths (i64.extend_i32_u (global.get $lowest)))
    (call $put (i32.const 528) (i32.const 4))
    (call $put_tenths (i64.extend_i32_u (global.get $highest)))
    (call $put (i32.const 536) (i32.const 15))
    (call $put_mean)
    (call $put (i32.const 552) (i32.const 2))
    (call $put_number (global.get $above))
    (call $put (i32.const 560) (i32.const 12)))

  (func $text_length (result i32) (i32.sub (global.get $end) (i32.const 4096)))

  (func (export "_start")
    (local $fd i32)
    (local.set $fd (call $open (call $folder (i32.const 256) (i32.const 7))
      (i32.const 272) (i32.const 12) (i32.const 0) (i64.const 2)))
    (if (i32.ne (local.get $fd) (i32.const -1)) (then (call $read_rows (local.get $fd))))
    (if (i64.eqz (global.get $count)) (then (call $fail (i32.const 304) (i32.const 50))))

    (local.set $fd (call $open (call $folder (i32.const 264) (i32.const 8))
      (i32.const 288) (i32.const 10) (i32.const 9) (i64.const 64)))
    (call $make_report)
    (if (i32.eq (local.get $fd) (i32.const -1)) (then (call $fail (i32.const 368) (i32.const 45))))
    (if (call $write (local.get $fd) (i32.const 4096) (call $text_length))
      (then (call $fail (i32.const 368) (i32.const 45))))

    (global.set $end (i32.const 4096))
    (call $make_line)
    (drop (call $write (i32.const 1) (i32.const 4096) (call $text_length)))))
