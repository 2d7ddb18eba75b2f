import { openAdapter } from "@weft/adapter-files";
import { openSafetensors } from "@weft/io-safetensors";
import { ADAPTER_METHODS } from "@weft/methods";
import type { FileGroup } from "./group-files.js";
import { fingerprint } from "./fingerprint.js";
import type { OpenAdapter } from "./opened.js";
import { storedTensors } from "./stored-tensors.js";

const CONFIG = "adapter_config.json";

/** The adapter of a folder; its headers are read. @throws what `openAdapter` throws */
export async function openAdapterFiles({ name, files }: Extract<FileGroup, { files: unknown }>): Promise<OpenAdapter> {
  const own = new Map([CONFIG, "adapter_model.safetensors"].map((one) => [one, files.get(one)!]));
  const weights = await openSafetensors(own.get("adapter_model.safetensors")!);
  const adapter = await openAdapter({ config: await own.get(CONFIG)!.text(), weights }, { methods: ADAPTER_METHODS });
  const { r, baseModelNameOrPath } = adapter.config.values as { readonly r?: unknown; readonly baseModelNameOrPath?: unknown };
  return {
    document: {
      kind: "adapter",
      id: await fingerprint(own),
      name,
      bytes: own.get("adapter_model.safetensors")!.size,
      method: adapter.method,
      rank: typeof r === "number" ? r : null,
      modules: adapter.modules.size,
      base: typeof baseModelNameOrPath === "string" ? baseModelNameOrPath : null,
    },
    adapter,
    tensors: storedTensors(weights),
  };
}
