import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as w from "@weft/tensor-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lowerStep, KERNELS } from "../kernels/index.js";
import { PlanBuilder } from "../runtime/plan-builder.js";
import { openTestDevice, sample } from "../testing/gpu.js";
import { tune } from "../tuning/tune.js";
import { DEFAULT_TUNING, type Tuning } from "../tuning/tuning.js";
import { createNodeWebGpuBackend, readTuning, tuningFile, writeTuning } from "./index.js";

const folder = mkdtempSync(join(tmpdir(), "weft-tuning-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text?: string): string => {
  const path = join(folder, name);
  if (text !== undefined) writeFileSync(path, text);
  return path;
};

const TUNED: Tuning = {
  gemm: { tiles: [{ threads: 8, blocks: 1, depth: 8 }], enoughGroups: 7 },
  gemv: { threads: 64 },
  rows: { threads: 128 },
};
let info: GPUAdapterInfo;
beforeAll(async () => {
  const backend = await createNodeWebGpuBackend({ tuningFile: false });
  info = backend.device.adapterInfo;
  expect(backend.limits.tuning).toBeUndefined();
  backend.dispose();
});

/** The WGSL of a product, a product with a vector and a reduction, as a backend that reads `path` writes it; and what it warned of. */
async function wgsl(path: string): Promise<{ sources: string[]; warnings: string[] }> {
  const warnings: string[] = [];
  const backend = await createNodeWebGpuBackend({ tuningFile: path, warn: (text) => void warnings.push(text) });
  const graphs = [w.matmul(sample([40, 40]), sample([40, 40])), w.matmul(sample([1, 40]), sample([40, 40])), w.softmax(sample([5, 100]))];
  const sources = graphs.flatMap((t) => {
    const { plan } = w.planGraph([t], [], () => false);
    const builder = new PlanBuilder(plan, backend.limits);
    return plan.steps.flatMap((step) => lowerStep(step, builder, KERNELS)).map((d) => d.source);
  });
  backend.dispose();
  return { sources, warnings };
}

describe("a file with tunings", () => {
  it("changes the WGSL of the backend that reads it", async () => {
    const path = file("tuned.json");
    writeTuning(path, info, TUNED);
    const [plain, tuned] = [await wgsl(file("none.json")), await wgsl(path)];
    expect([...plain.warnings, ...tuned.warnings]).toEqual([]);
    expect(plain.sources).toHaveLength(3);
    const sizes = (sources: string[]): string[] => sources.map((s) => /@workgroup_size\((\d+)\)/.exec(s)![1]!);
    expect(sizes(plain.sources)).toEqual(["64", "256", "256"]);
    expect(sizes(tuned.sources)).toEqual(["64", "64", "128"]);
    // Depth 16 of the default, 8 of the tuning; nine vec4 per line.
    expect(plain.sources[0]).toContain(`array<vec4<f32>, ${9 * 16}>`);
    expect(tuned.sources[0]).toContain(`array<vec4<f32>, ${9 * 8}>`);
  });
  it("keeps what it holds for other GPUs and leaves no other file behind", () => {
    const path = file("two.json");
    const other = { ...info, vendor: "other", architecture: "", device: "", description: "" } as GPUAdapterInfo;
    writeTuning(path, other, DEFAULT_TUNING);
    writeTuning(path, info, TUNED);
    const limits = { maxInvocations: 256, maxWorkgroupBytes: 16384 };
    const never = (text: string): void => expect.fail(text);
    expect(readTuning(path, other, limits, never)).toEqual(DEFAULT_TUNING);
    expect(readTuning(path, info, limits, never)).toEqual(TUNED);
    expect(readdirSync(folder).filter((name) => name.startsWith("two"))).toEqual(["two.json"]);
  });
  it.each([
    ["broken JSON", () => '{"format": 1, "devi', /JSON/],
    ["something else", () => "[]", /no file of tunings/],
    ["another version", () => JSON.stringify({ ...content(), format: 0 }), /version 0/],
    [
      "numbers that do not fit",
      () => JSON.stringify({ ...content(), devices: each({ ...TUNED, gemv: { threads: 4096 } }) }),
      /gemv.threads is 4096/,
    ],
    ["half an entry", () => JSON.stringify({ ...content(), devices: each({ gemm: TUNED.gemm }) }), /gemv.threads/],
  ])("that holds %s is not used, with a warning, and is replaced when tuned again", async (name, text, reason) => {
    const path = file(`${name}.json`, text());
    const { sources, warnings } = await wgsl(path);
    expect(sources).toEqual((await wgsl(file("none.json"))).sources);
    expect(warnings).toEqual([expect.stringMatching(reason)]);
    writeTuning(path, info, TUNED);
    expect((await wgsl(path)).warnings).toEqual([]);
  });
  const content = (): { devices: Record<string, unknown> } =>
    JSON.parse(readFileSync(file("tuned.json"), "utf8")) as { devices: Record<string, unknown> };
  const each = (tuning: object): object => Object.fromEntries(Object.keys(content().devices).map((key) => [key, tuning]));
});

describe("tuningFile", () => {
  it("lies in the user's cache, or where WEFT_TUNING says", () => {
    expect(tuningFile()).toMatch(/weft.webgpu-tuning\.json$/);
    process.env["WEFT_TUNING"] = "/somewhere/t.json";
    expect(tuningFile()).toBe("/somewhere/t.json");
    delete process.env["WEFT_TUNING"];
  });
});

describe("tune", () => {
  it("measures a tuning that fits the device", async () => {
    const { backend } = await openTestDevice();
    const notes: string[] = [];
    const found = await tune(backend.device, {
      tiles: [
        { threads: 8, blocks: 1, depth: 8 },
        { threads: 8, blocks: 1, depth: 16 },
        { threads: 16, blocks: 4, depth: 64 },
      ],
      products: [[40, 8, 40]],
      width: 64,
      note: (text) => void notes.push(text),
    });
    writeTuning(file("measured.json"), info, found);
    expect(readTuning(file("measured.json"), info, backend.limits, (text) => expect.fail(text))).toEqual(found);
    expect(notes.filter((n) => n.startsWith("tile"))).toHaveLength(2);
    backend.dispose();
  });
});
