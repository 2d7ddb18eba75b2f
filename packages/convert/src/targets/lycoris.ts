import { LYCORIS } from "@weft/adapter-files/dialects";
import { kohyaMetadata } from "./kohya-metadata.js";
import { asLycoris } from "./lycoris-module.js";
import { namedTensors } from "./named-tensors.js";
import type { ConvertTarget } from "./target.js";

/** Files of LyCORIS's wrapper, which is put around one model: a denoiser's modules count as that model's. */
export const TO_LYCORIS: ConvertTarget = {
  name: "lycoris",
  style: "as-is",
  fit: (module) => asLycoris(module.component === "denoiser" ? { ...module, component: "model" } : module, "LyCORIS"),
  write(modules, { source, naming }) {
    const { tensors, modules: named, losses } = namedTensors(modules, LYCORIS, true);
    const metadata = kohyaMetadata(source.metadata, modules, naming).set(
      "ss_network_module",
      source.metadata.get("ss_network_module") ?? "lycoris.kohya",
    );
    return { files: [{ path: "lycoris.safetensors", tensors, metadata, modules: named, hashed: true }], losses };
  },
};
