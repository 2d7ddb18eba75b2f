// What each thread gives its instance of a module: the base of its own scratch memory (512 KiB).
// @ts-ignore: decorator
@external("env", "scratch")
export declare const scratch: usize;
