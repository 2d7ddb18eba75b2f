import type { Plan } from "./plan.js";

/** Bytes of the arena from `begin` to `end` - 1. */
interface Range {
  readonly begin: number;
  readonly end: number;
}

interface Lifetime extends Range {
  readonly first: number;
  readonly last: number;
}

/**
 * Where the temporaries of a backend's kernels lie in the arena of a plan: while their step runs they take the lowest places that no scratch
 * buffer of the plan needs then, and lie behind the plan's scratch only if there is no gap for them. Steps are laid out in order.
 */
export class ArenaLayout {
  private readonly alignment: number;
  /** Scratch buffers of steps that were not begun yet, the first of them last. */
  private readonly coming: Lifetime[];
  private alive: Lifetime[] = [];
  private taken: Range[] = [];
  private size: number;

  /** @param alignment every offset is a multiple of it (bytes) */
  constructor({ buffers, steps, scratchBytes }: Pick<Plan, "buffers" | "steps" | "scratchBytes">, alignment: number) {
    this.alignment = alignment;
    this.size = scratchBytes;
    const lives = new Map<number, { first: number; last: number }>();
    steps.forEach((step, at) => {
      for (const { buffer } of [...step.inputs, ...step.outputs]) {
        const life = lives.get(buffer);
        if (life) life.last = at;
        else lives.set(buffer, { first: at, last: at });
      }
    });
    this.coming = [...lives]
      .flatMap(([id, life]): Lifetime[] => {
        const spec = buffers[id]!;
        return spec.role === "scratch" && spec.bytes > 0 ? [{ begin: spec.offset, end: spec.offset + spec.bytes, ...life }] : [];
      })
      .sort((a, b) => b.first - a.first);
  }

  /** Bytes of arena that the steps so far need: the plan's scratch, and all temporaries. */
  get bytes(): number {
    return this.size;
  }

  /** Begins the step with this number in the plan; what earlier steps took is free again. */
  begin(step: number): void {
    this.taken = [];
    this.alive = this.alive.filter(({ last }) => last >= step);
    while (this.coming.length > 0 && this.coming[this.coming.length - 1]!.first <= step) this.alive.push(this.coming.pop()!);
  }

  /** Takes bytes for the step that was begun. @returns their offset in the arena */
  take(bytes: number): number {
    const busy: Range[] = [...this.alive, ...this.taken].sort((a, b) => a.begin - b.begin);
    let begin = 0;
    for (const range of busy) {
      if (begin + bytes <= range.begin) break;
      begin = Math.max(begin, Math.ceil(range.end / this.alignment) * this.alignment);
    }
    this.taken.push({ begin, end: begin + bytes });
    this.size = Math.max(this.size, begin + bytes);
    return begin;
  }

  /** What `write` takes is free again when it returns: for parts of a step that run one after the other. */
  scoped<T>(write: () => T): T {
    const before = this.taken.length;
    const result = write();
    this.taken.length = before;
    return result;
  }

  /** Takes bytes behind everything else that no step may use for its temporaries. @returns their offset */
  keep(bytes: number): number {
    const begin = Math.ceil(this.size / this.alignment) * this.alignment;
    this.alive.push({ begin, end: begin + bytes, first: 0, last: Infinity });
    this.size = begin + bytes;
    return begin;
  }
}
