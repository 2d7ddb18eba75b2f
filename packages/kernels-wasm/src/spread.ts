import { bytesPerElement, DeviceError, type Operand, type Plan, type Step } from "@weft/tensor-core";
import { ARENA_ALIGNMENT, Part } from "./lower/part.js";
import { addressIn, type WasmBuffer } from "./memory.js";
import type { Engine, Region } from "./region.js";

/** The bytes of a buffer that a step reads or writes. */
interface Extent {
  readonly id: number;
  begin: number;
  end: number;
  reads: boolean;
  writes: boolean;
}

/** A copy of an extent in the arena of the memory where a step runs, `offset` bytes behind its temporaries. */
interface Stage extends Readonly<Extent> {
  readonly offset: number;
}

interface PlacedStep {
  readonly at: number;
  readonly part: Part;
  readonly stages: readonly Stage[];
  /** Buffers of the step that lie in the memory where it runs and are bound by the caller. */
  readonly local: readonly number[];
}

/**
 * Runs a plan whose buffers lie in several memories. Each step runs where most of the bytes lie that it reads and writes (the weight, as a rule);
 * the rest (activations) is copied to and from the arena of that memory. Scratch lies in the plan's home.
 */
export class Spread {
  private readonly plan: Plan;
  private readonly home: Part;
  private readonly engine: Engine;
  private readonly parts = new Map<Region, Part>();
  private readonly extents: Extent[][] = [];
  /** Where each bound buffer lay when the steps were placed. */
  private where: readonly Region[] = [];
  private placed: readonly PlacedStep[] = [];

  constructor(plan: Plan, home: Part, engine: Engine) {
    this.plan = plan;
    this.home = home;
    this.engine = engine;
    this.parts.set(home.region, home);
  }

  /** Bytes that its parts hold besides their shares of the arenas, those of the home not counted. */
  get ownBytes(): number {
    return [...this.parts.values()].reduce((sum, part) => sum + (part === this.home ? 0 : part.footprint.ownBytes), 0);
  }

  run(inputs: readonly WasmBuffer[], outputs: readonly WasmBuffer[]): void {
    const { plan } = this;
    const bound = new Map<number, WasmBuffer>();
    plan.inputs.forEach((id, i) => bound.set(id, inputs[i]!));
    plan.outputs.forEach(({ buffer }, i) => bound.set(buffer, outputs[i]!));
    const where = [...bound.values()].map((buffer) => this.engine.regionOf(buffer));
    if (where.length !== this.where.length || where.some((region, i) => region !== this.where[i])) {
      this.placed = this.place(bound);
      this.where = where;
    }
    const bases = new Map([...this.parts.values()].map((part) => [part, part.bind()]));
    for (const { at, part, stages, local } of this.placed) {
      const { addresses } = part;
      for (const id of local) addresses[id] = addressIn(bound.get(id)!);
      const arena = bases.get(part)! + part.behind;
      for (const stage of stages) addresses[stage.id] = arena + stage.offset - stage.begin;
      for (const stage of stages) if (stage.reads) this.copy(stage, bound, part, "in");
      part.step(at).run(addresses);
      for (const stage of stages) if (stage.writes) this.copy(stage, bound, part, "out");
    }
  }

  dispose(): void {
    for (const part of this.parts.values()) if (part !== this.home) part.dispose();
  }

  /** Between where a buffer lies and its stage in the arena of `part`. */
  private copy({ id, begin, end }: Stage, bound: ReadonlyMap<number, WasmBuffer>, part: Part, direction: "in" | "out"): void {
    const buffer = bound.get(id);
    const memory = buffer ? buffer.memory : this.home.region.memory;
    const lies = (buffer ? addressIn(buffer) : this.home.addresses[id]! >>> 0) + begin;
    const stage = (part.addresses[id]! + begin) >>> 0;
    const [there, here] = [memory.bytes.subarray(lies, lies + end - begin), part.region.memory.bytes.subarray(stage, stage + end - begin)];
    if (direction === "in") here.set(there);
    else there.set(here);
  }

  /** @throws DeviceError kind `out-of-memory` if no memory has room for the copies and temporaries that a step needs */
  private place(bound: ReadonlyMap<number, WasmBuffer>): PlacedStep[] {
    const full = new Set<Region>();
    // One more than there are: what does not fit into a new memory fits nowhere.
    const most = this.engine.regions.size + 1;
    for (;;) {
      const needs = new Map<Part, number>();
      const placed: PlacedStep[] = [];
      const found = this.plan.steps.every((_, at) => {
        const chosen = this.choose(at, bound, full);
        return this.succeeds(chosen, full, most, (part) => {
          part.step(at);
          const { stages, bytes } = this.stage(at, bound, chosen);
          needs.set(part, Math.max(needs.get(part) ?? 0, bytes));
          const staged = new Set(stages.map(({ id }) => id));
          const local = this.extentsAt(at).flatMap(({ id }) => (bound.has(id) && !staged.has(id) ? [id] : []));
          placed.push({ at, part, stages, local });
        });
      });
      if (found && [...needs].every(([part, bytes]) => this.succeeds(part.region, full, most, () => part.claim(bytes)))) return placed;
    }
  }

  /** Whether a memory has room for what `attempt` does with the part in it. If not, it counts as full from now on, and nothing stays there. */
  private succeeds(region: Region, full: Set<Region>, most: number, attempt: (part: Part) => void): boolean {
    try {
      attempt(this.partIn(region));
      return true;
    } catch (error) {
      if (!(error instanceof DeviceError) || full.has(region) || full.size === most) throw error;
    }
    full.add(region);
    const part = this.partIn(region);
    if (part !== this.home) {
      this.parts.delete(region);
      part.dispose();
    }
    return false;
  }

  /**
   * The memory where a step runs: that with most of its bytes which has room for copies of the rest.
   * @param full memories that have none: what lies there is copied to another
   */
  private choose(at: number, bound: ReadonlyMap<number, WasmBuffer>, full: ReadonlySet<Region>): Region {
    const home = this.home.region;
    const bytes = new Map<Region, number>([[home, 0]]);
    for (const { id, begin, end } of this.extentsAt(at)) {
      const region = this.regionOf(id, bound);
      bytes.set(region, (bytes.get(region) ?? 0) + end - begin);
    }
    const total = [...bytes.values()].reduce((a, b) => a + b, 0);
    // A step at home without a copy needs no more than the home has.
    const open = (region: Region): boolean => !full.has(region) || (region === home && bytes.get(home) === total);
    const ranked = [...bytes].sort((a, b) => b[1] - a[1]).map(([region]) => region);
    return ranked.find(open) ?? this.engine.elsewhere(full, total) ?? ranked[0]!;
  }

  /** The copies that a step needs in a memory, one behind the other. */
  private stage(at: number, bound: ReadonlyMap<number, WasmBuffer>, region: Region): { stages: Stage[]; bytes: number } {
    let bytes = 0;
    const stages: Stage[] = [];
    for (const extent of this.extentsAt(at)) {
      if (this.regionOf(extent.id, bound) === region) continue;
      const offset = Math.ceil(bytes / ARENA_ALIGNMENT) * ARENA_ALIGNMENT;
      stages.push({ ...extent, offset });
      bytes = offset + extent.end - extent.begin;
    }
    return { stages, bytes };
  }

  private regionOf(id: number, bound: ReadonlyMap<number, WasmBuffer>): Region {
    const buffer = bound.get(id);
    return buffer ? this.engine.regionOf(buffer) : this.home.region;
  }

  private extentsAt(at: number): readonly Extent[] {
    return (this.extents[at] ??= extentsOf(this.plan.steps[at]!, this.plan, this.home.step(at).plain));
  }

  private partIn(region: Region): Part {
    let part = this.parts.get(region);
    if (!part) this.parts.set(region, (part = new Part(this.plan, region, this.engine.arithmetic, false)));
    return part;
  }
}

/** What a step reads and writes of each buffer; of whole buffers if it must see them whole. */
function extentsOf(step: Step, plan: Plan, whole: boolean): Extent[] {
  const found = new Map<number, Extent>();
  const note = (operand: Operand, kind: "reads" | "writes"): void => {
    const unit = bytesPerElement(operand.dtype);
    let [low, high] = [operand.offset, operand.offset];
    operand.shape.forEach((size, axis) => {
      const span = (size - 1) * operand.strides[axis]!;
      if (span < 0) low += span;
      else high += span;
    });
    const empty = operand.shape.includes(0);
    const [begin, end] = whole ? [0, plan.buffers[operand.buffer]!.bytes] : empty ? [0, 0] : [low * unit, (high + 1) * unit];
    const extent = found.get(operand.buffer);
    if (!extent) found.set(operand.buffer, { id: operand.buffer, begin, end, reads: kind === "reads", writes: kind === "writes" });
    else {
      extent.begin = Math.min(extent.begin, begin);
      extent.end = Math.max(extent.end, end);
      extent[kind] = true;
    }
  };
  for (const operand of step.inputs) note(operand, "reads");
  for (const operand of step.outputs) note(operand, "writes");
  return [...found.values()];
}
