import { type GgufFile, hfTensors } from "@weft/io-gguf";
import type { SafetensorsDType } from "@weft/io-safetensors";
import { GGUF_TYPES, type GgufType } from "@weft/quant-nf4-awq";
import { CapabilityError } from "@weft/tensor-core";
import type { RowSource } from "./row-source.js";

/** Types that are numbers. */
const PLAIN: ReadonlyMap<string, SafetensorsDType> = new Map([
  ["F32", "F32"],
  ["F16", "F16"],
  ["BF16", "BF16"],
]);

/** The tensors of a GGUF file as values, under the names and in the order of rows of transformers' checkpoint. @throws CapabilityError kinds `unsupported-model`, `unsupported-dtype` */
export function ggufSources(gguf: GgufFile): {
  readonly name: string;
  readonly source: RowSource;
  /** Its name in the file. */
  readonly stored: string;
}[] {
  return hfTensors(gguf).map(({ name, tensor: { name: own, file, offset, bytes, type }, shape, heads, transposed, values }) => {
    const refuse = (what: string, kind: "unsupported-model" | "unsupported-dtype"): CapabilityError =>
      new CapabilityError(`${own}: ${what}`, { kind, tensor: own, file: gguf.location });
    if (!PLAIN.has(type) && !Object.hasOwn(GGUF_TYPES, type)) throw refuse(`its type ${type} is not read`, "unsupported-dtype");
    if (transposed) throw refuse("matrices of this architecture lie the other way round, and are not converted", "unsupported-model");
    const source: RowSource = {
      shape,
      dtype: PLAIN.get(type) ?? "F32",
      at: { file, offset, bytes },
      ...(!PLAIN.has(type) && { ggml: type as GgufType }),
      ...(values && { values: { of: values, to: "hf" as const } }),
      ...(heads !== undefined && { heads: { count: heads, to: "hf" as const } }),
    };
    return { name, source, stored: own };
  });
}
