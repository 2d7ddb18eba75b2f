import type { Device } from "../device.js";
import { WeftError } from "../errors.js";
import type { Tensor } from "../graph.js";
import type { Watched } from "./watch.js";

/** One statement about who owns which memory. */
export interface OwnershipCase {
  readonly name: string;
  readonly run: (device: Device, memory: Watched) => Promise<void>;
}

export function demand(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** @throws Error unless the tensor has these values */
export async function demandValues(t: Tensor, ...expected: readonly number[]): Promise<void> {
  const got = [...(await t.data())];
  demand(got.length === expected.length && got.every((v, i) => v === expected[i]), `${t} is [${got.slice(0, 8)}], expected [${expected}]`);
}

/** @throws Error unless the work fails, by a WeftError of this kind if one is given */
export async function demandFailure(work: () => Promise<unknown>, kind?: string): Promise<void> {
  let caught: unknown;
  try {
    await work();
  } catch (error) {
    caught = error;
  }
  demand(caught !== undefined, "it did not fail");
  if (kind !== undefined)
    demand(caught instanceof WeftError && caught.kind === kind, `it failed, but not by kind ${kind}: ${String(caught)}`);
}

/** @throws Error if a buffer that the work allocates is left */
export async function demandNothingLeft(memory: Watched, work: () => Promise<void>): Promise<void> {
  const left = memory.sinceNow();
  await work();
  demand(left() === 0, `${left()} buffers are left allocated`);
}

export const pair = (device: Device, a = 1): Tensor => device.tensor([a, a + 1]);
export const square = (device: Device): Tensor => device.tensor([1, 2, 3, 4], { shape: [2, 2] });
