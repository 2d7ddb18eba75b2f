import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openWeights, writeSafetensorsFile } from "@weft/io-safetensors/node";
import { methodTable, PEFT_METHODS } from "@weft/methods";
import { PeftModel } from "@weft/registry";
import { savePretrained } from "@weft/registry/node";
import { encode, fromBytes, type Tensor } from "@weft/tensor-core";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GATE, GateConfig } from "./gate.js";
import { TwoLayers, wave } from "./two-layers.js";

const WEFT = join(import.meta.dirname, "../../apps/cli/dist/weft.js");
const folder = mkdtempSync(join(tmpdir(), "weft-own-method-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

function weft(...args: string[]): { readonly code: number | null; readonly stdout: string; readonly stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [WEFT, ...args], { encoding: "utf8", cwd: folder });
  return { code: status, stdout, stderr };
}

const model = new TwoLayers();
let merged: ReadonlyMap<string, Tensor>;

/** A base, an adapter of the gate as `savePretrained` writes it, and the method as a module of its own, whose folder has no packages beside it. */
beforeAll(async () => {
  await build({
    entryPoints: [join(import.meta.dirname, "gate.ts")],
    outfile: at("gate.mjs"),
    bundle: true,
    format: "esm",
    external: ["@weft/*"],
  });
  const peft = new PeftModel(model, methodTable(PEFT_METHODS, GATE));
  await peft.addAdapter("default", new GateConfig({ targetModules: ["first", "second"], gateInit: 0.5 }));
  const { layers, ...rest } = peft.parameters();
  peft.setParameters({
    ...rest,
    layers: Object.fromEntries(Object.entries(layers).map(([path, { u, v }]) => [path, { u: wave([...u!.shape]), v: v! }])),
  });
  merged = peft.mergeAndUnload().weights;
  await savePretrained(peft as never, at("adapter"));
  const tensors = await Promise.all(
    [...model.weights].map(async ([name, t]) => ({ name, dtype: "F32" as const, shape: t.shape, data: encode(await t.data(), "f32") })),
  );
  await writeSafetensorsFile(at("base.safetensors"), tensors);
});

const methods = ["--methods", "gate.mjs"];

describe("the command line with a method of one's own", () => {
  it("merges it by rows, on threads, into what the library merges", async () => {
    const run = weft(...methods, "merge", "base.safetensors", "-a", "adapter", "-o", "merged", "--jobs", "2");
    expect(run).toMatchObject({ code: 0 });
    const weights = await openWeights(at("merged"));
    for (const [name, want] of merged) {
      const { data, shape } = await weights.read(name);
      const got = await fromBytes(data, shape, "f32").data();
      (await want.data()).forEach((value, i) => expect(got[i]).toBeCloseTo(value, 6));
    }
    await weights.close();
    expect(weft(...methods, "verify", "merged", "--base", "base.safetensors", "-a", "adapter")).toMatchObject({ code: 0 });
  });

  it("shows and checks its files", () => {
    const { stdout } = weft(...methods, "inspect", "adapter", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ adapter: { method: "GATE" } });
    expect(weft(...methods, "lint", "adapter", "--base", "base.safetensors")).toMatchObject({ code: 0 });
  });

  it("says what is missing without it", () => {
    const { code, stderr } = weft("merge", "base.safetensors", "-a", "adapter", "-o", "other");
    expect(code).toBe(2);
    expect(stderr).toContain('peft_type "GATE" is none of the methods that are known here');
    expect(stderr).toContain("--methods");
  });

  it("refuses modules that have no methods, or cannot be loaded", () => {
    writeFileSync(at("empty.mjs"), "export const answer = 42;\n");
    expect(weft("--methods", "empty.mjs", "inspect", "adapter")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("it exports no method: answer"),
    });
    expect(weft("--methods", "nowhere.mjs", "inspect", "adapter")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("nowhere.mjs"),
    });
    copyFileSync(at("gate.mjs"), at("lora.mjs"));
    writeFileSync(at("lora.mjs"), readFileSync(at("lora.mjs"), "utf8").replaceAll('"GATE"', '"LORA"'));
    expect(weft("--methods", "lora.mjs", "inspect", "adapter")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("two methods are called LORA"),
    });
  });
});
