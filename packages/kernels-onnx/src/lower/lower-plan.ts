import { bytesPerElement, DeviceError, type DType, isContiguous, type Operand, type Plan, sizeOf } from "@weft/tensor-core";
import type { Lanes } from "@weft/tensor-core/program";
import { Graph } from "../model/graph.js";
import { type ElementType, TYPE } from "../model/messages.js";
import { Batches } from "./batches.js";
import { Builder } from "./builder.js";
import type { Kept } from "./constants.js";
import { COMPOSITES } from "./composites.js";
import type { Activations, Context } from "./context.js";
import { lowerFused } from "./fused.js";
import { lanesFor } from "./lanes.js";
import { OPS } from "./ops.js";
import { load, PASSED, store, STORED, type Stored } from "./storage.js";
import { type Kind, kindOf, type Value } from "./value.js";
import { viewOf } from "./view.js";

/** An input or output of a model: its name there, which buffer of the plan it is, and what the runtime takes it for. */
export interface Port {
  readonly name: string;
  readonly buffer: number;
  readonly type: ElementType;
  readonly shape: readonly number[];
}

/** A plan as a model of ONNX. */
export interface Lowered {
  readonly graph: Graph;
  /** Of the inputs of the plan that something reads. */
  readonly inputs: readonly Port[];
  /** Of the outputs that have elements. */
  readonly outputs: readonly Port[];
  readonly constants: readonly Constant[];
}

/** A constant of a model, whose bytes are in a file beside it: a frozen input of the plan. The graph calls its file by its number among them. */
export interface Constant {
  readonly buffer: number;
  /** As it is in the plan, and as the model has it. */
  readonly from: DType;
  readonly to: DType;
  readonly elements: number;
}

/** The dtype that is stored as each kind is computed with. */
const COMPUTED: Readonly<Record<Kind, DType>> = { f: "f32", i: "i32", b: "bool" };

/** Writes a plan as one graph; nothing is ordered there but by what needs what. Names of nodes begin with the number of their step. @throws DeviceError for a step that has no lowering */
export function lowerPlan(plan: Plan, kept: ReadonlyMap<number, Kept> = new Map(), activations: Activations = "f32"): Lowered {
  return new Lowering(plan, kept, activations).run();
}

class Lowering implements Context {
  readonly builder: Builder;
  readonly lanes: Lanes<Value, Value, Value>;
  readonly activations: Activations;
  private readonly plan: Plan;
  private readonly graph = new Graph();
  private readonly kept: ReadonlyMap<number, Kept>;
  private readonly inputs: Port[] = [];
  private readonly constants: Constant[] = [];
  /** What lies in each buffer, and what is computed with it. */
  private readonly stored = new Map<number, Stored>();
  private readonly loaded = new Map<number, Value>();
  private readonly views = new Map<string, Value>();
  private readonly read: ReadonlySet<number>;

  constructor(plan: Plan, kept: ReadonlyMap<number, Kept>, activations: Activations) {
    this.activations = activations;
    this.plan = plan;
    this.read = new Set([...plan.steps.flatMap(({ inputs }) => inputs), ...plan.outputs].map(({ buffer }) => buffer));
    this.kept = kept;
    this.builder = new Builder(this.graph);
    this.lanes = lanesFor(this.builder);
  }

  run(): Lowered {
    const batches = new Batches(this.plan, this);
    this.plan.steps.forEach((step, at) => {
      if (step.outputs.every(({ shape }) => sizeOf(shape) === 0) || batches.take(step, at)) return;
      this.graph.label = String(at);
      if (step.kind === "fused") lowerFused(this, step);
      else if (step.kind === "op" && OPS[step.op]) OPS[step.op]!(step, this);
      else if (step.kind === "composite" && COMPOSITES[step.op]) COMPOSITES[step.op]!.lower(step, this);
      else throw new DeviceError(`step ${at}, ${step.op}, has no lowering to ONNX`);
    });
    batches.finish();
    const outputs = this.plan.outputs.filter(({ shape }) => sizeOf(shape) > 0).map((o, i) => this.output(o, `output${i}`));
    return { graph: this.graph, inputs: this.inputs, outputs, constants: this.constants };
  }

  view(operand: Operand): Value {
    const key = `${operand.buffer}|${operand.shape}|${operand.strides}|${operand.offset}`;
    const known = this.views.get(key);
    if (known) return known;
    const made = sizeOf(operand.shape) === 0 ? this.nothing(operand) : viewOf(this.builder, this.load(operand), operand);
    this.views.set(key, made);
    return made;
  }

  whole(operand: Operand): Value {
    return this.builder.expand(this.view(operand), operand.shape);
  }

  asStored(operand: Operand): Stored {
    const { offset, shape, strides } = operand;
    const { name, dtype, shape: all } = this.stored.get(operand.buffer) ?? this.input(operand);
    if (offset === 0 && isContiguous(shape, strides) && sizeOf(shape) === sizeOf(all))
      return { name: this.builder.reshape({ name, kind: kindOf(dtype), shape: all }, shape).name, dtype, shape };
    const { name: cut, kind } = this.whole(operand);
    return { name: cut, dtype: COMPUTED[kind], shape };
  }

  bytes(operand: Operand): string {
    const { name, dtype } = this.asStored(operand);
    return dtype === "u8" ? name : this.graph.node("Cast", [name], { to: TYPE.u8 });
  }

  heldShape({ buffer }: Operand): readonly number[] | undefined {
    return this.stored.get(buffer)?.shape;
  }

  isRead({ buffer }: Operand): boolean {
    return this.read.has(buffer);
  }

  store(output: Operand, value: Value, from: DType = output.dtype): void {
    const { builder: b } = this;
    // In whatever shape it has all of its elements: views are made of any.
    const all = sizeOf(value.shape) === sizeOf(output.shape) ? value : b.expand(value, output.shape);
    this.put(output, store(b, this.lanes, all, from, output.dtype));
  }

  put({ buffer }: Operand, stored: Stored): void {
    this.stored.set(buffer, stored);
  }

  private load(operand: Operand): Value {
    const { buffer } = operand;
    let value = this.loaded.get(buffer);
    if (!value) this.loaded.set(buffer, (value = load(this.builder, this.stored.get(buffer) ?? this.input(operand))));
    return value;
  }

  /** An input, in the shape in which it is first read if it is read whole: a reshape would copy it. */
  private input({ buffer, dtype, shape: first, strides, offset }: Operand): Stored {
    const elements = this.plan.buffers[buffer]!.bytes / bytesPerElement(dtype);
    const shape = offset === 0 && sizeOf(first) === elements && isContiguous(first, strides) ? first : [elements];
    const kept = this.kept.get(buffer);
    const stored = kept ? this.constant(buffer, dtype, kept === "f32" ? "f32" : dtype, shape) : this.passed(buffer, dtype, shape);
    this.stored.set(buffer, stored);
    return stored;
  }

  private passed(buffer: number, dtype: DType, shape: readonly number[]): Stored {
    const type = PASSED[dtype];
    const name = this.graph.input(`input${buffer}`, type, shape);
    this.inputs.push({ name, buffer, type, shape });
    return { name: this.sameBits(name, type, STORED[dtype]), dtype, shape };
  }

  private constant(buffer: number, from: DType, to: DType, shape: readonly number[]): Stored {
    const file = String(this.constants.push({ buffer, from, to, elements: sizeOf(shape) }) - 1);
    return { name: this.graph.external(file, STORED[to], shape), dtype: to, shape };
  }

  private output({ buffer, dtype }: Operand, name: string): Port {
    const { name: value, shape } = this.stored.get(buffer)!;
    const type = PASSED[dtype];
    this.graph.output(name, this.sameBits(value, STORED[dtype], type), type, shape);
    return { name, buffer, type, shape };
  }

  private sameBits(value: string, from: ElementType, to: ElementType): string {
    return from === to ? value : this.graph.node("BitCast", [value], { to });
  }

  /** An operand without elements. */
  private nothing({ dtype, shape }: Operand): Value {
    return this.builder.expand(this.builder.constant(kindOf(dtype), 0), shape);
  }
}
