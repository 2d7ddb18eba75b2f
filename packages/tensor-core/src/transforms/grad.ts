import { isFloat } from "../dtype.js";
import { ConfigError, DTypeError, ShapeError } from "../errors.js";
import { type Node, Tensor, topologicalOrder } from "../graph.js";
import * as ops from "../ops/index.js";
import { PRIMITIVES } from "../primitives/index.js";
import { flattenTree, type Tree, unflattenTree } from "./tree.js";

type Cotangents = (Tensor | undefined)[];

/** A composite without a rule of its own is differentiated as its decomposition: for gradients its inputs are the decomposed results. */
function differentiableInputs(node: Node): readonly Tensor[] {
  if (node.composite) return node.composite.definition.vjp ? node.inputs : node.composite.decomposition;
  // Nothing flows through what has no rule (`stopGradient`, comparisons).
  return PRIMITIVES[node.op]?.gradient ? node.inputs : [];
}

function inputCotangents(node: Node, dys: Cotangents): readonly (Tensor | undefined)[] {
  if (node.composite) {
    const { definition } = node.composite;
    if (!definition.vjp) return dys;
    return definition.vjp(
      node.inputs,
      node.attrs,
      node.outputs.map((_, i) => new Tensor(node, i)),
      dys,
    );
  }
  if (dys[0] === undefined) return [];
  return PRIMITIVES[node.op]?.gradient?.({ inputs: node.inputs, output: new Tensor(node), attrs: node.attrs }, dys[0], ops) ?? [];
}

/** @throws ConfigError if a node was evaluated, is made of one of `wrt`, and has forgotten how: the gradient through it would silently be missing */
function assertReachable(nodes: readonly Node[], wrt: ReadonlySet<Node>): void {
  for (const node of nodes) {
    if (wrt.has(node) || !isFloat(node.outputs[0]!.dtype)) continue;
    const from = node.origins.find((origin) => wrt.has(origin));
    if (!from) continue;
    throw new ConfigError(
      `gradients: ${from.op}#${from.id} is among what ${node.op}#${node.id} was made of, but that was forgotten when it was evaluated`,
      {
        kind: "computed",
        hint: "take gradients before evaluate, or of a function (grad, valueAndGrad); stopGradient says that it is a constant",
      },
    );
  }
}

/**
 * Vector-Jacobian product by reverse accumulation: the gradients, with respect to `wrt`, of Σ ⟨outputᵢ, cotangentᵢ⟩.
 * Builds graph only. Tensors that the outputs do not depend on get zeros.
 * @throws ConfigError kind `computed` if the outputs depend on `wrt` through a tensor that was evaluated before: it has forgotten what it was made of
 */
export function vjp(outputs: readonly Tensor[], cotangents: readonly (Tensor | undefined)[], wrt: readonly Tensor[]): Tensor[] {
  const nodes = topologicalOrder(outputs, differentiableInputs);
  const reaches = new Set<Node>(wrt.map((t) => t.node));
  const targets = new Set(reaches);
  assertReachable(nodes, targets);
  for (const node of nodes) if (differentiableInputs(node).some((t) => reaches.has(t.node))) reaches.add(node);

  const collected = new Map<Node, Cotangents>();
  const accumulate = (t: Tensor, dy: Tensor | undefined): void => {
    if (!dy || !reaches.has(t.node) || !isFloat(t.dtype)) return;
    const list = collected.get(t.node) ?? [];
    list[t.index] = list[t.index] ? ops.add(list[t.index]!, dy) : ops.cast(dy, t.dtype);
    collected.set(t.node, list);
  };
  outputs.forEach((t, i) => accumulate(t, cotangents[i]));
  for (const node of nodes.reverse()) {
    const dys = collected.get(node);
    if (!dys || !reaches.has(node)) continue;
    const inputs = differentiableInputs(node);
    if (!inputs.some((t) => reaches.has(t.node))) continue;
    inputCotangents(node, dys).forEach((dx, i) => accumulate(inputs[i]!, dx));
    if (!targets.has(node)) collected.delete(node);
  }
  return wrt.map((t) => collected.get(t.node)?.[t.index] ?? ops.zeros(t.shape, t.dtype));
}

/** Gradients of a scalar with respect to tensors of its graph. @throws ShapeError if `loss` is no scalar. */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (loss.shape.length > 0)
    throw new ShapeError(`gradients: the loss must be a scalar, got shape [${loss.shape}]`, { hint: "reduce it with sum or mean" });
  if (!isFloat(loss.dtype)) throw new DTypeError(`gradients: the loss must be a float, got ${loss.dtype}`);
  return vjp([loss], [ops.ones([], loss.dtype)], wrt);
}

/** The value of a scalar function and its gradients with respect to the tensors of its first argument (same tree). */
export function valueAndGrad<P extends Tree, A extends readonly unknown[]>(
  fn: (params: P, ...rest: A) => Tensor,
): (params: P, ...rest: A) => { value: Tensor; grads: P } {
  return (params, ...rest) => {
    const value = fn(params, ...rest);
    const { leaves, structure } = flattenTree(params);
    return { value, grads: unflattenTree(structure, gradients(value, leaves)) as P };
  };
}

/** The gradients of a scalar function with respect to the tensors of its first argument (same tree). */
export function grad<P extends Tree, A extends readonly unknown[]>(fn: (params: P, ...rest: A) => Tensor): (params: P, ...rest: A) => P {
  const both = valueAndGrad(fn);
  return (params, ...rest) => both(params, ...rest).grads;
}
