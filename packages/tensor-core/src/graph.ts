/// <reference lib="esnext.disposable" preserve="true" />
import type { BackendBuffer } from "./backend.js";
import type { Composite } from "./composite.js";
import type { DType } from "./dtype.js";
import type { Attrs } from "./attrs.js";
import type { Shape } from "./shape.js";
import type { Device } from "./device.js";
import { ShapeError } from "./errors.js";
import type { TensorSpec } from "./tensor-spec.js";

/**
 * One operation of the graph. `op` is the name of a primitive (`primitives/`), of a composite
 * (then `decomposition` holds the same results made of primitives), or of a leaf: `constant` (host
 * bytes), `input` (a place-holder of a trace).
 */
export interface Node {
  readonly id: number;
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly attrs: Attrs;
  readonly outputs: readonly TensorSpec[];
  readonly composite?: CompositeNode;
  /** Bytes of a `constant`, little-endian, row-major. */
  readonly bytes?: Uint8Array;
  /** The device that a leaf was made on. */
  readonly device?: Device;
  /** Where each result lies once it has been computed; never computed twice. */
  readonly realized: (Realized | undefined)[];
}

/** What makes a node a composite: its definition and the same results made of primitives. */
export interface CompositeNode {
  readonly definition: Composite;
  readonly decomposition: readonly Tensor[];
}

/** A result that lies in a device's memory. */
export interface Realized {
  readonly device: Device;
  readonly buffer: BackendBuffer;
}

let nextId = 1;

/** An immutable handle on one result of the lazy graph: nothing is computed until `data()` or `evaluate` asks for it. */
export class Tensor {
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
    const { dataOf } = await import("./device.js");
    return dataOf(this);
  }

  /** The one value of a tensor of size 1. @throws ShapeError for other sizes */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeError(`item: the tensor has shape [${this.shape}], not one element`);
    return (await this.data())[0]!;
  }

  /** Frees the memory that the value takes on its device; a value that was computed is gone then. */
  dispose(): void {
    const device = this.node.realized[this.index]?.device ?? this.node.device;
    device?.release(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return `Tensor(${this.dtype}[${this.shape}] ${this.node.op}#${this.node.id})`;
  }
}

export interface NodeOptions {
  readonly composite?: CompositeNode;
  readonly bytes?: Uint8Array;
  readonly device?: Device;
}

/** Adds a node to the graph. Shapes are already checked by the caller (`apply-primitive.ts`). */
export function makeNode(
  op: string,
  inputs: readonly Tensor[],
  attrs: Attrs,
  outputs: readonly TensorSpec[],
  options: NodeOptions = {},
): Node {
  return { id: nextId++, op, inputs, attrs, outputs, realized: outputs.map(() => undefined), ...options };
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
    stack.push({ node, inputs: inputsOf(node), next: 0 });
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
