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
  const isScratch = (id: number): boolean => buffers[id]!.role === "scratch";
  /** Per buffer, the steps that have still to read it. */
  const waiting = buffers.map(() => new Set<number>());
  inputs.forEach((ids, at) => ids.forEach((id) => waiting[id]!.add(at)));
  const written = new Set(buffers.flatMap((b, id) => (b.role === "input" ? [id] : [])));
  const done = new Uint8Array(steps.length);
  const order: number[] = [];

  const ready = (at: number, run: readonly number[]): boolean =>
    inputs[at]!.every((id) => written.has(id) || run.some((other) => outputs[other]!.includes(id)));
  /** True if nobody reads a buffer after the run. */
  const over = (id: number, run: readonly number[]): boolean =>
    waiting[id]!.size <= run.length && waiting[id]!.size === run.filter((at) => inputs[at]!.includes(id)).length;
  const sizeOf = (ids: Iterable<number>): number => {
    let bytes = 0;
    for (const id of ids) if (isScratch(id)) bytes += buffers[id]!.bytes;
    return bytes;
  };

  /** The one step that reads what a step makes, if there is just one. */
  function onlyUser(at: number): number | undefined {
    let found: number | undefined;
    for (const id of outputs[at]!) {
      for (const user of waiting[id]!) {
        if (found !== undefined && user !== found) return undefined;
        found = user;
      }
    }
    return found;
  }

  /** The steps from `first` on that free more than they leave, if there are such. */
  function runFrom(first: number): number[] | undefined {
    const run: number[] = [];
    for (let next: number | undefined = first; next !== undefined && run.length < LONGEST_RUN && ready(next, run);) {
      run.push(next);
      const made = new Set(run.flatMap((at) => outputs[at]!));
      const read = new Set(run.flatMap((at) => inputs[at]!));
      const left = sizeOf([...made].filter((id) => !over(id, run)));
      if (left === 0 || left < sizeOf([...read].filter((id) => !made.has(id) && over(id, run)))) return run;
      next = onlyUser(next);
    }
    return undefined;
  }

  function execute(first: number): void {
    const runs = [[first]];
    for (let at = 0; at < runs.length; at++) {
      const run = runs[at]!;
      // Another run may have taken a step of this one; what is left of it was looked at again then.
      if (run.some((step) => done[step] === 1)) continue;
      for (const step of run) {
        done[step] = 1;
        order.push(step);
        for (const id of outputs[step]!) written.add(id);
        for (const id of inputs[step]!) waiting[id]!.delete(step);
      }
      // Whoever reads a result may be ready now; whoever reads an input may be the last one now, unless more wait than a run has steps.
      const made = run.flatMap((step) => outputs[step]!);
      const read = run.flatMap((step) => inputs[step]!).filter((id) => waiting[id]!.size <= LONGEST_RUN);
      const candidates = new Set([...made, ...read].filter(isScratch).flatMap((id) => [...waiting[id]!]));
      for (const candidate of candidates) {
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
