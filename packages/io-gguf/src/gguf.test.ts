import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type GgufMetadata, GGML_TYPES, layoutGguf, openGguf } from "./index.js";
import { type GgufTensorData, openGgufPath, writeGguf } from "./node/index.js";

const folder = mkdtempSync(join(tmpdir(), "weft-gguf-"));
afterAll(() => rmSync(folder, { recursive: true }));
let made = 0;
const fresh = (): string => join(folder, `${made++}.gguf`);

/** Every type of value, at its bounds. */
const METADATA: GgufMetadata = new Map([
  ["general.architecture", { type: "string", value: "llama" }],
  ["u8", { type: "u8", value: 255 }],
  ["i8", { type: "i8", value: -128 }],
  ["u16", { type: "u16", value: 65_535 }],
  ["i16", { type: "i16", value: -32_768 }],
  ["u32", { type: "u32", value: 4_294_967_295 }],
  ["i32", { type: "i32", value: -2_147_483_648 }],
  ["f32", { type: "f32", value: Math.fround(0.1) }],
  ["yes", { type: "bool", value: true }],
  ["u64", { type: "u64", value: 2n ** 64n - 1n }],
  ["i64", { type: "i64", value: -(2n ** 63n) }],
  ["f64", { type: "f64", value: 0.1 }],
  ["empty", { type: "string", value: "" }],
  ["text", { type: "string", value: "\ufeff日本語 🧵" }],
  ["not text", { type: "string", value: Uint8Array.of(0xff, 0xfe) }],
  ["tokens", { type: "array", items: "string", value: ["<s>", "", "Ġthe", Uint8Array.of(0xe4)] }],
  ["scores", { type: "array", items: "f32", value: Float32Array.of(0, -1.5, -Infinity) }],
  ["bools", { type: "array", items: "bool", value: [true, false, true] }],
  ["longs", { type: "array", items: "i64", value: BigInt64Array.of(-1n, 5n) }],
  ["nothing", { type: "array", items: "u32", value: new Uint32Array(0) }],
  ["__proto__", { type: "u32", value: 7 }],
] as const);

const bytes = (length: number, seed: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255);
const TENSORS: readonly GgufTensorData[] = [
  { name: "token_embd.weight", type: "Q8_0", shape: [5, 64], data: bytes(5 * 68, 1) },
  { name: "output_norm.weight", type: "F32", shape: [7], data: bytes(28, 2) },
  { name: "blk.0.ffn_down_exps.weight", type: "Q4_K", shape: [3, 2, 256], data: bytes(6 * 144, 3) },
  { name: "scalar", type: "F32", shape: [], data: bytes(4, 4) },
  { name: "none", type: "F16", shape: [0, 8], data: bytes(0, 5) },
];

async function written(
  metadata: GgufMetadata = METADATA,
  tensors: Iterable<GgufTensorData> = TENSORS,
  maxSplitBytes?: number,
): Promise<string[]> {
  return writeGguf(fresh(), metadata, tensors, maxSplitBytes === undefined ? {} : { maxSplitBytes });
}

describe("a file that is written and read", () => {
  it("has the metadata with its types, and the data of every tensor", async () => {
    const [path] = await written();
    for (const file of [
      await openGgufPath(path!),
      await openGguf(readFileSync(path!)),
      await openGguf(new Response(readFileSync(path!))),
    ]) {
      expect([...file.metadata]).toEqual([...METADATA]);
      expect([...file.tensors.values()].map(({ name, type, shape }) => ({ name, type, shape }))).toEqual(
        TENSORS.map(({ name, type, shape }) => ({ name, type, shape })),
      );
      for (const { name, type, shape, data } of TENSORS) expect(await file.read(name)).toEqual({ type, shape, data });
      for (const { offset } of file.tensors.values()) expect(offset % 32).toBe(0);
      await file.close();
    }
  });

  it("is read by rows", async () => {
    const file = await openGguf(readFileSync((await written())[0]!));
    const { data } = TENSORS[0]!;
    expect(await file.read("token_embd.weight", [1, 3])).toEqual({
      type: "Q8_0",
      shape: [2, 64],
      data: (data as Uint8Array).slice(68, 204),
    });
    expect((await file.read("output_norm.weight", [6, 7])).data).toEqual(bytes(28, 2).slice(24));
    await expect(file.read("token_embd.weight", [4, 6])).rejects.toMatchObject({ kind: "rows", tensor: "token_embd.weight" });
    await expect(file.read("no")).rejects.toMatchObject({ kind: "no-such-tensor" });
  });

  it("lies at the alignment that it names", async () => {
    const [path] = await written(new Map([...METADATA, ["general.alignment", { type: "u32", value: 256 }]]));
    const { tensors } = await openGgufPath(path!);
    for (const { offset } of tensors.values()) expect(offset % 256).toBe(0);
  });

  it("is read where its header comes in pieces", async () => {
    const tokens = Array.from({ length: 60_000 }, (_, i) => `token ${i}`);
    const metadata: GgufMetadata = new Map([["tokens", { type: "array", items: "string", value: tokens }]]);
    const { metadata: read } = await openGguf(new Blob([readFileSync((await written(metadata))[0]!)]));
    expect(read.get("tokens")!.value).toEqual(tokens);
  });
});

describe("a model in several files", () => {
  it("is read as one by the name of any of them, or as Files", async () => {
    const paths = await written(METADATA, TENSORS, 400);
    expect(paths.map((path) => path.slice(-20))).toEqual(["-00001-of-00003.gguf", "-00002-of-00003.gguf", "-00003-of-00003.gguf"]);
    const files = paths.map((path) => new File([readFileSync(path)], path.split("/").at(-1)!)).reverse();
    for (const file of [await openGgufPath(paths[1]!), await openGguf(files)]) {
      expect([...file.metadata]).toEqual([...METADATA]);
      for (const { name, data } of TENSORS) expect((await file.read(name)).data).toEqual(data);
      await file.close();
    }
    await expect(openGguf(files.slice(1))).rejects.toMatchObject({ kind: "missing-split" });
    rmSync(paths[2]!);
    await expect(openGgufPath(paths[0]!)).rejects.toMatchObject({ kind: "not-found", file: paths[2] });
  });

  it("whose files are of two models is refused", async () => {
    const [first, second] = [await written(METADATA, TENSORS, 400), await written(METADATA, TENSORS.slice(0, 4), 400)];
    writeFileSync(first[2]!, readFileSync(second[2]!));
    await expect(openGgufPath(first[0]!)).rejects.toMatchObject({ kind: "missing-split", message: expect.stringContaining("5 tensors") });
  });
});

describe("what no reader would take is not written", () => {
  const one = (change: Partial<GgufTensorData>): GgufTensorData[] => [{ name: "a", type: "F32", shape: [2], data: bytes(8, 0), ...change }];
  it.each<[string, GgufMetadata, GgufTensorData[], string]>([
    ["a name of 64 bytes", METADATA, one({ name: "ü".repeat(32) }), "name"],
    ["a name twice", METADATA, [...one({}), ...one({})], "duplicate-key"],
    ["a row of part of a block", METADATA, one({ type: "Q4_0", shape: [2, 48] }), "block"],
    ["five axes", METADATA, one({ shape: [1, 1, 1, 1, 2] }), "dims"],
    ["half an axis", METADATA, one({ shape: [1.5] }), "dims"],
    ["a type that ggml gave up", METADATA, one({ type: "Q4_2" as "Q4_0" }), "tensor-type"],
    ["too little data", METADATA, one({ data: bytes(7, 0) }), "size-mismatch"],
    ["too much data", METADATA, one({ data: [bytes(8, 0), bytes(1, 0)] }), "size-mismatch"],
    ["a number beyond its type", new Map([["n", { type: "u8", value: 256 }]]), one({}), "type"],
    ["a fraction of an integer", new Map([["n", { type: "i32", value: 0.5 }]]), one({}), "type"],
    ["an alignment of 48", new Map([["general.alignment", { type: "u32", value: 48 }]]), one({}), "alignment"],
    ["no key", new Map([["", { type: "u8", value: 1 }]]), one({}), "key"],
    ["half a surrogate pair", new Map([["a", { type: "string", value: "\ud800" }]]), one({}), "utf8"],
  ])("%s", async (_, metadata, tensors, kind) => {
    await expect(written(metadata, tensors)).rejects.toMatchObject({ name: "FormatError", kind });
    expect(readdirSync(folder).filter((name) => name.includes(".tmp"))).toEqual([]);
  });

  it("and what is stopped leaves the file that was there", async () => {
    const [path] = await written();
    const before = readFileSync(path!);
    const stop = new AbortController();
    const data = (function* () {
      yield bytes(4, 0);
      stop.abort();
      yield bytes(4, 0);
    })();
    const tensors: GgufTensorData[] = [{ name: "a", type: "F32", shape: [2], data }];
    await expect(writeGguf(path!, METADATA, tensors, { signal: stop.signal })).rejects.toMatchObject({ name: "CancelledError" });
    expect(readFileSync(path!)).toEqual(before);
    expect(readdirSync(folder).filter((name) => name.includes(".tmp"))).toEqual([]);
  });
});

it("types have the numbers and blocks of ggml", () => {
  const ids = Object.values(GGML_TYPES).map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(layoutGguf(new Map(), [{ name: "a", type: "Q6_K", shape: [2, 512] }]).tensors[0]!.bytes).toBe(840);
});
