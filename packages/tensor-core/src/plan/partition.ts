import { type Node, type Tensor, topologicalOrder } from "../graph.js";
import { PRIMITIVES } from "../primitives/index.js";
import { sameShape } from "../shape.js";
import { graphInputs, isLeaf } from "../passes/rewrite.js";
import { BitSet } from "./bitset.js";
import { current, type Kind, kindIn, peel, Unit } from "./units.js";
import { isMovement, moveView, type View, wholeView } from "./views.js";

/** Bounds of one fused program: larger ones spill registers and exceed the 8 storage buffers that every WebGPU device has. */
const MAX_INSTRUCTIONS = 64;
const MAX_LOADS = 6;

const isFusible = ({ op }: Node): boolean => op === "reduce" || PRIMITIVES[op]?.pointwise === true;
/** Values that need no memory: they become constants and indices in whatever uses them. */
const isFree = ({ op }: Node): boolean => PRIMITIVES[op]?.group === "leaf";

/** Groups the nodes of a graph into units so that as few intermediate results as possible go through memory. */
export class Partition {
  readonly units: Unit[] = [];
  private readonly unitOf = new Map<Node, Unit>();
  private readonly views = new Map<Node, View>();
  private readonly producers = new Map<Node, Set<Unit>>();

  constructor(outputs: readonly Tensor[]) {
    for (const node of topologicalOrder(outputs, graphInputs)) this.place(node);
  }

  /** The unit that computes a node, if one does. */
  unit(node: Node): Unit | undefined {
    const unit = this.unitOf.get(node);
    return unit && current(unit);
  }

  /** The memory that a tensor is a view of. */
  view(t: Tensor): View {
    return this.views.get(t.node) ?? wholeView(t);
  }

  /** The member of `unit` whose value `t` is, at a position of kind `kind`; undefined if `t` comes from outside. */
  member(unit: Unit, t: Tensor, kind: Kind): Node | undefined {
    const { source, shapes, plain } = peel(t);
    if (this.unit(source.node) !== unit || this.views.get(source.node)) return undefined;
    const own = kindIn(unit.space, unit.reduced, source.shape);
    if (!plain || own === undefined) return undefined;
    // A full value keeps its shape on the way; a row value may gain or lose 1s and may be spread over its row.
    if (own === "full") return kind === "full" && shapes.every((s) => sameShape(s, unit.space)) ? source.node : undefined;
    if (!shapes.every((s) => kindIn(unit.space, unit.reduced, s) !== undefined)) return undefined;
    return kindIn(unit.space, unit.reduced, t.shape) === kind ? source.node : undefined;
  }

  /** Units whose results a tensor is made of. */
  producersOf(t: Tensor): ReadonlySet<Unit> {
    const unit = this.unit(t.node);
    if (unit) return new Set([unit]);
    if (!isMovement(t.node)) return new Set();
    let known = this.producers.get(t.node);
    if (!known) {
      known = new Set(t.node.inputs.flatMap((i) => [...this.producersOf(i)]));
      this.producers.set(t.node, known);
    }
    return new Set([...known].map(current));
  }

  private place(node: Node): void {
    if (isLeaf(node) || isFree(node)) return;
    if (isMovement(node)) {
      const moved = moveView(node, this.view(node.inputs[0]!));
      if (moved) this.views.set(node, moved);
      else this.create(node, node.inputs[0]!.shape, true);
      return;
    }
    if (!isFusible(node)) {
      this.create(node, node.outputs[0]!.shape, false);
      return;
    }
    const candidates = [...new Set(node.inputs.flatMap((t) => [...this.producersOf(t)]))]
      .filter((u) => u.fused)
      .sort((a, b) => b.id - a.id);
    for (const unit of candidates) {
      if (this.join(node, unit)) {
        for (const other of candidates) if (current(other) !== current(unit)) this.merge(node, current(unit), current(other));
        return;
      }
    }
    const unit = this.create(node, node.op === "reduce" ? node.inputs[0]!.shape : node.outputs[0]!.shape, true);
    if (node.op === "reduce") unit.reduced = (node.attrs.axes as number[]).length;
  }

  private create(node: Node, space: readonly number[], fused: boolean): Unit {
    const unit = new Unit(this.units.length, node, space, fused);
    for (const p of this.dependencies(node)) this.order(p, unit);
    for (const t of node.inputs) unit.loads.add(this.loadKey(t));
    this.units.push(unit);
    this.unitOf.set(node, unit);
    return unit;
  }

  private dependencies(node: Node): Set<Unit> {
    return new Set(node.inputs.flatMap((t) => [...this.producersOf(t)]));
  }

  private loadKey(t: Tensor): string {
    const { base, strides, offset } = this.view(t);
    return isFree(base.node) ? "" : `${base.node.id}.${base.index}:${strides}+${offset}`;
  }

  /** Records that `first` runs before `second`, and so before everything after `second`. */
  private order(first: Unit, second: Unit): void {
    const more = new BitSet();
    more.addAll(first.before);
    more.add(first.id);
    second.before.addAll(more);
    for (const u of this.units) if (u.before.has(second.id)) u.before.addAll(more);
  }

  private join(node: Node, unit: Unit): boolean {
    const isReduce = node.op === "reduce";
    const axes = isReduce ? (node.attrs.axes as number[]).length : 0;
    if (isReduce && ((unit.reduced !== 0 && unit.reduced !== axes) || !sameShape(node.inputs[0]!.shape, unit.space))) return false;
    const reduced = unit.reduced || axes;
    const kind = isReduce ? "full" : kindIn(unit.space, reduced, node.outputs[0]!.shape);
    if (!kind || unit.nodes.length >= MAX_INSTRUCTIONS) return false;
    const loads = new Set(unit.loads);
    for (const t of node.inputs) {
      if (this.member(unit, t, kind)) continue;
      if (this.producersOf(t).has(unit)) return false;
      loads.add(this.loadKey(t));
    }
    loads.delete("");
    const others = [...this.dependencies(node)].filter((u) => u !== unit);
    if (loads.size > MAX_LOADS || others.some((u) => u.before.has(unit.id))) return false;
    for (const u of others) this.order(u, unit);
    for (const key of loads) unit.loads.add(key);
    unit.reduced = reduced;
    unit.nodes.push(node);
    this.unitOf.set(node, unit);
    return true;
  }

  /** Takes `other` into `unit`, after `node` has joined `unit`, if nothing but `node` stands between them. */
  private merge(node: Node, unit: Unit, other: Unit): void {
    if (!sameShape(unit.space, other.space) || (unit.reduced !== other.reduced && unit.reduced !== 0 && other.reduced !== 0)) return;
    if (unit.nodes.length + other.nodes.length > MAX_INSTRUCTIONS) return;
    // `unit` now runs after `other` because of `node`; any other path between them would become a cycle.
    const members = unit.nodes.filter((n) => n !== node);
    const needs = new Set(members.flatMap((n) => [...this.dependencies(n)]));
    needs.delete(unit);
    const between = [...needs, ...[...this.dependencies(node)].filter((u) => u !== other && u !== unit)];
    if (between.some((u) => u === other || u.before.has(other.id))) return;
    const reduced = unit.reduced || other.reduced;
    const kind = node.op === "reduce" ? "full" : kindIn(unit.space, reduced, node.outputs[0]!.shape);
    if (node.inputs.some((t) => this.producersOf(t).has(other) && (!kind || !this.member(other, t, kind)))) return;
    const loads = new Set([...unit.loads, ...other.loads]);
    loads.delete("");
    for (const t of node.inputs) if (this.producersOf(t).has(other)) loads.delete(this.loadKey(t));
    if (loads.size > MAX_LOADS) return;
    unit.before.addAll(other.before);
    unit.reduced = reduced;
    unit.nodes.splice(0, unit.nodes.length, ...other.nodes, ...members, node);
    unit.loads.clear();
    for (const key of loads) unit.loads.add(key);
    other.mergedInto = unit;
    for (const u of this.units) {
      if (u !== unit && (u.before.has(other.id) || u.before.has(unit.id))) {
        u.before.addAll(unit.before);
        u.before.add(unit.id);
        u.before.add(other.id);
      }
    }
  }
}
