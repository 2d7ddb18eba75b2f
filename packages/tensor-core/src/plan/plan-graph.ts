import type { CompositeCall } from "../backend.js";
import { bytesPerElement } from "../dtype.js";
import { makeNode, type Node, type PackedPasses, Tensor } from "../graph.js";
import { mergeCommonSubexpressions, onceEach } from "../passes/common-subexpressions.js";
import { expandComposites } from "../passes/expand-composites.js";
import { pushSlices } from "../passes/push-slices.js";
import { simplifyNode } from "../passes/simplify.js";
import { exactJson } from "../exact-json.js";
import { copyProgram } from "../program/programs.js";
import type { BufferSpec, Operand, Plan, Program, Step } from "./plan.js";
import { PRIMITIVES } from "../primitives/index.js";
import { contiguousStrides, sizeOf } from "../shape.js";
import { isLeaf, type Replacements } from "../passes/rewrite.js";
import { normalizeReductions } from "../passes/normalize-reductions.js";
import { planMemory } from "./memory.js";
import { packedFactor } from "./packed-factor.js";
import { freeEarly } from "./order.js";
import { Partition } from "./partition.js";
import { delayOverwrites } from "./donation.js";
import { checkWrites } from "./check-writes.js";
import { boundBytes } from "./with-footprint.js";
import { type Draft, draftOf } from "./program-builder.js";
import { Unit } from "./units.js";
import { isDense, isMovement, type View } from "./views.js";

/** Where a result lies once the plan has run: in one of `plan.outputs`, or, whole, in one of `plan.inputs`. */
export type ResultPlace = { readonly output: number } | { readonly input: number };

/** A plan, the leaves that its inputs are, and where its results lie. */
export interface Planned {
  readonly plan: Plan;
  /** One for each tensor that was asked for. */
  readonly results: readonly ResultPlace[];
  /** `plan.inputs` in order: the place-holders asked for, then every other leaf of the graph. */
  readonly leaves: readonly Tensor[];
}

/** The call of a composite as a backend's `claims` sees it. */
function callOf({ op, attrs, inputs, outputs }: Node): CompositeCall {
  return { name: op, attrs, inputs: inputs.map(({ shape, dtype }) => ({ shape, dtype })), outputs };
}

/** The graph as backends see it: without unclaimed composites, simplified, rows and slices taken where they lie, packed weights read as they lie, reductions in one form, nothing twice. */
function optimize(outputs: readonly Tensor[], claims: (call: CompositeCall) => boolean, given: Replacements | undefined): Tensor[] {
  // A composite over a packed weight is decomposed, so that its products read the parts.
  const keep = (node: Node): boolean => !node.inputs.some((t) => packedFactor(t)) && claims(callOf(node));
  let packed: PackedPasses | undefined;
  const stays = (node: Node): boolean => {
    const own = node.composite?.definition.packed;
    packed ??= own;
    return own !== undefined || keep(node);
  };
  const expanded = expandComposites(outputs, stays, onceEach(simplifyNode), given);
  const sliced = pushSlices(packed?.gatherRows(expanded) ?? expanded);
  return mergeCommonSubexpressions(normalizeReductions(packed?.packProducts(sliced, claims, keep) ?? sliced));
}

export interface PlanOptions {
  /** A result that is an input as it is, or the same as another result, lies there (see `results`) instead of being copied into an output of its own. */
  readonly share?: boolean;
  /** Place-holders whose memory outputs may take, by their number among the inputs. */
  readonly donated?: readonly number[];
  /** Tensors that others take the place of. */
  readonly given?: Replacements;
}

/**
 * Makes a plan of a graph: passes, fusion, buffers, order of steps.
 * @param outputs what to compute
 * @param inputs place-holders that become the first inputs of the plan, used or not
 * @param claims the composites that the backend runs itself
 */
export function planGraph(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  claims: (call: CompositeCall) => boolean,
  options: PlanOptions = {},
): Planned {
  return new Planner(optimize(outputs, claims, options.given), inputs, options).finish();
}

const key = (t: Tensor): string => `${t.node.id}.${t.index}`;

class Planner {
  private readonly outputs: readonly Tensor[];
  private readonly partition: Partition;
  private readonly buffers: { role: BufferSpec["role"]; bytes: number }[] = [];
  private readonly bufferOf = new Map<string, number>();
  private readonly leaves: Tensor[] = [];
  private readonly steps: Step[] = [];
  private readonly emitted = new Set<Unit | Node>();
  /** Members of fused units that somebody reads from memory. */
  private readonly stored = new Map<Unit, Map<string, Tensor>>();
  private readonly drafts = new Map<Unit, Draft>();
  private readonly programs = new Map<string, Program>();

  private readonly options: PlanOptions;
  private readonly written: Operand[] = [];

  constructor(outputs: readonly Tensor[], inputs: readonly Tensor[], options: PlanOptions) {
    this.outputs = outputs;
    this.options = options;
    this.partition = new Partition(outputs);
    for (const t of inputs) this.leaf(t);
    this.findStored();
  }

  finish(): Planned {
    const results = this.outputs.map((t) => this.output(t));
    const donated = this.overwritable(results);
    const steps = delayOverwrites(freeEarly(this.steps, this.buffers), this.buffers, donated);
    const { buffers, scratchBytes } = planMemory(steps, this.buffers, donated);
    const plan: Plan = {
      buffers,
      steps,
      inputs: this.leaves.map((t) => this.bufferOf.get(key(t))!),
      outputs: this.written,
      scratchBytes,
      peakBytes: boundBytes(buffers) + scratchBytes,
    };
    checkWrites(plan);
    return { plan, results, leaves: this.leaves };
  }

  /** Buffers of donated inputs, but for those that are results as they are. */
  private overwritable(results: readonly ResultPlace[]): number[] {
    const kept = new Set(results.map((place) => ("input" in place ? place.input : -1)));
    return (this.options.donated ?? []).filter((i) => !kept.has(i)).map((i) => this.bufferOf.get(key(this.leaves[i]!))!);
  }

  /** Every tensor that a unit reads through memory, so that the unit that makes it knows to store it. */
  private findStored(): void {
    const read = (t: Tensor): void => {
      const { base } = this.partition.view(t);
      const unit = this.partition.unit(base.node);
      if (!unit?.fused) return;
      const results = this.stored.get(unit) ?? new Map<string, Tensor>();
      this.stored.set(unit, results.set(key(base), base));
    };
    this.outputs.forEach(read);
    for (const unit of this.partition.units) {
      if (unit.mergedInto) continue;
      if (!unit.fused) unit.nodes[0]!.inputs.forEach(read);
      else for (const view of this.draft(unit).loads) read(view.base);
    }
  }

  private draft(unit: Unit): Draft {
    const known = this.drafts.get(unit) ?? draftOf(this.partition, unit);
    this.drafts.set(unit, known);
    return known;
  }

  /** A step that runs a fused program; equal programs are one, so that what a backend makes of one is made once. */
  private fuse(program: Program, inputs: readonly Operand[], outputs: readonly Operand[]): void {
    const key = exactJson(program);
    const same = this.programs.get(key) ?? program;
    this.programs.set(key, same);
    this.steps.push({ kind: "fused", program: same, inputs, outputs });
  }

  private allocate(t: Tensor, role: BufferSpec["role"]): number {
    const id = this.buffers.push({ role, bytes: t.size * bytesPerElement(t.dtype) }) - 1;
    this.bufferOf.set(key(t), id);
    return id;
  }

  private leaf(t: Tensor): number {
    const known = this.bufferOf.get(key(t));
    if (known !== undefined) return known;
    this.leaves.push(t);
    return this.allocate(t, "input");
  }

  private operand(view: View): Operand {
    this.compute(view.base.node);
    const buffer = this.bufferOf.get(key(view.base)) ?? this.leaf(view.base);
    return { buffer, dtype: view.base.dtype, shape: view.shape, strides: view.strides, offset: view.offset };
  }

  private whole(t: Tensor): Operand {
    const buffer = this.bufferOf.get(key(t)) ?? this.allocate(t, "scratch");
    return { buffer, dtype: t.dtype, shape: t.shape, strides: contiguousStrides(t.shape), offset: 0 };
  }

  /** A contiguous operand: the view itself, or a copy of it. */
  private dense(t: Tensor): Operand {
    const view = this.partition.view(t);
    return isDense(view) ? this.operand(view) : this.copy(view, "scratch");
  }

  private copy(view: View, role: "scratch" | "output"): Operand {
    const target = new Tensor(makeNode("copy", [view.base], {}, [{ shape: view.shape, dtype: view.base.dtype }]));
    const source = this.operand(view);
    this.allocate(target, role);
    this.fuse(copyProgram(view.shape, target.dtype), [source], [this.whole(target)]);
    return this.whole(target);
  }

  /**
   * A result. A step that makes it writes it into an output; what no step makes (an input, a part of it), or what lies in another result, is copied
   * there, or shared where that is asked for and it is whole.
   */
  private output(t: Tensor): ResultPlace {
    const view = this.partition.view(t);
    const operand = this.operand(view);
    const spec = this.buffers[operand.buffer]!;
    const complete = isDense(view) && view.offset === 0 && sizeOf(view.shape) === view.base.size;
    if (complete && spec.role === "scratch") {
      spec.role = "output";
      return { output: this.written.push(operand) - 1 };
    }
    if (!complete || !this.options.share) return { output: this.written.push(this.copy(view, "output")) - 1 };
    if (spec.role === "output") return { output: this.written.findIndex(({ buffer }) => buffer === operand.buffer) };
    return { input: this.leaves.findIndex((leaf) => this.bufferOf.get(key(leaf)) === operand.buffer) };
  }

  /** Emits the steps that a node needs, and its own; iterative, since graphs are deep. */
  private compute(node: Node): void {
    const stack: (Unit | Node)[] = [];
    const push = (n: Node): void => {
      const item = this.partition.unit(n) ?? (isLeaf(n) || isMovement(n) ? undefined : n);
      if (item && !this.emitted.has(item)) stack.push(item);
    };
    push(node);
    while (stack.length > 0) {
      const item = stack[stack.length - 1]!;
      if (this.emitted.has(item)) {
        stack.pop();
        continue;
      }
      const waiting = item instanceof Unit ? this.dependencies(item) : [];
      const open = waiting.filter((u) => !this.emitted.has(u));
      if (open.length > 0) {
        stack.push(...open);
        continue;
      }
      stack.pop();
      this.emitted.add(item);
      if (item instanceof Unit) this.emit(item);
      else this.emitConstant(item);
    }
  }

  private dependencies(unit: Unit): Unit[] {
    const before = new Set(unit.nodes.flatMap((n) => this.partition.dependencies(n)));
    before.delete(unit);
    return [...before].reverse();
  }

  private emit(unit: Unit): void {
    if (unit.fused) {
      const results = [...(this.stored.get(unit)?.values() ?? [])];
      // What only a barrier waits for: nobody reads it, and there is nothing to run.
      if (results.length === 0) return;
      const { program, loads } = this.draft(unit);
      const inputs = loads.map((v) => this.operand(v));
      this.fuse(
        program(results),
        inputs,
        results.map((t) => this.whole(t)),
      );
      return;
    }
    const [node] = unit.nodes as [Node];
    const { anyStrides } = node.composite?.definition ?? PRIMITIVES[node.op]!;
    const inputs = node.inputs.map((t) => (anyStrides ? this.operand(this.partition.view(t)) : this.dense(t)));
    const outputs = node.outputs.map((_, i) => this.whole(new Tensor(node, i)));
    const { op, attrs, composite } = node;
    const rule = composite ? composite.definition.flops : PRIMITIVES[op]!.flops;
    const flops = rule ? rule(inputs, outputs) : sizeOf(outputs[0]!.shape);
    const common = { op, attrs, inputs, outputs, flops };
    const { overwrites } = composite?.definition ?? {};
    this.steps.push(composite ? { kind: "composite", ...common, ...(overwrites && { overwrites }) } : { kind: "op", ...common });
  }

  /** A `full` or `iota` that must lie in memory after all. */
  private emitConstant(node: Node): void {
    const t = new Tensor(node);
    const { program } = draftOf(this.partition, new Unit(-1, node, t.shape, true));
    this.fuse(program([t]), [], [this.whole(t)]);
  }
}
