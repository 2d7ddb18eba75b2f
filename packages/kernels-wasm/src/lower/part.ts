import { ArenaLayout, type Footprint, type Plan } from "@weft/tensor-core";
import type { Arithmetic } from "../arithmetic.js";
import type { Region } from "../region.js";
import { LowerContext } from "./context.js";
import { type LoweredStep, lowerStep } from "./lower-step.js";

/** Of scratch, temporaries and copies in the arena: a cache line, and any SIMD access. */
export const ARENA_ALIGNMENT = 64;

/** Steps of a plan as they run in one memory, and the plan's share of the arena there. */
export class Part {
  readonly region: Region;
  /** Byte address of each buffer of the plan, then of each temporary; `bind` and the caller fill it. */
  addresses: Int32Array;
  private readonly plan: Plan;
  private readonly layout: ArenaLayout;
  private readonly context: LowerContext;
  private readonly steps: (LoweredStep | undefined)[];
  private readonly scratch: readonly (readonly [id: number, offset: number])[];
  private withdraw: (() => void) | undefined;
  private claimed = 0;
  private base = 0;

  /** @param home the plan's scratch lies in this memory */
  constructor(plan: Plan, region: Region, arithmetic: Arithmetic, home: boolean) {
    this.plan = plan;
    this.region = region;
    this.layout = new ArenaLayout(home ? plan : { buffers: [], steps: [], scratchBytes: 0 }, ARENA_ALIGNMENT);
    this.context = new LowerContext(region.memory, region.pool, arithmetic, this.layout, plan.buffers.length);
    this.scratch = home ? plan.buffers.flatMap((spec, id) => (spec.role === "scratch" ? [[id, spec.offset] as const] : [])) : [];
    this.steps = new Array<LoweredStep | undefined>(plan.steps.length);
    this.addresses = new Int32Array(plan.buffers.length);
  }

  get footprint(): Footprint {
    return { arenaBytes: this.layout.bytes, ownBytes: this.context.bytes };
  }

  /** Where in the arena there is room behind its scratch and temporaries. */
  get behind(): number {
    return Math.ceil(this.layout.bytes / ARENA_ALIGNMENT) * ARENA_ALIGNMENT;
  }

  /** The step with this number in the plan, lowered when first asked for; where the plan's scratch lies, in order. */
  step(at: number): LoweredStep {
    let lowered = this.steps[at];
    if (!lowered) {
      this.layout.begin(at);
      lowered = this.steps[at] = lowerStep(this.plan.steps[at]!, this.plan, this.context);
    }
    return lowered;
  }

  /** Gives back what the steps lowered so far did not need of the memory for their arguments. */
  seal(): void {
    this.context.seal();
  }

  /** Makes room in the arena for what was lowered, and for `more` bytes `behind` it. @throws DeviceError kind `out-of-memory` */
  claim(more: number): void {
    this.seal();
    const bytes = more > 0 ? this.behind + more : this.layout.bytes;
    if (this.withdraw && bytes === this.claimed) return;
    const withdraw = this.region.arena.claim(bytes);
    this.withdraw?.();
    this.withdraw = withdraw;
    this.claimed = bytes;
    this.base = -1;
  }

  /** Fills in where scratch and temporaries lie now. @returns the address of the arena */
  bind(): number {
    const base = this.region.arena.buffer?.address ?? 0;
    const { temporaries } = this.context;
    const buffers = this.plan.buffers.length;
    if (this.addresses.length < buffers + temporaries.length) {
      this.addresses = new Int32Array(buffers + temporaries.length);
      this.base = -1;
    }
    if (base !== this.base) {
      this.base = base;
      for (const [id, offset] of this.scratch) this.addresses[id] = base + offset;
      temporaries.forEach((offset, i) => (this.addresses[buffers + i] = base + offset));
    }
    return base;
  }

  dispose(): void {
    this.withdraw?.();
    this.withdraw = undefined;
    this.context.dispose();
  }
}
