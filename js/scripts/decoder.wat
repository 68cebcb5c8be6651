;; Decodes the text of an engine (encoding.mjs). A loop in JavaScript would run in the interpreter, 85,000 times:
;; a third of the time to the first `set`. The bytes of this module are in src/entry/decoder.ts; a test compares them.
(module
  (memory (export "memory") 1)
  ;; Tables: 0 values, 256 places of letters, 384 numbers of escapes. Writes the bytes from `to` to `end`.
  (func (export "decode") (param $from i32) (param $to i32) (param $end i32) (param $letters i32)
    (local $page i32)
    (loop $next
      (local.set $page (i32.load8_u offset=384 (i32.load8_u (local.get $from))))
      (local.set $from (i32.add (local.get $from) (i32.ne (local.get $page) (i32.const 0))))
      (i32.store8 (local.get $to)
        (i32.load8_u
          (i32.add
            (i32.mul (local.get $page) (local.get $letters))
            (i32.load8_u offset=256 (i32.load8_u (local.get $from))))))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (local.set $to (i32.add (local.get $to) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $to) (local.get $end))))))
