import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { indexText, layoutFile, openSafetensors, parseShardSize, planShards, type TensorEntry } from "./index.js";
import { openWeights } from "./node/index.js";
import { WRITTEN } from "./testing/fixtures.js";

interface Given {
  limit: string;
  tensors: TensorEntry[];
}
interface Index {
  metadata: Record<string, number>;
  weight_map: Record<string, string>;
}
const json = <T>(...path: string[]): T => JSON.parse(readFileSync(join(WRITTEN, ...path), "utf8")) as T;

describe.each(["hub", "transformers"])("shards as %s cuts them", (folder) => {
  const { limit, tensors } = json<Given>(folder, "given.json");
  const shards = planShards(tensors, limit);
  const index = json<Index>(folder, "model.safetensors.index.json");

  it("hold the same tensors under the same names", () => {
    expect(shards.size).toBeGreaterThan(2);
    const ours = [...shards].flatMap(([file, entries]) => entries.map(({ name }) => [name, file] as const));
    expect(Object.fromEntries(ours)).toEqual(index.weight_map);
  });

  it("have the same headers", () => {
    for (const [file, entries] of shards) {
      const { header, size } = layoutFile(entries, new Map([["format", "pt"]]));
      const theirs = readFileSync(join(WRITTEN, folder, file));
      expect(theirs.byteLength, file).toBe(size);
      expect(theirs.subarray(0, header.byteLength).equals(header), file).toBe(true);
    }
  });

  it("are opened by the index that we write", async () => {
    const files = [...shards.keys()].map((file) => new File([readFileSync(join(WRITTEN, folder, file))], file));
    const source = await openSafetensors([...files, new File([indexText(shards)], "model.safetensors.index.json")]);
    const theirs = await openWeights(join(WRITTEN, folder));
    expect(source.warnings).toEqual([]);
    expect(new Set(source.names())).toEqual(new Set(theirs.names()));
    for (const name of theirs.names()) expect(await source.read(name)).toEqual(await theirs.read(name));
  });
});

describe("the text of an index", () => {
  it("is what transformers writes", () => {
    const { limit, tensors } = json<Given>("hub", "given.json");
    expect(indexText(planShards(tensors, limit))).toBe(readFileSync(join(WRITTEN, "hub/sorted.json"), "utf8"));
  });

  it("but for the number of parameters, which only the model knows", () => {
    const { limit, tensors } = json<Given>("transformers", "given.json");
    const theirs = readFileSync(join(WRITTEN, "transformers/model.safetensors.index.json"), "utf8");
    expect(theirs).toContain("total_parameters");
    expect(indexText(planShards(tensors, limit))).toBe(theirs.replace(/ +"total_parameters": \d+,\n/, ""));
  });
});

describe("the size of shards", () => {
  it.each<[string | number, number]>([
    ["5GB", 5e9],
    ["1.5kb", 1500],
    [" 0.3 MB ", 300_000],
    [".5TB", 5e11],
    [123, 123],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])("%s is %d bytes", (size, bytes) => expect(parseShardSize(size)).toBe(bytes));
  it.each(["5", "5GiB", "5B", "-1GB", "", "1e3KB", "0GB", 0, -1, Number.NaN])("%s is none", (size) => {
    expect(() => parseShardSize(size)).toThrow(expect.objectContaining({ name: "FormatError", kind: "config-value" }));
  });
});

it("a checkpoint that fits is one file", () => {
  const entry: TensorEntry = { name: "a", dtype: "F32", shape: [2] };
  expect([...planShards([entry], 8)]).toEqual([["model.safetensors", [entry]]]);
  expect([...planShards([])]).toEqual([["model.safetensors", []]]);
  expect([...planShards([entry, { ...entry, name: "b" }], 8, "unet").keys()]).toEqual([
    "unet-00001-of-00002.safetensors",
    "unet-00002-of-00002.safetensors",
  ]);
});
