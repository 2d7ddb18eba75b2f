import { readFileSync } from "node:fs";
import { join } from "node:path";
import { WeftError } from "@weft/tensor-core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openSafetensors, SAFETENSORS_DTYPES, type WeightSource } from "./index.js";
import { type Contents, contents, encode } from "./testing/arbitraries.js";
import { WRITTEN } from "./testing/fixtures.js";

/** The source, or the error that says why not; anything but a WeftError fails the test. */
async function attempt(bytes: Uint8Array): Promise<WeightSource | WeftError> {
  try {
    return await openSafetensors(bytes);
  } catch (error) {
    if (error instanceof WeftError) return error;
    throw error;
  }
}

/** Everything of a source can be read, and lies inside the file. */
async function readAll(source: WeightSource, size: number): Promise<void> {
  for (const name of source.names()) {
    const { offset, bytes } = source.info(name);
    if (offset < 8 || offset + bytes > size) throw new Error(`${name} leaves the file: ${offset}, ${bytes}`);
    const { data } = await source.read(name);
    if (data.byteLength !== bytes) throw new Error(`${name} has ${data.byteLength} bytes of ${bytes}`);
  }
}

describe("what is written is read", () => {
  it("for any names, metadata, dtypes, shapes and data", async () => {
    const dtypes = new Set<string>();
    const property = fc.asyncProperty(contents, async (given: Contents) => {
      const source = await openSafetensors(encode(given));
      expect(source.metadata).toEqual(given.metadata);
      expect(new Set(source.names())).toEqual(new Set(given.tensors.map(({ name }) => name)));
      for (const { name, dtype, shape, data } of given.tensors) {
        dtypes.add(dtype);
        expect(await source.read(name)).toEqual({ dtype, shape, data });
      }
    });
    await fc.assert(property, { numRuns: 300, seed: 1 });
    expect(dtypes).toEqual(new Set(SAFETENSORS_DTYPES));
  });

  it("and written again it is the same file", async () => {
    const property = fc.asyncProperty(contents, async (given: Contents) => {
      const bytes = encode(given);
      const source = await openSafetensors(bytes);
      const tensors = await Promise.all([...source.names()].map(async (name) => ({ name, ...(await source.read(name)) })));
      expect(Buffer.from(encode({ metadata: source.metadata, tensors })).equals(bytes)).toBe(true);
    });
    await fc.assert(property, { numRuns: 100, seed: 2 });
  });
});

describe("a damaged file is read or refused, and never anything else", () => {
  it("with any byte of its header replaced by any other", async () => {
    const bytes = Uint8Array.from(readFileSync(join(WRITTEN, "names.safetensors")));
    const end = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
    let refused = 0;
    for (let at = 0; at < end; at++) {
      const original = bytes[at]!;
      for (const value of [
        0,
        0x20,
        0x22,
        0x2c,
        0x2d,
        0x30,
        0x39,
        0x5b,
        0x5c,
        0x7b,
        0x7d,
        0x80,
        0xc0,
        0xff,
        original ^ 1,
        original ^ 0x80,
      ]) {
        bytes[at] = value;
        const found = await attempt(bytes);
        if (found instanceof WeftError) refused++;
        else await readAll(found, bytes.byteLength);
      }
      bytes[at] = original;
    }
    // The mutants that are left over change only a name or the metadata.
    expect(refused / (end * 16)).toBeGreaterThan(0.5);
    expect(await attempt(bytes)).not.toBeInstanceOf(WeftError);
  });

  it("cut off at any byte", async () => {
    const bytes = readFileSync(join(WRITTEN, "names.safetensors"));
    for (let end = 0; end < bytes.byteLength; end++) {
      const found = await attempt(bytes.subarray(0, end));
      expect(found, `cut at ${end}`).toBeInstanceOf(WeftError);
      expect(["header-too-small", "header-truncated", "data-truncated"]).toContain((found as WeftError).kind);
    }
  });

  it("with several bytes replaced, moved or repeated", async () => {
    const mutation = fc.record({
      at: fc.nat(2000),
      kind: fc.constantFrom("replace", "insert", "delete", "repeat"),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 6 }),
    });
    const property = fc.asyncProperty(contents, fc.array(mutation, { minLength: 1, maxLength: 4 }), async (given, mutations) => {
      let bytes = [...encode(given)];
      for (const { at, kind, bytes: values } of mutations) {
        const begin = at % bytes.length;
        if (kind === "replace") bytes.splice(begin, values.length, ...values);
        if (kind === "insert") bytes.splice(begin, 0, ...values);
        if (kind === "delete") bytes.splice(begin, values.length);
        if (kind === "repeat") bytes = [...bytes.slice(0, begin), ...bytes.slice(Math.max(0, begin - 20))];
        if (bytes.length === 0) bytes = [0];
      }
      const file = Uint8Array.from(bytes);
      const found = await attempt(file);
      if (!(found instanceof WeftError)) await readAll(found, file.byteLength);
    });
    await fc.assert(property, { numRuns: 2000, seed: 3 });
  });
});
