import { KOHYA } from "@weft/adapter-files/dialects";
import { kohyaMetadata } from "./kohya-metadata.js";
import { asLycoris } from "./lycoris-module.js";
import { namedTensors } from "./named-tensors.js";
import type { ConvertTarget } from "./target.js";

/** kohya's files: all of LyCORIS's parameters, alphas as tensors, hashes and training metadata in the header. */
export const TO_KOHYA: ConvertTarget = {
  name: "kohya",
  style: "kohya",
  fit: (module) =>
    module.dialect === "xlabs" && module.path.endsWith(".linear1_qkv")
      ? "kohya's files have no name for rows of linear1"
      : asLycoris(module, "kohya"),
  write(modules, { source, naming }) {
    const { tensors, modules: named, losses } = namedTensors(modules, KOHYA, true);
    const metadata = kohyaMetadata(source.metadata, modules, naming);
    return { files: [{ path: "lora.safetensors", tensors, metadata, modules: named, hashed: true }], losses };
  },
};
