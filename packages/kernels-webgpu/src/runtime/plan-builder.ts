import {
  ArenaLayout,
  bytesPerElement,
  contiguousStrides,
  type DType,
  CapabilityError,
  type Operand,
  type Plan,
  sizeOf,
} from "@weft/tensor-core";
import type { Binding, Dispatch, KernelLimits, LowerContext } from "../kernels/kernel.js";
import { words } from "./usage.js";

/** Storage bindings may start at multiples of this on every device. */
const BINDING_ALIGNMENT = 256;

/** Where a binding's bytes are: a buffer bound at each run, or a place in the arena. */
export type Place =
  | { readonly bound: number; readonly begin: number; readonly bytes: number }
  | { readonly offset: number; readonly bytes: number };

/** The memory of a plan while its steps are written: its own buffers, windows of them, and the temporaries of kernels. */
export class PlanBuilder implements LowerContext {
  readonly limits: KernelLimits;
  private readonly plan: Plan;
  private readonly bound: readonly number[];
  /** Buffers that the plan does not know; their ids go on behind its own. */
  private readonly more: Place[] = [];
  private readonly layout: ArenaLayout;
  /** Offset of the bytes that empty scratch buffers share. */
  private readonly empties: number;

  constructor(plan: Plan, limits: KernelLimits) {
    this.plan = plan;
    this.limits = limits;
    this.bound = [...plan.inputs, ...plan.outputs.map(({ buffer }) => buffer)];
    this.layout = new ArenaLayout(plan, BINDING_ALIGNMENT);
    this.empties = plan.buffers.some((b) => b.role === "scratch" && b.bytes === 0) ? this.layout.keep(4) : 0;
  }

  /** Bytes of arena for scratch and temporaries. */
  get arenaBytes(): number {
    return words(this.layout.bytes);
  }

  /** Writes the step with this number; its temporaries are free for the next. */
  step(at: number, write: () => Dispatch[]): Dispatch[] {
    this.layout.begin(at);
    return write();
  }

  temporary(shape: readonly number[], dtype: DType): Operand {
    const bytes = Math.max(4, words(sizeOf(shape) * bytesPerElement(dtype)));
    const buffer = this.add({ offset: this.layout.take(bytes), bytes });
    return { buffer, dtype, shape, strides: contiguousStrides(shape), offset: 0 };
  }

  window(buffer: number, begin: number, bytes: number): number {
    const place = this.placeOf(buffer);
    return this.add(
      "bound" in place
        ? { bound: place.bound, begin: place.begin + begin, bytes: words(bytes) }
        : { offset: place.offset + begin, bytes: words(bytes) },
    );
  }

  bytes(buffer: number): number {
    return this.placeOf(buffer).bytes;
  }

  binding(buffer: number): Omit<Binding, "writable"> {
    const place = this.placeOf(buffer);
    return "bound" in place
      ? { key: `b${place.bound}+${place.begin}`, buffer, shared: false }
      : { key: `a${place.offset}`, buffer, shared: true };
  }

  /** @throws CapabilityError if a kernel cannot bind as much */
  place(buffer: number): Place {
    const place = this.placeOf(buffer);
    if (place.bytes > this.limits.maxBinding) {
      throw new CapabilityError(
        `a tensor of ${place.bytes} bytes is larger than a kernel can bind on this GPU (${this.limits.maxBinding})`,
        { kind: "binding-too-large", hint: "split it by rows" },
      );
    }
    return place;
  }

  private add(place: Place): number {
    return this.plan.buffers.length + this.more.push(place) - 1;
  }

  private placeOf(buffer: number): Place {
    const spec = this.plan.buffers[buffer];
    if (!spec) return this.more[buffer - this.plan.buffers.length]!;
    const bytes = Math.max(4, words(spec.bytes));
    // A binding has 4 bytes or more. Empty buffers share some of their own: where the plan puts them another buffer begins.
    if (spec.role === "scratch" && spec.bytes === 0) return { offset: this.empties, bytes };
    if (spec.role === "scratch") return { offset: spec.offset, bytes };
    // What lies over an input is bound as that input: one buffer may not be bound as two in one dispatch.
    const held = spec.role === "output" ? (spec.over ?? buffer) : buffer;
    return { bound: this.bound.indexOf(held), begin: 0, bytes };
  }
}
