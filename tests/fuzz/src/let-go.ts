import type { Tensor } from "@weft/tensor-core";
import type { Bounds } from "./bounds/bounds.js";
import { firstOutside } from "./check.js";
import { Random } from "./random.js";

/** A result, with what it must be. */
export interface Held {
  readonly what: string;
  readonly tensor: Tensor;
  readonly bounds: Bounds;
}

export const same = (a: Tensor, b: Tensor): boolean => a.node === b.node && a.index === b.index;

/** Looks at all results, disposes of some of them and of other handles, looks at the rest again, and disposes of all. */
export async function letGo(held: readonly Held[], others: readonly Tensor[], seed: number, last: () => void): Promise<string | undefined> {
  const random = new Random(seed);
  const wrong = await firstWrong(held, "");
  if (wrong) return wrong;
  const order = random.shuffled(held);
  const kept = order.slice(0, random.int(0, order.length));
  // The same tensor may be there under two names.
  for (const { tensor: t } of order) if (!kept.some((k) => same(k.tensor, t))) t.dispose();
  for (const t of others) if (random.chance(0.5)) t.dispose();
  if (random.chance(0.5)) last();
  const changed = await firstWrong(kept, " after others were disposed of");
  if (changed) return changed;
  for (const { tensor: t } of order) t.dispose();
  for (const t of others) t.dispose();
  last();
  return undefined;
}

/** The first result that is not as it must be, in words. */
export async function firstWrong(held: readonly Held[], when: string): Promise<string | undefined> {
  for (const { what, tensor: t, bounds } of held) {
    const difference = firstOutside(await t.data(), bounds);
    if (difference) return `${what} (${t.dtype}[${t.shape}])${when}: ${difference}`;
  }
  return undefined;
}
