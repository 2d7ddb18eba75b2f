import { configOfGguf, type GgufFile, type HfTensor, hfTensors, openGguf, permuteHeads, valuesOn } from "@weft/io-gguf";
import { GGUF_TYPES, type GgufType } from "@weft/quant-nf4-awq";
import { CapabilityError, decode, dequantize, type Tensor, transpose } from "@weft/tensor-core";
import type { ConfigJson } from "../config-fields.js";
import type { ParameterSource, StoredParameter } from "./parameter-source.js";

/** A GGUF file: opened, or as a Blob or File; of a model that is split, all of its files. */
export type GgufModelInput = GgufFile | Blob | readonly Blob[];

/** What a GGUF file says of its model, and its parameters. */
export interface GgufModel {
  readonly config: ConfigJson;
  readonly source: ParameterSource;
}

const FLOATS = { F32: "f32", F16: "f16", BF16: "bf16" } as const;
const isFloats = (type: string): type is keyof typeof FLOATS => Object.hasOwn(FLOATS, type);

/**
 * The model of a GGUF file. Matrices stay as they lie in the file, their values are f32; vectors are f32.
 * @throws CapabilityError kind `unsupported-model` for an architecture of which no config follows
 */
export async function ggufModel(input: GgufModelInput): Promise<GgufModel> {
  const file = "tensors" in input ? input : await openGguf(input);
  const tensors = new Map(hfTensors(file).map((one) => [one.name, one]));
  return {
    config: await configOfGguf(file, "float32"),
    source: {
      location: file.location,
      names: () => tensors.keys(),
      has: (name) => tensors.has(name),
      bytes: (name) => tensors.get(name)!.tensor.bytes,
      parameter: async (name) => parameterOf(file, tensors.get(name)!),
    },
  };
}

function parameterOf(file: GgufFile, { tensor: { name, type }, shape, heads, transposed, values: differ }: HfTensor): StoredParameter {
  const rows = async (start: number, stop: number): Promise<Uint8Array> => (await file.read(name, [start, stop])).data;
  const read = async (): Promise<Uint8Array> => {
    const { data } = await file.read(name);
    return heads === undefined ? data : permuteHeads(data, shape[0]!, heads, "hf");
  };
  /** Rows that lie in another order are read together. */
  const ofFile = { read, ...(heads === undefined && { readRows: rows }) };
  const turned = (t: Tensor): Tensor => (transposed ? transpose(t) : t);
  if (isFloats(type) && (shape.length !== 2 || type === "F32" || differ)) {
    const values = async (): Promise<Uint8Array> => {
      const data = await read();
      if (type === "F32" && !differ) return data;
      const stored = Float32Array.from(decode(data, FLOATS[type]));
      return new Uint8Array((differ ? valuesOn("hf", differ, stored) : stored).buffer);
    };
    return { parts: { values: { shape, dtype: "f32", read: values } }, of: ({ values: t }) => turned(t!) };
  }
  if (shape.length !== 2 || !Object.hasOwn(GGUF_TYPES, type))
    throw new CapabilityError(`${file.location}: ${name} is ${type} [${shape}], which is not computed with`, {
      kind: "unsupported-dtype",
      tensor: name,
      file: file.location,
      hint: `matrices of ${Object.keys(GGUF_TYPES).join(", ")} are`,
    });
  const matrix = shape as readonly [number, number];
  const format = GGUF_TYPES[type as GgufType];
  return {
    parts: Object.fromEntries(
      Object.entries(format.parts(matrix)).map(([part, spec]) => [
        part,
        {
          shape: spec.shape,
          dtype: spec.dtype,
          ...(Object.hasOwn(format.constants, part) ? { read: async () => format.constants[part]! } : ofFile),
        },
      ]),
    ),
    of: (parts) => turned(dequantize({ format, shape: matrix, parts })),
  };
}
