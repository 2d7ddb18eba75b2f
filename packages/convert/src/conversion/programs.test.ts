import { ADAPTER_METHODS } from "@weft/methods";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openAdapter } from "@weft/adapter-files";
import { type Made, memoryFile } from "@weft/adapter-files/testing";
import { reopened } from "./testing/reopened.js";
import { convertAdapter } from "./convert-adapter.js";
import { verifyConversion } from "./verify.js";

/** Files of other programs, and what diffusers' own converters make of them: fixtures/make_diffusion_adapters.py. */
const FILES = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../../../fixtures/diffusion-adapters.json", import.meta.url)), "utf8"),
) as Record<
  string,
  { readonly tensors: Record<string, number[]>; readonly diffusers: Record<string, readonly [source: string, start: number, stop: number]> }
>;

const DIALECTS: Record<string, string> = {
  xlabs: "xlabs",
  "musubi-wan": "kohya",
  "comfyui-wan": "comfyui",
  "musubi-z-image": "kohya",
  "hunyuan-video": "comfyui",
  "ai-toolkit-flux2": "comfyui",
};

test.each(Object.entries(FILES))(
  "%s: the same keys with the same rows as diffusers' converter gives",
  async (name, { tensors, diffusers }) => {
    let at = 0;
    const rows = new Map<string, number>();
    const made = Object.entries(tensors).map(([key, shape]): [string, Made] => {
      if (shape.length === 0) return [key, { shape, data: Float32Array.of(2) }];
      const [count, columns] = shape as [number, number];
      rows.set(key, at);
      const start = at;
      at += count;
      return [key, { shape, data: Float32Array.from({ length: count * columns }, (_, i) => start + Math.floor(i / columns)) }];
    });
    const adapter = await openAdapter({ weights: await memoryFile(Object.fromEntries(made)) }, { methods: ADAPTER_METHODS });
    expect(adapter.dialect).toBe(DIALECTS[name]);
    const { files } = await convertAdapter(adapter, { to: "diffusers" });
    const [file] = files as [(typeof files)[0]];
    expect(new Set(file.tensors.keys())).toEqual(new Set(Object.keys(diffusers)));
    for (const [key, tensor] of file.tensors) {
      const [source, start, stop] = diffusers[key]!;
      const values = new Float32Array((await tensor.read()).slice().buffer);
      const columns = tensor.shape[1]!;
      const got = Array.from({ length: tensor.shape[0]! }, (_, i) => values[i * columns]);
      expect([key, got]).toEqual([key, Array.from({ length: stop - start }, (_, i) => rows.get(source)! + start + i)]);
    }
    expect((await verifyConversion(adapter, [{ file, adapter: await reopened(file) }])).error).toBe(0);
  },
);
