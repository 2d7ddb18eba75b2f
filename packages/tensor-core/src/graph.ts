/// <reference lib="esnext.disposable" preserve="true" />
import { assertDType, type DType } from "./dtype.js";
import type { Attrs } from "./attrs.js";
import type { CompositeCall } from "./backend.js";
import { ConfigError, DeviceError, ShapeError } from "./errors.js";
import type { FlopRule, IndexRule, SliceRule } from "./primitives/primitive.js";
import type { Shape } from "./shape.js";
import type { Place, Storage } from "./storage.js";
import type { TensorSpec } from "./tensor-spec.js";
import { VERSION } from "./version.js";

/**
 * A named operation that is *defined* by its decomposition into primitives (or other composites). A backend
 * may claim it with a kernel of its own, which is only ever an optimisation: without it the decomposition runs.
 */
export interface Composite {
  readonly name: string;
  readonly decompose: (inputs: readonly Tensor[], attrs: Attrs) => readonly Tensor[];
  /** Kernels take its inputs with any strides, so that what lies transposed is read where it lies. */
  readonly anyStrides?: boolean;
  /** Of a composite with one result: so that a slice of it computes only what it takes. */
  readonly slice?: SliceRule;
  /** Of a matrix: its rows by number, i32 [n], without computing all of it; undefined where that is not to be had. */
  readonly gather?: (inputs: readonly Tensor[], attrs: Attrs, index: Tensor) => Tensor | undefined;
  /** It is a packed weight, which is never a step of its own: what plans make of the graph where one occurs. */
  readonly packed?: PackedPasses;
  /** Inputs that hold indices. Without it, those that its decomposition takes as indices. */
  readonly indices?: IndexRule;
  /** Inputs that a backend's kernel reads element by element as it writes the same elements of its results, so that these may lie there. */
  readonly overwrites?: readonly number[];
  /** Work of a backend's kernel; one operation per element of the first result without it. */
  readonly flops?: FlopRule;
  /**
   * The gradients with respect to the inputs, given those of the outputs (undefined where an output is unused). Without it
   * gradients go through the decomposition.
   */
  readonly vjp?: (
    inputs: readonly Tensor[],
    attrs: Attrs,
    outputs: readonly Tensor[],
    cotangents: readonly (Tensor | undefined)[],
  ) => readonly (Tensor | undefined)[];
}

/** How plans treat packed weights. They come with the weights, so that a program without any has none of it. */
export interface PackedPasses {
  /** Takes rows by number without the rows that nobody asked for. */
  gatherRows(outputs: readonly Tensor[]): Tensor[];
  /** Makes products with them calls that read their parts, where the backend claims those. */
  packProducts(outputs: readonly Tensor[], claims: (call: CompositeCall) => boolean, keep: (node: Node) => boolean): Tensor[];
}

/** What makes a node a composite: its definition and the same results made of primitives. */
export interface CompositeNode {
  readonly definition: Composite;
  readonly decomposition: readonly Tensor[];
}

/** Bytes that can be read again whenever they are needed: rows of a file, a Blob, a download. */
export interface Source {
  /** Exactly the bytes of the tensor, little-endian, row-major; its caller does not change them. */
  read(): Uint8Array | Promise<Uint8Array>;
  /** Those of the rows `start` … `stop`-1 along the first axis, where rows can be read alone: a large tensor then comes to a device in pieces. */
  readonly readRows?: ((start: number, stop: number) => Uint8Array | Promise<Uint8Array>) | undefined;
}

export interface NodeOptions {
  readonly composite?: CompositeNode;
  /** Bytes of a `constant`, little-endian, row-major. */
  readonly bytes?: Uint8Array;
  /** Where a `constant` without bytes gets them. */
  readonly source?: Source;
  /** The device that a leaf belongs to. */
  readonly device?: Place;
}

let nextId = 1;
const NOTHING: readonly Tensor[] = [];

/**
 * One operation of the graph. `op` is the name of a primitive, of a composite (then `composite` holds the same results made of primitives), or of a
 * leaf: `constant` (host bytes), `input` (a place-holder of a trace, or a result of a compiled call). Results that were computed stay where they
 * lie until the node is disposed of; the node holds one reference to the memory of each.
 */
export class Node {
  readonly id: number;
  readonly op: string;
  readonly attrs: Attrs;
  readonly outputs: readonly TensorSpec[];
  readonly bytes: Uint8Array | undefined;
  readonly source: Source | undefined;
  private from: readonly Tensor[];
  private parts: CompositeNode | undefined;
  private home: Place | undefined;
  /** Where its first result lies; almost always all that there is. */
  private only: Storage | undefined;
  /** Where results lie besides: further ones, and copies on other devices. */
  private more: { readonly index: number; readonly storage: Storage }[] | undefined;
  private known = false;
  private lost: ("disposed" | "donated")[] | undefined;
  private self: WeakRef<Node> | undefined;
  private made: readonly WeakRef<Node>[] | undefined;

  constructor(op: string, inputs: readonly Tensor[], attrs: Attrs, outputs: readonly TensorSpec[], options?: NodeOptions) {
    this.id = nextId++;
    this.op = op;
    this.attrs = attrs;
    this.outputs = outputs;
    this.bytes = options?.bytes;
    this.source = options?.source;
    this.from = inputs;
    this.parts = options?.composite;
    this.home = options?.device;
  }

  /** The node of a result that lies on a device already; takes over one reference. */
  static given(device: Place, storage: Storage, outputs: readonly TensorSpec[]): Node {
    const node = new Node("input", NOTHING, {}, outputs);
    node.home = device;
    node.only = storage;
    node.known = true;
    return node;
  }

  /** What it is made of; nothing once it has been evaluated, so that chains of values do not keep each other's memory. */
  get inputs(): readonly Tensor[] {
    return this.from;
  }

  get composite(): CompositeNode | undefined {
    return this.parts;
  }

  /** The device that a leaf belongs to, or that it was computed on. */
  get device(): Place | undefined {
    return this.home;
  }

  /** True once its results are known: they are read where they lie, never computed again. */
  get computed(): boolean {
    return this.known;
  }

  /** Live nodes that a value was made of, through however many evaluations: leaves, and what was computed on the way. */
  get origins(): readonly Node[] {
    return this.made?.flatMap((ref) => ref.deref() ?? []) ?? [];
  }

  /** Where a result or constant lies on a device. */
  storage(index: number, device: Place): Storage | undefined {
    const { only, more } = this;
    if (index === 0 && only !== undefined && only.device === device) return only;
    return more?.find((m) => m.index === index && m.storage.device === device)?.storage;
  }

  /** Every device that a result lies on. */
  storagesOf(index: number): readonly Storage[] {
    const further = this.more?.flatMap((m) => (m.index === index ? [m.storage] : [])) ?? [];
    return index === 0 && this.only ? [this.only, ...further] : further;
  }

  /** Takes over one reference to memory that a result lies in. */
  hold(index: number, storage: Storage): void {
    if (index === 0 && !this.only) this.only = storage;
    else (this.more ??= []).push({ index, storage });
  }

  /** Makes it a computed node: takes over one reference to the memory of each result. */
  settle(device: Place, storages: readonly Storage[]): void {
    storages.forEach((storage, i) => this.hold(i, storage));
    this.home = device;
    this.known = true;
  }

  /** Makes a computed node a value: what it was made of is not kept for it any more. */
  forget(): void {
    if (!this.known || this.from.length === 0) return;
    const before = topologicalOrder(this.from).filter((node) => node.from.length === 0 || node.known);
    this.made = [...new Set(before.flatMap((node) => [node.reference(), ...(node.made?.filter((ref) => ref.deref()) ?? [])]))];
    this.from = NOTHING;
    this.parts = undefined;
  }

  /** Lets go of a result's memory, on one device or on all. What was computed is gone then; a constant is uploaded again when it is used. */
  release(index: number, device?: Place): void {
    const { only } = this;
    if (index === 0 && only && !this.more && (!device || only.device === device)) {
      this.only = undefined;
      this.lose(index, "disposed");
      only.release();
      return;
    }
    const gone = (storage: Storage): boolean => device === undefined || storage.device === device;
    const held = this.storagesOf(index);
    const leaving = held.filter(gone);
    if (leaving.length === 0) return;
    if (index === 0 && only && gone(only)) this.only = undefined;
    this.more = this.more?.filter((m) => m.index !== index || !gone(m.storage));
    if (leaving.length === held.length) this.lose(index, "disposed");
    for (const storage of leaving) storage.release();
  }

  /** Lets go of a result's memory for a compiled call that takes it over. A constant can still be used: it is uploaded again. */
  donate(index: number): void {
    this.release(index);
    this.lose(index, "donated");
  }

  /** Why a result lies nowhere. */
  missing(index: number): DeviceError {
    const what = `${this.op}#${this.id} (${this.outputs[index]!.dtype}[${this.outputs[index]!.shape}])`;
    const fate = this.lost?.[index];
    if (fate === "donated")
      return new DeviceError(`${what} was donated to a compiled call; use its result`, {
        kind: "donated",
        hint: "what a call takes over is gone: keep what it returns, or compile without donate",
      });
    if (fate === "disposed")
      return new DeviceError(`${what} was disposed of and is used again`, {
        kind: "disposed",
        hint: "dispose of a tensor after its last use",
      });
    return new DeviceError(`${what} has no value: it is a place-holder of a trace`, {
      hint: "pass it as an argument of the compiled function",
    });
  }

  private lose(index: number, fate: "disposed" | "donated"): void {
    if (this.op !== "constant") (this.lost ??= [])[index] = fate;
  }

  private reference(): WeakRef<Node> {
    return (this.self ??= new WeakRef(this));
  }
}

/** An immutable handle on one result of the lazy graph: nothing is computed until `data()` or `evaluate` asks for it. */
export class Tensor {
  /** Of the package that it is of, for the message where two copies meet. */
  static readonly version: string = VERSION;
  readonly node: Node;
  readonly index: number;

  constructor(node: Node, index = 0) {
    this.node = node;
    this.index = index;
  }

  get shape(): Shape {
    return this.node.outputs[this.index]!.shape;
  }

  get dtype(): DType {
    return this.node.outputs[this.index]!.dtype;
  }

  get size(): number {
    return this.shape.reduce((a, b) => a * b, 1);
  }

  /** The values, computed now if need be: Float32Array for floats, Int32Array for integers and bool. */
  async data(): Promise<Float32Array | Int32Array> {
    // Loaded late: what evaluates a graph is itself made of graphs.
    const { dataOf } = await import("./evaluate.js");
    return dataOf(this);
  }

  /** The one value of a tensor of size 1. @throws ShapeError for other sizes */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeError(`item: the tensor has shape [${this.shape}], not one element`);
    return (await this.data())[0]!;
  }

  /**
   * Lets go of the memory that the value takes, at once; memory that others share is freed when the last of them lets go. A value that was computed
   * is gone then; a constant is uploaded again if it is used once more. What is not computed yet stays as it is. May be called twice.
   */
  dispose(): void {
    this.node.release(this.index);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return `Tensor(${this.dtype}[${this.shape}] ${this.node.op}#${this.node.id})`;
  }
}

/**
 * Adds a node to the graph. Shapes are already checked by the caller (`apply-primitive.ts`).
 * @throws ConfigError kind `two-copies` for inputs that another copy of this package made
 */
export function makeNode(...args: ConstructorParameters<typeof Node>): Node {
  for (const input of args[1]) if (!(input instanceof Tensor)) refuseForeign(input);
  return new Node(...args);
}

/** @throws ConfigError kind `two-copies` if it is a tensor of another copy of this package: classes and devices of two copies do not know each other */
export function refuseForeign(value: object): void {
  if (value instanceof Tensor || !("node" in value && "dtype" in value)) return;
  const { version = "an older version" } = value.constructor as { readonly version?: string };
  throw new ConfigError(`${String(value)} is of another copy of @weft/tensor-core: ${version}, this one is ${VERSION}`, {
    kind: "two-copies",
    hint: "npm ls @weft/tensor-core shows who brings which; bring all @weft packages to one version and run npm dedupe",
  });
}

/** A place-holder to be bound when a plan runs. */
export function placeholder({ shape, dtype }: TensorSpec): Tensor {
  assertDType(dtype);
  return new Tensor(makeNode("input", [], {}, [{ shape, dtype }]));
}

/**
 * Every node that `outputs` need, inputs before users. `inputsOf` says what is followed (a pass may stop at leaves or
 * walk through decompositions). Iterative: graphs of training steps are deep.
 */
export function topologicalOrder(outputs: readonly Tensor[], inputsOf: (node: Node) => readonly Tensor[] = (node) => node.inputs): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack: { readonly node: Node; readonly inputs: readonly Tensor[]; next: number }[] = [];
  const visit = (node: Node): void => {
    if (seen.has(node)) return;
    seen.add(node);
    const inputs = inputsOf(node);
    if (inputs.length === 0) order.push(node);
    else stack.push({ node, inputs, next: 0 });
  };
  for (const output of outputs) {
    visit(output.node);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      if (top.next < top.inputs.length) visit(top.inputs[top.next++]!.node);
      else order.push(stack.pop()!.node);
    }
  }
  return order;
}
