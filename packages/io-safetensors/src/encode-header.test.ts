import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { layoutFile, type SafetensorsDType, SAFETENSORS_DTYPES, type TensorEntry } from "./index.js";
import { fileBytes, given, WRITTEN } from "./testing/fixtures.js";

const tensor = (name: string, shape: readonly number[] = [1], dtype: SafetensorsDType = "U8"): TensorEntry => ({ name, dtype, shape });

describe("a file has the same bytes as Python's safetensors writes", () => {
  it.each(["all_dtypes", "names", "empty", "no_metadata"])("%s", (name) => {
    const { metadata, tensors } = given(name);
    const layout = layoutFile(tensors, metadata);
    const written = fileBytes(layout.header, layout.tensors, new Map(tensors.map((t) => [t.name, t.data as Uint8Array])));
    expect(Buffer.from(written).equals(readFileSync(join(WRITTEN, `${name}.safetensors`)))).toBe(true);
    expect(layout.size).toBe(written.byteLength);
  });

  it("whatever the order in which tensors are given", () => {
    const { metadata, tensors } = given("all_dtypes");
    const text = (entries: readonly TensorEntry[]): string => Buffer.from(layoutFile(entries, metadata).header).toString("latin1");
    expect(text(tensors.toReversed())).toBe(text(tensors));
  });

  it("for 20 of 22 dtypes; Python cannot write the other two", () => {
    const written = new Set(given("all_dtypes").tensors.map(({ dtype }) => dtype));
    expect(SAFETENSORS_DTYPES.filter((dtype) => !written.has(dtype))).toEqual(["F6_E2M3", "F6_E3M2"]);
  });
});

it("sorts metadata, which Python writes in any order", () => {
  const { header } = layoutFile([], new Map([..."zay"].map((key) => [key, key])));
  expect(Buffer.from(header).subarray(8).toString()).toBe('{"__metadata__":{"a":"a","y":"y","z":"z"}}'.padEnd(48));
});

describe("what no reader would take is not written", () => {
  it.each<[string, TensorEntry[]]>([
    ["duplicate-key", [tensor("a"), tensor("b"), tensor("a", [2])]],
    ["header-schema", [tensor("__metadata__")]],
    ["header-schema", [tensor("a", [-1])]],
    ["header-schema", [tensor("a", [1.5])]],
    ["header-schema", [tensor("a", [Number.NaN])]],
    ["header-schema", [tensor("a", [2 ** 53])]],
    ["header-schema", [tensor("a", [1], "F33" as SafetensorsDType)]],
    ["header-schema", [tensor("a", [1], "constructor" as SafetensorsDType)]],
    ["overflow", [tensor("a", [2 ** 30, 2 ** 30])]],
    ["overflow", [tensor("a", [2 ** 30, 2 ** 30, 0])]],
    ["sub-byte", [tensor("a", [3], "F4")]],
    ["sub-byte", [tensor("a", [], "F6_E2M3")]],
    ["header-utf8", [tensor("\ud83d")]],
    ["header-too-large", [tensor("a".repeat(100_000_001))]],
  ])("%s %#", (kind, entries) => {
    expect(() => layoutFile(entries)).toThrow(expect.objectContaining({ name: "FormatError", kind }));
  });

  it("nor metadata with half a surrogate pair", () => {
    expect(() => layoutFile([], new Map([["a", "\udc00"]]))).toThrow(expect.objectContaining({ kind: "header-utf8" }));
  });
});
