import { stopGradient, tensor, type Tensor } from "@weft/tensor-core";
import type { Bounds } from "./bounds/bounds.js";
import { Evaluator } from "./bounds/evaluate.js";
import { build, resultOf } from "./build.js";
import { leafValues } from "./leaf-values.js";
import { type Case, outputsOf } from "./scenario.js";

/** Bounds of the outputs of each call. Arguments have other values in each, or are what the call before gave. */
export function boundsOf({ program, scenario }: Case): Bounds[][] {
  const evaluator = new Evaluator();
  let before: readonly Tensor[] = [];
  return Array.from({ length: scenario.calls }, (_, call) => {
    const built = build(program, (leaf) => {
      const fed = call > 0 ? scenario.feed.find((f) => f.leaf === leaf.id) : undefined;
      // An argument is a tensor of its own, also where two of them are one result, and no gradient goes into what it was made of.
      if (fed) return stopGradient(before[fed.output]!);
      return tensor(leafValues(leaf, scenario.args?.includes(leaf.id) ? call : 0), { shape: leaf.shape, dtype: leaf.dtype });
    });
    before = outputsOf(scenario).map((ref) => resultOf(built, ref));
    return before.map((t) => evaluator.of(t));
  });
}
