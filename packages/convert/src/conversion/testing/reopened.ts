import { ADAPTER_METHODS } from "@weft/methods";
import { openAdapter, type OpenedAdapter } from "@weft/adapter-files";
import type { ConvertedFile } from "../../targets/target.js";
import { memoryFile } from "@weft/adapter-files/testing";

/** What a conversion gave, as if it had been written and opened. */
export async function reopened({ tensors, metadata, config }: ConvertedFile): Promise<OpenedAdapter> {
  const read = [...tensors].map(async ([name, { dtype, shape, read: bytes }]) => [name, { dtype, shape, data: await bytes() }] as const);
  const weights = await memoryFile(Object.fromEntries(await Promise.all(read)), Object.fromEntries(metadata));
  return openAdapter({ weights, ...(config !== undefined && { config }) }, { methods: ADAPTER_METHODS });
}
