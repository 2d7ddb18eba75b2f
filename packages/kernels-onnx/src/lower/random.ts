import { sizeOf } from "@weft/tensor-core";
import { THREEFRY_PARITY, THREEFRY_ROTATIONS } from "@weft/tensor-core/program";
import { TYPE } from "../model/messages.js";
import type { Context, OpStep } from "./context.js";

/** Threefry-2x32 with 20 rounds on blocks of two words, in uint32. @see Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011) */
export function lowerRandom({ inputs: [key], outputs: [output] }: OpStep, context: Context): void {
  const { builder: b } = context;
  const { graph } = b;
  const count = sizeOf(output!.shape);
  const blocks = Math.ceil(count / 2);
  const word = (value: number): string => graph.constant(TYPE.u32, [], Uint32Array.of(value));
  const add = (x: string, y: string): string => graph.node("Add", [x, y]);
  const xor = (x: string, y: string): string => graph.node("BitwiseXor", [x, y]);
  const shift = (x: string, by: number, direction: string): string => graph.node("BitShift", [x, word(by)], { direction });
  const words = graph.node("BitCast", [context.whole(key!).name], { to: TYPE.u32 });
  const [k0, k1] = [0, 1].map((i) => graph.node("Gather", [words, graph.constant(TYPE.i64, [1], BigInt64Array.of(BigInt(i)))])) as [
    string,
    string,
  ];
  const schedule = [k0, k1, xor(xor(k0, k1), word(THREEFRY_PARITY))];
  const range = [0, blocks, 1].map((v) => graph.constant(TYPE.i32, [], Int32Array.of(v)));
  const counter = graph.node("Cast", [graph.node("Range", range)], { to: TYPE.u32 });
  let x = add(counter, k0);
  let y = add(graph.node("Mul", [counter, word(0)]), k1);
  for (let round = 0; round < 20; round++) {
    x = add(x, y);
    const by = THREEFRY_ROTATIONS[round % 8]!;
    y = xor(graph.node("BitwiseOr", [shift(y, by, "LEFT"), shift(y, 32 - by, "RIGHT")]), x);
    if (round % 4 !== 3) continue;
    const s = (round + 1) / 4;
    x = add(x, schedule[s % 3]!);
    y = add(add(y, schedule[(s + 1) % 3]!), word(s));
  }
  const columns = [x, y].map((v) => graph.node("Reshape", [v, b.numbers([blocks, 1])]));
  const pairs = graph.node("BitCast", [graph.node("Concat", columns, { axis: 1 })], { to: TYPE.i32 });
  const all = b.reshape({ name: pairs, kind: "i", shape: [blocks, 2] }, [2 * blocks]);
  context.store(output!, b.reshape(b.slice(all, 0, 0, count), output!.shape));
}
