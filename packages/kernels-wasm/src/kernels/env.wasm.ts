// What each thread gives its instance of a module: the base of its own scratch memory (512 KiB).
// @ts-ignore: decorator
@external("env", "scratch")
export declare const scratch: usize;

// Elements number `from` … `from` + n - 1 of a packed matrix, row by row, as f32 side by side; they are of one row. The module of a packed format brings it.
// @ts-ignore: decorator
@external("env", "decode")
export declare function decode(args: usize, to: usize, from: usize, n: i32): void;
