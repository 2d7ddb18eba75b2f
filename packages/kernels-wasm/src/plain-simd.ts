/** `f32x4.relaxed_madd`, and what takes its place: the addend to a local, `f32x4.mul`, the addend back, `f32x4.add`. */
const MADD = [0xfd, 0x85, 0x02];
const VECTOR = 0x7b;

const leb = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)]);

/**
 * A module with every relaxed multiply-add as a product and a sum, for machines that have no relaxed SIMD: one text in a page serves both.
 * @param code bytes of a module in which the bytes of the instruction stand for nothing else
 */
export function plainSimd(code: Uint8Array): Uint8Array<ArrayBuffer> {
  let at = 8;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = code[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const list = <T>(item: () => T): T[] => Array.from({ length: number() }, item);
  const skip = (bytes: number): number => (at += bytes);

  let [parameters, types]: [number[], number[]] = [[], []];
  const result = [...code.subarray(0, at)];
  while (at < code.length) {
    const [start, id, size] = [at, code[at++]!, number()];
    const end = at + size;
    if (id === 1)
      parameters = list(() => {
        skip(1); // func
        const count = number();
        skip(count);
        skip(number());
        return count;
      });
    if (id === 3) types = list(number);
    if (id !== 10) result.push(...code.subarray(start, end));
    else {
      let f = 0;
      const bodies = list(() => rewritten(parameters[types[f++]!]!));
      const section = [...leb(bodies.length), ...bodies.flatMap((body) => [...leb(body.length), ...body])];
      result.push(id, ...leb(section.length), ...section);
    }
    at = end;
  }
  return Uint8Array.from(result);

  /** The body of a function with so many parameters. */
  function rewritten(count: number): number[] {
    const end = number() + at;
    const groups = number();
    const start = at;
    let local = count;
    for (let i = 0; i < groups; i++) {
      local += number();
      skip(1);
    }
    const body = [...leb(groups + 1), ...code.subarray(start, at), 1, VECTOR];
    const plain = [0x21, ...leb(local), 0xfd, 0xe6, 0x01, 0x20, ...leb(local), 0xfd, 0xe4, 0x01];
    while (at < end) {
      if (code[at] === MADD[0] && code[at + 1] === MADD[1] && code[at + 2] === MADD[2]) {
        body.push(...plain);
        at += MADD.length;
      } else body.push(code[at++]!);
    }
    return body;
  }
}
