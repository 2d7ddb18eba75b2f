import type { BufferSpec, Step } from "./plan.js";

/** Steps that are looked at together: a product, its cast, an optimiser's step. */
const LONGEST_RUN = 6;

/**
 * Brings steps forward that free scratch memory: as soon as its inputs exist, a run of steps moves up that leaves less behind than it is the last
 * to read. A weight's gradient, say, is made when the gradient of its layer's result is, so that what both are made of can go, and not
 * when its turn comes among the outputs. No step moves back, so that what is recomputed on purpose stays late.
 */
export function freeEarly(
  steps: readonly Step[],
  buffers: readonly { readonly role: BufferSpec["role"]; readonly bytes: number }[],
): Step[] {
  const inputs = steps.map((s) => [...new Set(s.inputs.map((o) => o.buffer))]);
  const outputs = steps.map((s) => s.outputs.map((o) => o.buffer));
  const scratchBytes = (id: number): number => (buffers[id]!.role === "scratch" ? buffers[id]!.bytes : 0);
  const readers = new Map<number, number[]>();
  inputs.forEach((ids, at) =>
    ids.forEach((id) => {
      const list = readers.get(id);
      if (list) list.push(at);
      else readers.set(id, [at]);
    }),
  );
  const written = new Set(buffers.flatMap((b, id) => (b.role === "input" ? [id] : [])));
  const done = new Uint8Array(steps.length);
  const order: number[] = [];

  const waiting = (id: number): number[] => (readers.get(id) ?? []).filter((at) => done[at] === 0);
  const ready = (at: number, run: readonly number[]): boolean =>
    inputs[at]!.every((id) => written.has(id) || run.some((other) => outputs[other]!.includes(id)));

  /** The steps from `first` on that free more than they leave, if there are such. */
  function runFrom(first: number): number[] | undefined {
    const run: number[] = [];
    for (let next: number | undefined = first; next !== undefined && run.length < LONGEST_RUN && ready(next, run);) {
      run.push(next);
      const made = new Set(run.flatMap((at) => outputs[at]!));
      const read = new Set(run.flatMap((at) => inputs[at]!));
      const over = (id: number): boolean => waiting(id).every((at) => run.includes(at));
      const left = [...made].filter((id) => !over(id)).reduce((sum, id) => sum + scratchBytes(id), 0);
      const freed = [...read].filter((id) => !made.has(id) && over(id)).reduce((sum, id) => sum + scratchBytes(id), 0);
      if (left === 0 || left < freed) return run;
      const users: Set<number> = new Set(outputs[next]!.flatMap(waiting));
      next = users.size === 1 ? [...users][0] : undefined;
    }
    return undefined;
  }

  function execute(first: number): void {
    const runs = [[first]];
    for (let run = runs.shift(); run; run = runs.shift()) {
      // Another run may have taken a step of this one; what is left of it was looked at again then.
      if (run.some((at) => done[at] === 1)) continue;
      for (const at of run) {
        done[at] = 1;
        order.push(at);
        for (const id of outputs[at]!) written.add(id);
      }
      const touched = new Set(run.flatMap((at) => [...outputs[at]!, ...inputs[at]!]).filter((id) => buffers[id]!.role === "scratch"));
      for (const candidate of new Set([...touched].flatMap(waiting))) {
        const next = runFrom(candidate);
        if (next) runs.push(next);
      }
    }
  }
  steps.forEach((_, at) => {
    if (done[at] === 0) execute(at);
  });
  return order.map((at) => steps[at]!);
}
