import { ADAPTER_METHODS } from "@weft/methods";
import { openAdapter } from "../open-adapter.js";
import type { OpenAdapterOptions, OpenedAdapter } from "../opened-adapter.js";
import { type Made, memoryFile } from "./memory-file.js";

/** An adapter in memory; tensors without data are zero. */
export const memoryAdapter = async (
  tensors: Readonly<Record<string, Made>>,
  metadata: Readonly<Record<string, string>> = {},
  options: Partial<OpenAdapterOptions> = {},
): Promise<OpenedAdapter> => openAdapter({ weights: await memoryFile(tensors, metadata) }, { methods: ADAPTER_METHODS, ...options });
