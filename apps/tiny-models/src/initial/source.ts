import type { ParameterSource } from "@weft/models";
import type { InitialParameters } from "./draw.js";

/** First values as what models are loaded from. */
export const sourceOf = (parameters: InitialParameters): ParameterSource => ({
  location: "initial values",
  names: () => parameters.keys(),
  has: (name) => parameters.has(name),
  bytes: (name) => parameters.get(name)!.values.byteLength,
  async parameter(name) {
    const { shape, values } = parameters.get(name)!;
    const read = async (): Promise<Uint8Array> => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return { parts: { values: { shape, dtype: "f32", read } }, of: (parts) => parts["values"]! };
  },
});
