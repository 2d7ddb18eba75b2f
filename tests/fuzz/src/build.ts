import * as core from "@weft/tensor-core";
import { HELPERS } from "./helpers.js";
import { isLeaf, type Leaf, mapRefs, type Program, type Ref } from "./program.js";

/** The public functions by name. */
const FUNCTIONS: ReadonlyMap<string, unknown> = new Map(Object.entries(core));

/** The results of every statement, by its id. */
export type Built = ReadonlyMap<number, readonly core.Tensor[]>;

export const resultOf = (built: Built, { of, result }: Ref): core.Tensor => built.get(of)![result]!;

/** Makes the graph of a program, or of its continuation `before`; `leafOf` gives its leaves. */
export function build(program: Program, leafOf: (leaf: Leaf) => core.Tensor, before: Built = new Map()): Built {
  const built = new Map(before);
  for (const s of program) {
    if (isLeaf(s)) built.set(s.id, [leafOf(s)]);
    else {
      const run = (HELPERS[s.fn]?.run ?? FUNCTIONS.get(s.fn)) as (...args: unknown[]) => core.Tree;
      const args = s.args.map((arg) => mapRefs(arg, (ref) => resultOf(built, ref)));
      built.set(s.id, core.flattenTree(run(...args)).leaves);
    }
  }
  return built;
}
