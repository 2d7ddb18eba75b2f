import type { Contestant } from "../../../turns.js";

/** A product x [m, k] · w [k, n] in f32 on one engine, ready to run. */
export interface Prepared extends Contestant {
  result(): Promise<ArrayLike<number>>;
  release(): void | Promise<void>;
}

export interface Product {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/** Somebody else who multiplies matrices on the same GPU. */
export interface Anchor {
  readonly name: string;
  prepare(product: Product): Promise<Prepared>;
}

/** Calls that are put into the queue before one waits for them: as in a model, where no product is waited for alone. */
const QUEUED = 20;

/** Seconds per call of `start`, called for about `seconds`; `finish` waits for all calls so far. */
export async function timeQueued(start: () => unknown, finish: () => Promise<unknown>, seconds: number): Promise<number> {
  const begin = performance.now();
  for (let calls = 0; ;) {
    for (let i = 0; i < QUEUED; i++) await start();
    calls += QUEUED;
    await finish();
    const elapsed = (performance.now() - begin) / 1000;
    if (elapsed >= seconds) return elapsed / calls;
  }
}
