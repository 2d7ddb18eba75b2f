import { type Node, type Tensor, topologicalOrder } from "../graph.js";
import { PRIMITIVES } from "../primitives/index.js";
import { sameShape } from "../shape.js";
import { graphInputs, isLeaf } from "../passes/rewrite.js";
import { Precedence } from "./precedence.js";
import { current, type Kind, kindIn, peel, Unit } from "./units.js";
import { isMovement, moveView, type View, wholeView } from "./views.js";

/** Bounds of one fused program: larger ones spill registers and exceed the 8 storage buffers that every WebGPU device has. */
const MAX_INSTRUCTIONS = 64;
const MAX_LOADS = 6;

const isFusible = ({ op, attrs, inputs }: Node): boolean =>
  op === "reduce" ? (attrs.axes as number[]).at(-1) === inputs[0]!.shape.length - 1 : PRIMITIVES[op]?.pointwise === true;
/** Values that need no memory: they become constants and indices in whatever uses them. */
const isFree = ({ op }: Node): boolean => PRIMITIVES[op]?.group === "leaf";

/** True for the table of a `lookup`: it is read from memory, whatever its shape. */
const isTable = ({ op }: Node, input: number): boolean => PRIMITIVES[op]?.table === input;

/** Groups the nodes of a graph into units so that as few intermediate results as possible go through memory. */
export class Partition {
  readonly units: Unit[] = [];
  private readonly unitOf = new Map<Node, Unit>();
  private readonly views = new Map<Node, View>();
  /** Units behind each movement, as they were when it was placed. */
  private readonly producers = new Map<Node, readonly Unit[]>();
  private readonly precedence = new Precedence();
  private readonly longest: number;

  /** @param longest the most operations of one fused program */
  constructor(outputs: readonly Tensor[], longest: number = MAX_INSTRUCTIONS) {
    this.longest = longest;
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
  producersOf(t: Tensor): readonly Unit[] {
    const unit = this.unit(t.node);
    return unit ? [unit] : distinct(this.producers.get(t.node) ?? []);
  }

  /** Units whose results a node is made of. */
  dependencies(node: Node): readonly Unit[] {
    const [first] = node.inputs;
    return node.inputs.length === 1 ? this.producersOf(first!) : distinct(node.inputs.flatMap((t) => this.producersOf(t)));
  }

  private place(node: Node): void {
    if (isLeaf(node) || isFree(node)) return;
    if (isMovement(node)) {
      const moved = moveView(node, this.view(node.inputs[0]!));
      if (!moved) return void this.create(node, node.inputs[0]!.shape, true);
      this.views.set(node, moved);
      this.producers.set(node, this.dependencies(node));
      return;
    }
    if (!isFusible(node)) {
      this.create(node, node.outputs[0]!.shape, false);
      return;
    }
    // Of candidates that do not come to one unit the one made last is taken, which is the least likely to run before the others.
    const candidates = this.dependencies(node)
      .filter((u) => u.fused)
      .sort((a, b) => b.id - a.id);
    for (const unit of candidates) {
      if (!this.join(node, unit)) continue;
      for (const other of candidates) if (other !== unit) this.merge(node, unit, other);
      return;
    }
    const unit = this.create(node, node.op === "reduce" ? node.inputs[0]!.shape : node.outputs[0]!.shape, true);
    if (node.op === "reduce") unit.reduced = (node.attrs.axes as number[]).length;
  }

  private create(node: Node, space: readonly number[], fused: boolean): Unit {
    const unit = new Unit(this.units.length, node, space, fused);
    this.precedence.append(unit);
    for (const p of this.dependencies(node)) this.precedence.link(p, unit);
    for (const t of node.inputs) unit.loads.add(this.loadKey(t));
    this.units.push(unit);
    this.unitOf.set(node, unit);
    return unit;
  }

  private loadKey(t: Tensor): string {
    const { base, strides, offset } = this.view(t);
    return isFree(base.node) ? "" : `${base.node.id}.${base.index}:${strides}+${offset}`;
  }

  private join(node: Node, unit: Unit): boolean {
    const isReduce = node.op === "reduce";
    const axes = isReduce ? (node.attrs.axes as number[]).length : 0;
    if (isReduce && ((unit.reduced !== 0 && unit.reduced !== axes) || !sameShape(node.inputs[0]!.shape, unit.space))) return false;
    const reduced = unit.reduced || axes;
    const kind = isReduce ? "full" : kindIn(unit.space, reduced, node.outputs[0]!.shape);
    if (!kind || unit.nodes.length >= this.longest) return false;
    const loads = new Set(unit.loads);
    for (const [i, t] of node.inputs.entries()) {
      if (!isTable(node, i) && this.member(unit, t, kind)) continue;
      if (this.producersOf(t).includes(unit)) return false;
      loads.add(this.loadKey(t));
    }
    loads.delete("");
    if (loads.size > MAX_LOADS) return false;
    const others = this.dependencies(node).filter((u) => u !== unit);
    if (!this.precedence.separate(others, [unit])) return false;
    for (const u of others) this.precedence.link(u, unit);
    for (const key of loads) unit.loads.add(key);
    unit.reduced = reduced;
    unit.nodes.push(node);
    this.unitOf.set(node, unit);
    return true;
  }

  /** Takes `other` into `unit`, after `node` has joined `unit`, if nothing but `node` stands between them. */
  private merge(node: Node, unit: Unit, other: Unit): void {
    if (!sameShape(unit.space, other.space) || (unit.reduced !== other.reduced && unit.reduced !== 0 && other.reduced !== 0)) return;
    if (unit.nodes.length + other.nodes.length > this.longest) return;
    const reduced = unit.reduced || other.reduced;
    const kind = node.op === "reduce" ? "full" : kindIn(unit.space, reduced, node.outputs[0]!.shape);
    const between = node.inputs.filter((t) => this.producersOf(t).includes(other));
    if (between.some((t) => !kind || isTable(node, node.inputs.indexOf(t)) || !this.member(other, t, kind))) return;
    const loads = new Set([...unit.loads, ...other.loads]);
    loads.delete("");
    for (const t of between) loads.delete(this.loadKey(t));
    if (loads.size > MAX_LOADS) return;
    const members = unit.nodes.filter((n) => n !== node);
    if (members.some((n) => this.dependencies(n).includes(other)) || !this.precedence.contract(unit, other)) return;
    unit.reduced = reduced;
    unit.nodes.splice(0, unit.nodes.length, ...other.nodes, ...members, node);
    unit.loads.clear();
    for (const key of loads) unit.loads.add(key);
  }
}

/** Units as they are now, each once. */
function distinct(units: readonly Unit[]): readonly Unit[] {
  return units.length === 1 ? [current(units[0]!)] : [...new Set(units.map(current))];
}
