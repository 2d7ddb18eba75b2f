import fc from "fast-check";
import { bitsPerElement, layoutFile, SAFETENSORS_DTYPES, type SafetensorsDType, type TensorEntry } from "../index.js";
import { fileBytes } from "./fixtures.js";

/** Tensors of a file with their data. */
export interface Contents {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: readonly (TensorEntry & { readonly data: Uint8Array })[];
}

/** Any text, with what is awkward in JSON, in UTF-8 and in JavaScript. */
const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "__proto__", "constructor", "10", "9", '"\\', "\0", "\u2028", "\ufeff", "\uffee", "😀"),
);

const tensor = (dtype: SafetensorsDType): fc.Arbitrary<TensorEntry & { data: Uint8Array }> =>
  fc.tuple(text, fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 })).chain(([name, dimensions]) => {
    // Four elements of the narrow dtypes are whole bytes.
    const shape = bitsPerElement(dtype) % 8 === 0 ? dimensions : [...dimensions, 4];
    const bytes = shape.reduce((a, b) => a * b, bitsPerElement(dtype)) / 8;
    return fc.record({
      name: fc.constant(name),
      dtype: fc.constant(dtype),
      shape: fc.constant(shape),
      data: fc.uint8Array({ minLength: bytes, maxLength: bytes }),
    });
  });

/** Files of all 22 dtypes. */
export const contents: fc.Arbitrary<Contents> = fc.record({
  metadata: fc.array(fc.tuple(text, text), { maxLength: 3 }).map((entries) => new Map(entries)),
  tensors: fc.uniqueArray(fc.constantFrom(...SAFETENSORS_DTYPES).chain(tensor), {
    selector: ({ name }) => name,
    maxLength: 12,
  }),
});

/** A file as we write it. */
export function encode({ metadata, tensors }: Contents): Uint8Array<ArrayBuffer> {
  const layout = layoutFile(tensors, metadata);
  return fileBytes(layout.header, layout.tensors, new Map(tensors.map((t) => [t.name, t.data])));
}
