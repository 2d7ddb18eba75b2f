import { CapabilityError } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";
import type { MatchedModule, MatchReport } from "@weft/adapter-files";
import type { Place } from "../plan/tensor-job.js";
import { isContiguous } from "../plan/sections.js";

/**
 * The tensors of the base that a weight or bias lies in, and where.
 * @param adapter path of the adapter, for messages
 * @throws CapabilityError if it lies in pieces that are apart
 */
export function placesOf(
  base: WeightSource,
  { placements }: MatchReport,
  name: string,
  adapter: string,
): readonly { readonly tensor: string; readonly place?: Place }[] {
  const placement = placements.get(name);
  if (!placement) return [{ tensor: name }];
  const { shape, parts } = placement;
  return parts.map(({ tensor, ...box }) => {
    if (!isContiguous(box.within, base.info(tensor).shape))
      throw new CapabilityError(`${name}: the base has it as columns of ${tensor}, between others; it is not merged there`, {
        kind: "not-mergeable",
        tensor,
        file: adapter,
        hint: "merge it into a checkpoint that keeps this weight apart, or keep the adapter unmerged",
      });
    return { tensor, place: { shape, ...box } };
  });
}

/** The tensor that is a module's weight, for what reads it whole beside something else. @throws CapabilityError if there is none */
export function wholeWeight({ placements }: MatchReport, { weight, bias, method }: MatchedModule, adapter: string): string {
  if (placements.has(weight))
    throw new CapabilityError(`${bias}: ${method} computes it from ${weight}, which the base does not hold in a tensor of its own`, {
      kind: "not-mergeable",
      tensor: weight,
      file: adapter,
      hint: "merge it into a checkpoint that keeps this weight apart, or keep the adapter unmerged",
    });
  return weight;
}
