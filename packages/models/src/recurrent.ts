import { CapabilityError, concat, reshape, ShapeError, slice, type Tensor, where } from "@weft/tensor-core";
import type { CausalInputs, LayerCache } from "./causal/inputs.js";
import type { RunLayer } from "./model.js";
import type { Segments } from "./segments.js";

/** What stood before each step of x [B, T, C]: `previous` [B, C], then all steps but the last; zeros where a document begins. */
export function shifted(x: Tensor, previous: Tensor, segments?: Segments): Tensor {
  const [batch, length, width] = x.shape as [number, number, number];
  const row = reshape(previous, [batch, 1, width]);
  const before = length === 1 ? row : concat([row, slice(x, [undefined, [0, length - 1]])], 1);
  return segments ? where(reshape(segments.starts, [batch, length, 1]), 0, before) : before;
}

/** The last step of x [B, T, C], as [B, C]. */
export function lastStep(x: Tensor): Tensor {
  const [batch, length, width] = x.shape as [number, number, number];
  return reshape(slice(x, [undefined, [length - 1, length]]), [batch, width]);
}

/**
 * The mask of a pass as [B, T, 1]; undefined if there is none.
 * @param all virtual tokens and tokens together
 * @throws ShapeError for one that does not fit
 */
export function recurrentMask({ attentionMask: mask }: CausalInputs, batch: number, all: number): Tensor | undefined {
  if (!mask) return undefined;
  if (mask.shape.join() !== `${batch},${all}`)
    throw new ShapeError(`forward: attentionMask is [${mask.shape}], expected [${batch},${all}]`, {
      hint: "it covers virtual tokens as well as the input, but no position of the cache",
    });
  return reshape(mask, [batch, all, 1]);
}

/**
 * The states that a pass begins with, checked, or fresh ones.
 * @throws ShapeError; CapabilityError for inputs that mean something to attention alone
 */
export function statesOf<S extends LayerCache>({ cache, pastKeyValues, inputIds }: CausalInputs, empty: readonly S[]): readonly S[] {
  if (inputIds.shape.length !== 2) throw new ShapeError(`forward: inputIds is [${inputIds.shape}], expected [batch, length]`);
  if (pastKeyValues)
    throw new CapabilityError("forward: pastKeyValues are for models with attention", { hint: "prompt tuning works: virtualTokens" });
  if (!cache) return empty;
  if (cache.length !== empty.length) throw new ShapeError(`forward: cache has ${cache.length} layers, the model has ${empty.length}`);
  for (const [i, layer] of empty.entries())
    for (const [name, { shape }] of Object.entries(layer))
      if (cache[i]![name]?.shape.join() !== shape.join())
        throw new ShapeError(`forward: ${name} of layer ${i} of the cache is [${cache[i]![name]?.shape}], expected [${shape}]`);
  return cache as readonly S[];
}

/**
 * Runs blocks one after the other, each from its state, and gives the result of each and the states after them. A hook may take the place of a whole
 * block: then its state stays.
 */
export function runBlocks<S>(
  x: Tensor,
  states: readonly S[],
  run: RunLayer,
  pathOf: (i: number) => string,
  block: (i: number, x: Tensor) => { readonly y: Tensor; readonly state: S },
): { readonly results: Tensor[]; readonly after: S[] } {
  const after = [...states];
  const results: Tensor[] = [];
  let h = x;
  for (const i of states.keys()) {
    const forward = (input: Tensor): Tensor => {
      const { y, state } = block(i, input);
      after[i] = state;
      return y;
    };
    results.push((h = run(pathOf(i), h, { forward })));
  }
  return { results, after };
}
