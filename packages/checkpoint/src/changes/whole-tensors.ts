import { CapabilityError, ConfigError, ShapeError } from "@weft/tensor-core";
import type { AdapterTensor, MatchReport, OpenedAdapter } from "@weft/adapter-files";
import type { ByteReader } from "../source/byte-reader.js";
import type { ScaledAdapter } from "../source/scaled-adapter.js";
import type { Change } from "./change.js";
import type { RowPatch, TensorLocation } from "../plan/tensor-job.js";
import { sameData } from "./same-data.js";

/**
 * Puts an adapter's own version of a tensor in place.
 * @throws CapabilityError kind `conflict` if another adapter brings a different one, kind `order` if one before it changes the tensor
 */
export async function replaceTensor(
  name: string,
  change: Change,
  own: TensorLocation,
  kind: "replaced" | "resized" | "added",
  { path }: ScaledAdapter,
  files: ByteReader,
): Promise<void> {
  const refuse = (why: string, reason: "conflict" | "order", hint: string): CapabilityError =>
    new CapabilityError(`${path}: it brings its own ${name}, ${why}`, { kind: reason, tensor: name, file: path, hint });
  if (change.replacement && !(await sameData(change.replacement, own, files)))
    throw refuse(
      `and so does an adapter before it, with other values`,
      "conflict",
      "whole tensors do not add up: merge one of the adapters only, or train on top of the other",
    );
  if (change.steps.length > 0 || change.patches.length > 0)
    throw refuse(
      "which an adapter before it changes: that would be lost",
      "order",
      "name this adapter first, so that the others change what it brings",
    );
  Object.assign(change, { replacement: own, added: kind === "added", resized: kind === "resized" });
}

/** True for the base's embedding as PEFT saves it along. */
export const isSavedEmbedding = (adapter: OpenedAdapter, tensor: AdapterTensor): boolean =>
  [...adapter.embeddings.values()].includes(tensor);

/** What a factor on an adapter does not weaken: tensors and rows that it brings whole, at full strength or not at all. */
export function unscaledNotice({ path, adapter, scale }: ScaledAdapter, { replaced, tokens }: MatchReport): string[] {
  if (scale === 1) return [];
  if (scale === 0) return [`${path}: its factor is 0, so nothing of it is merged`];
  const names = [
    ...replaced.filter(({ tensor }) => !isSavedEmbedding(adapter, tensor)).map(({ name }) => name),
    ...tokens.map(({ weight }) => `rows of ${weight}`),
  ];
  if (names.length === 0) return [];
  const shown = `${names.slice(0, 3).join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""}`;
  return [`${path}: the factor ${scale} does not count for ${shown}: the adapter brings them whole, so they hold at full strength`];
}

/** The rows that trained tokens replace, as the config lists them. @throws ConfigError kind `config-mismatch` */
export function tokenIndices(adapter: OpenedAdapter, tensor: AdapterTensor): number[] {
  const field = (adapter.config.values as { readonly trainableTokenIndices?: unknown }).trainableTokenIndices;
  const path = [...adapter.trainableTokens].find(([, own]) => own === tensor)![0];
  const listed = Array.isArray(field)
    ? (field as unknown[])
    : Object.entries((field ?? {}) as { [name: string]: unknown[] }).find(([key]) => path === key || path.endsWith(`.${key}`))?.[1];
  if (!listed || listed.length !== tensor.shape[0] || !listed.every((i) => Number.isInteger(i) && (i as number) >= 0)) {
    throw new ConfigError(`${path}: the file holds ${tensor.shape[0]} trained tokens, the config lists ${listed?.length ?? "none"}`, {
      kind: "config-mismatch",
      tensor: tensor.name,
    });
  }
  return listed as number[];
}

/** Checks that patched rows lie in the tensor. */
export function checkPatches(name: string, rows: number, patches: readonly RowPatch[]): void {
  for (const { indices } of patches) {
    const outside = indices.find((i) => i >= rows);
    if (outside !== undefined)
      throw new ShapeError(`${name}: the adapter replaces row ${outside}, the embedding has ${rows}`, {
        kind: "shape-mismatch",
        tensor: name,
      });
  }
}
