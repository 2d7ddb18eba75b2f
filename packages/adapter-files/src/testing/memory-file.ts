import { layoutFile, openSafetensors, type SafetensorsDType, type WeightSource } from "@weft/io-safetensors";

/** A tensor of f32, or of raw bytes. */
export interface Made {
  readonly dtype?: SafetensorsDType;
  readonly shape: readonly number[];
  readonly data?: Float32Array | Uint8Array;
}

/** Numbers that differ from place to place and from tensor to tensor. */
export const numbers = (shape: readonly number[], seed = 0): Made => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7 + seed * 0.9)),
});

/** A safetensors file in memory; tensors without data are zero. */
export function memoryFile(
  tensors: Readonly<Record<string, Made>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<WeightSource> {
  const entries = Object.entries(tensors).map(([name, { dtype = "F32", shape }]) => ({ name, dtype, shape }));
  const layout = layoutFile(entries, new Map(Object.entries(metadata)));
  const bytes = new Uint8Array(layout.size);
  bytes.set(layout.header);
  for (const { name, offset } of layout.tensors) {
    const { data } = tensors[name]!;
    if (data) bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
  }
  return openSafetensors(bytes);
}
