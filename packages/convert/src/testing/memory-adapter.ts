import { openAdapter, type OpenAdapterOptions, type OpenedAdapter } from "@weft/adapter-files";
import { type Made, memoryFile } from "@weft/adapter-files/testing";
import { ADAPTER_METHODS } from "@weft/methods";

/** An adapter in memory; tensors without data are zero. */
export const memoryAdapter = async (
  tensors: Readonly<Record<string, Made>>,
  metadata: Readonly<Record<string, string>> = {},
  options: Partial<OpenAdapterOptions> = {},
): Promise<OpenedAdapter> => openAdapter({ weights: await memoryFile(tensors, metadata) }, { methods: ADAPTER_METHODS, ...options });
