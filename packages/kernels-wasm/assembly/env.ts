// What each thread gives its instance of a module: the base of its own scratch memory (256 KiB).
// @ts-ignore: decorator
@external("env", "scratch")
export declare const scratch: usize;

/** Word `i` of an argument block. */
// @ts-ignore: decorator
@inline
export function word(args: usize, i: i32): i32 {
  return load<i32>(args + (<usize>i << 2));
}

// @ts-ignore: decorator
@inline
export function float(args: usize, i: i32): f32 {
  return load<f32>(args + (<usize>i << 2));
}
