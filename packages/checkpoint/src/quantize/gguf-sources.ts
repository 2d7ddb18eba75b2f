import { type GgufFile, hfTensors } from "@weft/io-gguf";
import type { SafetensorsDType } from "@weft/io-safetensors";
import { GGUF_TYPES, type GgufType } from "@weft/quant-nf4-awq";
import { CapabilityError } from "@weft/tensor-core";
import { type RowSource, turned } from "./row-source.js";

/** Types that are numbers. */
const PLAIN: ReadonlyMap<string, SafetensorsDType> = new Map([
  ["F32", "F32"],
  ["F16", "F16"],
  ["BF16", "BF16"],
]);

/** The tensors of a GGUF file as values, under the names and in the order of rows of transformers' checkpoint. @throws CapabilityError kind `unsupported-dtype`, and as `hfTensors` */
export function ggufSources(gguf: GgufFile): {
  readonly name: string;
  readonly source: RowSource;
  /** Its name in the file. */
  readonly stored: string;
}[] {
  return hfTensors(gguf).map(({ name, tensor: { name: own, file, offset, bytes, type }, shape, heads, transposed, values }) => {
    if (!PLAIN.has(type) && !Object.hasOwn(GGUF_TYPES, type))
      throw new CapabilityError(`${own}: its type ${type} is not read`, { kind: "unsupported-dtype", tensor: own, file: gguf.location });
    const source: RowSource = {
      shape,
      dtype: PLAIN.get(type) ?? "F32",
      at: { file, offset, bytes },
      ...(!PLAIN.has(type) && { ggml: type as GgufType }),
      ...(values && { values: { of: values, to: "hf" as const } }),
      ...(heads !== undefined && { heads: { count: heads, to: "hf" as const } }),
    };
    return { name, source: transposed ? turned(source) : source, stored: own };
  });
}
