import { ConfigError, type Tensor } from "@weft/tensor-core";
import type { OpenedAdapter } from "./opened-adapter.js";
import { heldAs, readTensor } from "./read-tensor.js";

/** The rows that an adapter's trained tokens replace, by name of the embedding weight: indices and new rows. */
export async function trainedTokens(
  adapter: OpenedAdapter,
): Promise<Map<string, { readonly indices: readonly number[]; readonly rows: Tensor }>> {
  const field = (
    adapter.config.values as { trainableTokenIndices?: readonly number[] | { readonly [name: string]: readonly number[] } | null }
  ).trainableTokenIndices;
  const result = new Map<string, { indices: readonly number[]; rows: Tensor }>();
  for (const [path, { name }] of adapter.trainableTokens) {
    const listed = Array.isArray(field)
      ? (field as readonly number[])
      : Object.entries(field ?? {}).find(([key]) => path === key || path.endsWith(`.${key}`))?.[1];
    const rows = await heldAs(await readTensor(adapter.weights, name), "f32");
    if (!listed || listed.length !== rows.shape[0])
      throw new ConfigError(`${path}: the file holds ${rows.shape[0]} trained tokens, the config lists ${listed?.length ?? "none"}`, {
        kind: "config-mismatch",
        tensor: name,
      });
    result.set(`${path}.weight`, { indices: listed, rows });
  }
  return result;
}
