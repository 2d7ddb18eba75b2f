import { type DType, isFloat } from "../dtype.js";
import type { Node, Tensor } from "../graph.js";
import type { Instruction, Program } from "./plan.js";
import type { BinaryOp, UnaryOp } from "../primitives/index.js";
import type { ReduceOp } from "../primitives/reduce.js";
import { sameShape } from "../shape.js";
import type { Partition } from "./partition.js";
import { type Kind, kindIn, type Unit } from "./units.js";
import { isDense, isMovement, type View } from "./views.js";

/** What a unit computes, with the views that it loads. */
export interface Draft {
  readonly loads: readonly View[];
  /** The tensor that each of the views was taken of. */
  readonly sources: readonly Tensor[];
  /** The fused program whose outputs are these members of the unit, in order. */
  program(results: readonly Tensor[]): Program;
}

/** A view of row values (`lead` shape, maybe with 1s behind) or of full values as a view over the whole space. */
function overSpace(view: View, space: readonly number[]): View {
  if (sameShape(view.shape, space)) return view;
  const lead = view.strides.slice(0, space.length).filter((_, i) => i < view.shape.length);
  const strides = space.map((d, i) => (view.shape[i] === d ? (lead[i] ?? 0) : 0));
  return { ...view, shape: space, strides };
}

/** Writes the instructions of one unit. */
export function draftOf(partition: Partition, unit: Unit): Draft {
  const { space, reduced } = unit;
  const instructions: Instruction[] = [];
  const loads: View[] = [];
  const sources: Tensor[] = [];
  const inputs = new Map<string, number>();
  const known = new Map<string, number>();
  const values = new Map<Node, number>();

  const emit = (i: Instruction): number => instructions.push(i) - 1;
  const once = (key: string, i: () => Instruction): number => {
    let at = known.get(key);
    if (at === undefined) known.set(key, (at = emit(i())));
    return at;
  };
  const constant = (value: number, dtype: DType): number =>
    once(`const ${Object.is(value, -0) ? "-0" : value} ${dtype}`, () => ({ op: "const", dtype, value }));

  /** Arithmetic runs in f32 and i32; storage dtypes narrower than that are rounded after every operation, as when run one by one. */
  const rounded = (dtype: DType, make: (wide: DType) => Instruction): number => {
    if (dtype === "f32" || dtype === "i32" || dtype === "bool") return emit(make(dtype));
    const a = emit(make(isFloat(dtype) ? "f32" : "i32"));
    return emit({ op: "cast", dtype, a });
  };

  /** The number of an input of the program. */
  const input = (t: Tensor, view: View, use: "load" | "lookup"): number => {
    const key = `${use} ${view.base.node.id}.${view.base.index} ${view.shape} ${view.strides} ${view.offset}`;
    const at = inputs.get(key) ?? loads.push(view) - 1;
    if (!inputs.has(key)) sources.push(t);
    inputs.set(key, at);
    return at;
  };

  const operand = (t: Tensor, kind: Kind): number => {
    const member = partition.member(unit, t, kind);
    if (member) return values.get(member)!;
    const view = partition.view(t);
    const { op, attrs } = view.base.node;
    if (op === "full") return constant(attrs.value as number, t.dtype);
    const spread = overSpace(view, space);
    if (op === "iota" && sameShape(view.base.shape, space) && isDense(spread))
      return once(`index ${attrs.axis}`, () => ({ op: "index", dtype: "i32", axis: attrs.axis as number }));
    const from = input(t, spread, "load");
    return once(`load ${from}`, () => ({ op: "load", dtype: t.dtype, input: from }));
  };

  const look = ({ inputs: [table, index], outputs }: Node): number => {
    const { dtype, shape } = outputs[0]!;
    const view = partition.view(table!);
    if (view.base.node.op === "full") return constant(view.base.node.attrs.value as number, dtype);
    return emit({ op: "lookup", dtype, input: input(table!, view, "lookup"), a: operand(index!, kindIn(space, reduced, shape)!) });
  };

  const write = (node: Node): number => {
    const { dtype } = node.outputs[0]!;
    if (isMovement(node)) return operand(node.inputs[0]!, "full"); // a reshape that needs a copy
    if (node.op === "full") return constant(node.attrs.value as number, dtype);
    if (node.op === "iota") return once(`index ${node.attrs.axis}`, () => ({ op: "index", dtype: "i32", axis: node.attrs.axis as number }));
    if (node.op === "lookup") return look(node);
    const kind = node.op === "reduce" ? "full" : kindIn(space, reduced, node.outputs[0]!.shape)!;
    const [a, b, c] = node.inputs.map((t) => operand(t, kind)) as [number, number, number];
    if (node.op === "reduce") return rounded(dtype, (wide) => ({ op: "reduce", dtype: wide, how: node.attrs.how as ReduceOp, a }));
    if (node.op === "cast" || node.op === "bitcast") return emit({ op: node.op, dtype, a });
    if (node.op === "where") return emit({ op: "where", dtype, a, b, c });
    if (node.inputs.length === 2) return rounded(dtype, (wide) => ({ op: node.op as BinaryOp, dtype: wide, a, b }));
    return rounded(dtype, (wide) => ({ op: node.op as UnaryOp, dtype: wide, a }));
  };

  for (const node of unit.nodes) values.set(node, write(node));
  const output = ({ node }: Tensor): Program["outputs"][number] => ({
    value: values.get(node)!,
    perRow: reduced > 0 && !isMovement(node) && (node.op === "reduce" || kindIn(space, reduced, node.outputs[0]!.shape) === "row"),
  });
  return { loads, sources, program: (results) => ({ shape: space, reduced, instructions, outputs: results.map(output) }) };
}
