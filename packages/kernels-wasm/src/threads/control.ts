/**
 * Words of the control block in the first memory (i32). `ticket` is job number · 2^16 + chunks not yet taken. A thread takes a chunk by
 * lowering it with compare-and-swap; while a chunk is out the job cannot end, so the other words stay valid. A thread that
 * wakes late, or never, finds no chunk and holds nobody up. `place` is the number of the memory that the kernel works in, `code` where the bytes of its
 * module lie, 0 for products; `decodes` if it is a product that reads a packed matrix by that module.
 */
export const CONTROL: {
  readonly [
    name in
      | "ticket"
      | "done"
      | "chunks"
      | "kernel"
      | "decodes"
      | "args"
      | "items"
      | "grain"
      | "code"
      | "codeBytes"
      | "failed"
      | "stop"
      | "place"
  ]: number;
} = {
  ticket: 0,
  done: 1,
  chunks: 2,
  kernel: 3,
  args: 4,
  items: 5,
  grain: 6,
  code: 7,
  codeBytes: 8,
  failed: 9,
  stop: 10,
  place: 11,
  decodes: 12,
};
export const CONTROL_WORDS: number = 16;
