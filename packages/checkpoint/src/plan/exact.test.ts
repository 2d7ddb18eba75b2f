import { copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { toCoreDType } from "@weft/io-safetensors";
import type { WasmBackend } from "@weft/kernels-wasm";
import { decode } from "@weft/tensor-core";
import { beforeAll, describe, expect, it } from "vitest";
import { tensorsOf } from "../testing/checkpoints.js";
import { FIXTURES, temporaryFolder } from "../testing/folders.js";
import { mergeInMemory } from "../testing/merge-in-memory.js";
import { writeTensors } from "../testing/write-tensors.js";
import { createTileBackend } from "./tile-backend.js";

/** What make_merges.py had PEFT merge: a case per method. */
const HOME = join(FIXTURES, "merges");
const PAIR = "glora_pair";
const CASES = readdirSync(HOME).filter((name) => name !== PAIR);
const DOC = join(FIXTURES, "../docs/merging.md");

const MODES = { merge: {}, safe: { safeMerge: true }, off: { autocastAdapterDtype: false } } as const;
/** Distance of neighbouring values at 1. */
const ULP = { f32: 2 ** -23, bf16: 2 ** -7, f16: 2 ** -10 } as const;
type Base = keyof typeof ULP;
/** Methods that begin with an SVD of the weight: its last bits are the library's that computes it. */
const WITH_SVD: ReadonlySet<string> = new Set(["osf", "psoft"]);
/** Units of the last place by which a merge may differ from PEFT's. */
const tolerance = (name: string, base: Base): number => (base !== "f32" ? 2 : WITH_SVD.has(name) ? 128 : 4);
type Mode = keyof typeof MODES;

/** The columns of the table: dtypes of base and adapter file, and mode. */
const COLUMNS: readonly (readonly [title: string, base: Base, file: "f32" | "bf16", mode: Mode])[] = [
  ["bf16 base", "bf16", "f32", "merge"],
  ["`--safe`", "bf16", "f32", "safe"],
  ["f16 base", "f16", "f32", "merge"],
  ["`--safe`", "f16", "f32", "safe"],
  ["bf16 base and file", "bf16", "bf16", "merge"],
  ["f32 base, bf16 file", "f32", "bf16", "merge"],
  ["bf16 base, `--no-autocast-adapter-dtype`", "bf16", "f32", "off"],
];

const folder = temporaryFolder();
let backend: WasmBackend;
beforeAll(async () => {
  backend = await createTileBackend();
});

const valuesOf = ({ bytes, dtype }: { readonly bytes: Buffer; readonly dtype: string }): Float64Array =>
  Float64Array.from(decode(new Uint8Array(bytes), toCoreDType(dtype as "F32")!));

/** Tensors of a case whose names begin so, under the rest of their names. */
const under = (tensors: ReturnType<typeof tensorsOf>, prefix: string): ReturnType<typeof tensorsOf> =>
  new Map([...tensors].flatMap(([name, tensor]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [])));

/** A merge beside PEFT's: how many values differ, and the largest difference in units of the last place of the tensor's largest value. */
async function compare(name: string, base: Base, file: "f32" | "bf16", mode: Mode): Promise<{ count: number; worst: number }> {
  const tensors = tensorsOf(join(HOME, name, "case.safetensors"));
  const before = under(tensors, `base.${base}.`);
  const [checkpoint, adapter] = [join(folder, `${name}-${base}.safetensors`), join(folder, `${name}-${file}`)];
  await writeTensors(checkpoint, before);
  mkdirSync(adapter, { recursive: true });
  copyFileSync(join(HOME, name, "adapter_config.json"), join(adapter, "adapter_config.json"));
  const held = file === "f32" ? "adapter_model.safetensors" : "adapter_model.bf16.safetensors";
  copyFileSync(join(HOME, name, held), join(adapter, "adapter_model.safetensors"));
  const merged = await mergeInMemory(backend, { base: checkpoint, adapters: [adapter], ...MODES[mode] });
  const expected = under(tensors, `${base}.${file}.${mode}.`);
  expect(expected.size).toBeGreaterThan(0);
  let [count, worst] = [0, 0];
  for (const [key, tensor] of merged) {
    const [got, want] = [valuesOf(tensor), valuesOf(expected.get(key) ?? before.get(key)!)];
    expect([key, got.length]).toEqual([key, want.length]);
    const unit = ULP[base] * want.reduce((top, v) => Math.max(top, Math.abs(v)), 0);
    want.forEach((v, i) => {
      if (got[i] === v) return;
      count++;
      worst = Math.max(worst, Math.abs(got[i]! - v) / unit);
    });
  }
  return { count, worst };
}

describe("weft merge gives PEFT's bytes, or comes within two roundings of them", () => {
  const rows = new Map<string, string>();

  it.each(CASES)("%s", async (name) => {
    const cells = [];
    for (const [title, base, file, mode] of COLUMNS) {
      const { count, worst } = await compare(name, base, file, mode);
      expect([title, worst <= tolerance(name, base)]).toEqual([title, true]);
      cells.push(count === 0 ? "same" : "≈");
    }
    const { method } = JSON.parse(readFileSync(join(HOME, name, "case.json"), "utf8")) as { method: string };
    rows.set(name, `| ${name} | ${method.replace(/Config$/, "")} | ${cells.join(" | ")} |`);
  });

  it("as docs/merging.md says (a new table is written by: npx vitest run packages/checkpoint/src/plan/exact.test.ts -u)", async () => {
    const head = ["case", "config", ...COLUMNS.map(([title]) => title)];
    const table = [`| ${head.join(" | ")} |`, `|${" --- |".repeat(head.length)}`, ...CASES.map((name) => rows.get(name))].join("\n");
    const text = readFileSync(DOC, "utf8").replace(/(<!-- table:begin -->\n\n)[^]*(\n\n<!-- table:end -->)/, `$1${table}$2`);
    await expect(text).toMatchFileSnapshot(DOC);
  });
});

it("two GLoRAs on a layer: each takes weight and bias as they were before both", async () => {
  const tensors = tensorsOf(join(HOME, PAIR, "case.safetensors"));
  const base = join(folder, "pair.safetensors");
  await writeTensors(base, under(tensors, "base.f32."));
  const merged = await mergeInMemory(backend, {
    base,
    adapters: ["first", "second"].map((name) => join(HOME, PAIR, name)),
  });
  for (const [key, want] of under(tensors, "f32.f32.merge.")) {
    const [got, expected] = [valuesOf(merged.get(key)!), valuesOf(want)];
    expected.forEach((v, i) => expect(Math.abs(got[i]! - v)).toBeLessThan(2e-6));
  }
});
