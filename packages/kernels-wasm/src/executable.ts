import { type Executable, type Footprint, type Plan, stepName, withFootprint } from "@weft/tensor-core";
import type { Arithmetic } from "./arithmetic.js";
import { Part } from "./lower/part.js";
import { addressIn, type WasmBuffer } from "./memory.js";
import type { Run } from "./lower/context.js";
import type { Engine, Region } from "./region.js";
import type { Spread } from "./spread.js";

/** A plan as kernels with their arguments. It runs in one memory, its home, as long as everything that it reads and writes lies there. */
export class WasmExecutable implements Executable {
  readonly plan: Plan;
  readonly kernels: readonly string[];
  private readonly home: Part;
  private readonly runs: readonly Run[];
  private readonly engine: Engine;
  /** What runs it where its buffers lie in several memories; loaded when they first do. */
  private spread: Spread | undefined;
  private readonly disposed: (executable: WasmExecutable) => void;

  /**
   * @param disposed is told when it is disposed of
   * @throws DeviceError kind `out-of-memory`
   */
  constructor(plan: Plan, engine: Engine, disposed: (executable: WasmExecutable) => void) {
    const { arithmetic } = engine;
    this.disposed = disposed;
    const claimed = (part: Part): Part => {
      part.claim(0);
      return part;
    };
    this.home = engine.inFirst((region) => lowerAll(plan, region, arithmetic, claimed), plan.scratchBytes);
    this.runs = plan.steps.map((_, at) => this.home.step(at).run);
    this.engine = engine;
    this.plan = withFootprint(plan, this.home.footprint);
    this.kernels = plan.steps.map(stepName);
  }

  get ownBytes(): number {
    return this.home.footprint.ownBytes + (this.spread?.ownBytes ?? 0);
  }

  /** At once, but for the first time that not all buffers lie at home. */
  run(inputs: readonly WasmBuffer[], outputs: readonly WasmBuffer[]): void | Promise<void> {
    const { home, plan } = this;
    const { memory } = home.region;
    home.bind();
    const { addresses } = home;
    let here = true;
    for (let i = 0; i < inputs.length; i++) {
      const buffer = inputs[i]!;
      addresses[plan.inputs[i]!] = addressIn(buffer);
      here &&= buffer.memory === memory;
    }
    for (let i = 0; i < outputs.length; i++) {
      const buffer = outputs[i]!;
      addresses[plan.outputs[i]!.buffer] = addressIn(buffer);
      here &&= buffer.memory === memory;
    }
    if (!here) return this.spread ? this.spread.run(inputs, outputs) : this.beginSpread(inputs, outputs);
    for (const run of this.runs) run(addresses);
  }

  private async beginSpread(inputs: readonly WasmBuffer[], outputs: readonly WasmBuffer[]): Promise<void> {
    const loaded = await import("./spread.js");
    this.spread ??= new loaded.Spread(this.plan, this.home, this.engine);
    this.spread.run(inputs, outputs);
  }

  dispose(): void {
    this.home.dispose();
    this.spread?.dispose();
    this.disposed(this);
  }
}

/** What lowering a plan would take; nothing stays allocated. */
export function footprintOf(plan: Plan, region: Region, arithmetic: Arithmetic): Footprint {
  return lowerAll(plan, region, arithmetic, (part) => {
    part.dispose();
    return part.footprint;
  });
}

/** Lowers every step where the plan's scratch is to lie. What was allocated is given back if that, or `then`, fails. */
function lowerAll<T>(plan: Plan, region: Region, arithmetic: Arithmetic, then: (part: Part) => T): T {
  const part = new Part(plan, region, arithmetic, true);
  try {
    plan.steps.forEach((_, at) => part.step(at));
    part.seal();
    return then(part);
  } catch (error) {
    part.dispose();
    throw error;
  }
}
