import { rawView } from "./convert/storage.js";
import type { DType } from "./dtype.js";
import { IndexError } from "./errors.js";
import { type Node, type Tensor, topologicalOrder } from "./graph.js";
import { cast } from "./ops/cast.js";
import { equal, where } from "./ops/elementwise.js";
import { concat, reshape } from "./ops/movement.js";
import { max, min } from "./ops/reduce.js";
import { isLeaf } from "./passes/rewrite.js";
import { hull } from "./primitives/bounds.js";
import { PRIMITIVES } from "./primitives/index.js";
import type { Bounds, IndexRange } from "./primitives/primitive.js";

/** What the indices that an operation takes must be. */
export interface IndexCheck extends IndexRange {
  readonly operation: string;
}

/** A graph whose last output, if there are checks, tells whether its indices are in range: the smallest and the largest of each check, i32 [2·checks]. */
export interface CheckedGraph {
  readonly outputs: readonly Tensor[];
  readonly checks: readonly IndexCheck[];
}

/** The rule of a node: of the composite itself, or of the primitive. */
const ruleOf = (node: Node) => (node.composite ? node.composite.definition.indices : PRIMITIVES[node.op]?.indices);

const DTYPE_BOUNDS: { readonly [dtype in DType]?: Bounds } = {
  bool: { least: 0, most: 1 },
  u8: { least: 0, most: 255 },
  i8: { least: -128, most: 127 },
  i32: { least: -(2 ** 31), most: 2 ** 31 - 1 },
};
const UNKNOWN: Bounds = { least: -Infinity, most: Infinity };
/** Operations that are looked through for bounds: codes of a format are a few masks and shifts away from its bytes. */
const DEPTH = 32;

/** Bounds that were found, by node and result. */
type Known = Map<Node, Bounds[]>;

/** What an integer tensor can hold at most, from the graph alone. */
function boundsOf({ node, index }: Tensor, known: Known, depth: number = DEPTH): Bounds {
  const widest = DTYPE_BOUNDS[node.outputs[index]!.dtype] ?? UNKNOWN;
  if (depth === 0 || widest === UNKNOWN || isLeaf(node)) return widest;
  const bounds = known.get(node) ?? [];
  known.set(node, bounds);
  if (!bounds[index]) {
    const of = (t: Tensor): Bounds => boundsOf(t, known, depth - 1);
    const found = node.composite ? of(node.composite.decomposition[index]!) : ruledBounds(node, of);
    // A result beyond the dtype wraps.
    bounds[index] = found && found.least >= widest.least && found.most <= widest.most ? found : widest;
  }
  return bounds[index];
}

function ruledBounds({ op, inputs, attrs }: Node, of: (t: Tensor) => Bounds): Bounds | undefined {
  const { bounds, group } = PRIMITIVES[op]!;
  if (bounds) return bounds(inputs.map(of), attrs);
  return group === "movement" ? hull(inputs.map(of)) : undefined;
}

/** What is looked through for operations that take indices: the decomposition of a composite that does not say itself which it takes. */
function within(node: Node): readonly Tensor[] {
  if (isLeaf(node)) return [];
  return node.composite && !ruleOf(node) ? node.composite.decomposition : node.inputs;
}

/** The same outputs and, where a graph takes indices from tensors, one more that says whether they are in range; it makes no difference on which backend it runs. */
export function withIndexChecks(outputs: readonly Tensor[]): CheckedGraph {
  const checks: IndexCheck[] = [];
  const extremes: Tensor[] = [];
  const seen = new Set<string>();
  const known: Known = new Map();
  for (const node of topologicalOrder(outputs, within)) {
    if (isLeaf(node)) continue;
    for (const range of ruleOf(node)?.(node.inputs, node.attrs) ?? []) {
      const t = node.inputs[range.input]!;
      const key = [t.node.id, t.index, range.least, range.most, range.besides].join();
      if (t.size === 0 || seen.has(key)) continue;
      seen.add(key);
      const { least, most } = boundsOf(t, known);
      if (least >= range.least && most <= range.most) continue;
      const all = cast(reshape(t, [t.size]), "i32");
      const counted = range.besides === undefined ? all : where(equal(all, range.besides), range.least, all);
      extremes.push(...[min(counted), max(counted)].map((x) => reshape(x, [1])));
      checks.push({ ...range, operation: node.op });
    }
  }
  return { outputs: checks.length > 0 ? [...outputs, concat(extremes)] : outputs, checks };
}

/**
 * @param extremes the last output of a graph with checks, as it is stored
 * @throws IndexError for the first operation that has met an index out of range
 */
export function verifyIndices(checks: readonly IndexCheck[], extremes: Uint8Array): void {
  const values = rawView(extremes, "i32");
  checks.forEach(({ operation, name, least, most }, i) => {
    const [low, high] = [values[2 * i]!, values[2 * i + 1]!];
    if (low >= least && high <= most) return;
    throw new IndexError(operation, name, least - low > high - most ? low : high, [least, most]);
  });
}
