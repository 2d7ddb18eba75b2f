import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { decode } from "@weft/tensor-core";
import { tensorsOf } from "@weft/checkpoint/testing";
import type { InferenceSession as Session, Tensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { FIXTURES, temporaryFolder, weftBuilt } from "../testing/cli.js";

const folder = temporaryFolder();
const PEFT = join(FIXTURES, "peft");
const BASE = join(FIXTURES, "onnx/llama_base.onnx");
const EXTERNAL = join(FIXTURES, "onnx/llama_base_external.onnx");

/** Not there on platforms that onnxruntime has no binary for. */
const ort = await import("onnxruntime-node").catch(() => undefined);

interface Failure {
  readonly kind: string;
  readonly message: string;
}

async function failing(...argv: string[]): Promise<Failure & { readonly code: number }> {
  const { code, stdout } = await weftBuilt("export", "--json", "--quiet", ...argv);
  return { code, ...(JSON.parse(stdout.trim().split("\n").at(-1)!) as { error: Failure }).error };
}

/** What onnxruntime makes of a model, for the tokens of a case of PEFT. */
async function logits(model: string, name: string): Promise<{ readonly got: Float32Array; readonly want: Float64Array }> {
  const tensors = tensorsOf(join(PEFT, name, "case.safetensors"));
  const { shape, bytes } = tensors.get("ids")!;
  const session: Session = await ort!.InferenceSession.create(model, { logSeverityLevel: 4 });
  const ids = new BigInt64Array(Uint8Array.from(bytes).buffer);
  const { logits: result } = (await session.run({ input_ids: new ort!.Tensor("int64", ids, shape) })) as { logits: Tensor };
  await session.release();
  return { got: result!.data as Float32Array, want: decode(Uint8Array.from(tensors.get("y_adapter_nomask")!.bytes), "f32") };
}

const worst = (got: ArrayLike<number>, want: ArrayLike<number>): number =>
  Array.from(got).reduce((most, x, i) => Math.max(most, Math.abs(x - want[i]!)), 0);

describe.skipIf(!ort)("a model with the adapter in its constants gives in onnxruntime what base and adapter give in PEFT", () => {
  it.each([
    ["llama_lora", BASE, 7],
    ["llama_dora_all_linear", BASE, 14],
    ["llama_lora", EXTERNAL, 7],
    ["llama_psoft", EXTERNAL, undefined],
  ])("%s, %s", async (name, base, patched) => {
    const out = join(folder, name, base === BASE ? "whole" : "external", "model.onnx");
    const { code, stdout, stderr } = await weftBuilt("export", "--json", join(PEFT, name), "--target", "onnx", "--base", base, "-o", out);
    expect(code, stderr).toBe(0);
    const result = JSON.parse(stdout.trim().split("\n").at(-1)!) as { patched: number };
    if (patched !== undefined) expect(result.patched).toBe(patched);
    // Nothing else: no checkpoint that was made on the way.
    expect(readdirSync(dirname(out)).toSorted()).toEqual(base === BASE ? ["model.onnx"] : ["llama_base_external.onnx_data", "model.onnx"]);
    const { got, want } = await logits(out, name);
    expect(got.length).toBe(want.length);
    expect(worst(got, want)).toBeLessThan(1e-4);
    const { got: before } = await logits(base, name);
    expect(worst(before, want)).toBeGreaterThan(1e-2);
  });
});

/** What a FlatBuffer of onnxruntime's schema holds: name, dimensions, element type and data of each parameter. */
function parametersIn(path: string): Map<string, { dims: number[]; type: number; data: Float32Array; aligned: boolean }> {
  const bytes = Uint8Array.from(readFileSync(path));
  const view = new DataView(bytes.buffer);
  const u32 = (at: number): number => view.getUint32(at, true);
  const to = (at: number): number => at + u32(at);
  /** Where the field with this number is in a table. */
  const field = (table: number, number: number): number => {
    const fields = table - view.getInt32(table, true);
    return table + view.getUint16(fields + 4 + 2 * number, true);
  };
  expect(new TextDecoder().decode(bytes.subarray(4, 8))).toBe("TORT");
  const root = to(0);
  expect([0, 1, 2].map((number) => view.getInt32(field(root, number), true))).toEqual([1, 1, 1]);
  const vector = to(field(root, 3));
  const tables = Array.from({ length: u32(vector) }, (_, i) => to(vector + 4 + 4 * i));
  return new Map(
    tables.map((table) => {
      const [name, dims, data] = [to(field(table, 0)), to(field(table, 1)), to(field(table, 3))];
      const text = new TextDecoder().decode(bytes.subarray(name + 4, name + 4 + u32(name)));
      expect(bytes[name + 4 + u32(name)]).toBe(0);
      return [
        text,
        {
          dims: Array.from({ length: u32(dims) }, (_, i) => Number(view.getBigInt64(dims + 4 + 8 * i, true))),
          type: view.getInt32(field(table, 2), true),
          data: new Float32Array(bytes.slice(data + 4, data + 4 + u32(data)).buffer),
          aligned: (data + 4) % 8 === 0 && (dims + 4) % 8 === 0,
        },
      ];
    }),
  );
}

it("writes the parameters that onnxruntime's own writer writes, under Olive's names", async () => {
  const out = join(folder, "rslora.onnx_adapter");
  const { code, stderr } = await weftBuilt("export", join(PEFT, "lora_rslora"), "--target", "onnx", "-o", out);
  expect(code, stderr).toBe(0);
  const [got, want] = [parametersIn(out), parametersIn(join(FIXTURES, "onnx/lora_rslora.onnx_adapter"))];
  expect([...got.keys()].toSorted()).toEqual([...want.keys()].toSorted());
  for (const [name, { dims, type, data }] of want) {
    const own = got.get(name)!;
    // The schema asks for multiples of eight, which onnxruntime's writer does not keep to.
    expect([own.dims, own.type, own.aligned], name).toEqual([dims, type, true]);
    expect(worst(own.data, data), name).toBeLessThan(1e-6);
    expect(own.data.length).toBe(data.length);
  }
});

describe("refuses, and leaves nothing behind:", () => {
  const out = join(folder, "refused", "model.onnx");
  it("a constant that others read, too", async () => {
    const { code, kind, message } = await failing(join(PEFT, "llama_ln_tuning"), "--target", "onnx", "--base", BASE, "-o", out);
    expect([code, kind, existsSync(dirname(out))]).toEqual([2, "unsupported-by-target", false]);
    expect(message).toContain("is one constant");
  });

  it("an adapter for another model", async () => {
    const { code, message } = await failing(join(PEFT, "lora_linear"), "--target", "onnx", "--base", BASE, "-o", out);
    expect([code === 0, existsSync(dirname(out))]).toEqual([false, false]);
    expect(message).not.toContain(folder);
  });

  it("a damaged model, and one whose data lies elsewhere", async () => {
    mkdirSync(join(folder, "damaged"), { recursive: true });
    const bytes = readFileSync(BASE);
    const cut = join(folder, "damaged/cut.onnx");
    writeFileSync(cut, bytes.subarray(0, bytes.length / 2));
    expect(await failing(join(PEFT, "llama_lora"), "--target", "onnx", "--base", cut, "-o", out)).toMatchObject({
      code: 2,
      kind: "truncated",
    });
    const outside = join(folder, "damaged/outside.onnx");
    const text = readFileSync(EXTERNAL).toString("latin1").replaceAll("llama_base_external.onnx_data", "../ma_base_external.onnx_data");
    writeFileSync(outside, Buffer.from(text, "latin1"));
    expect(await failing(join(PEFT, "llama_lora"), "--target", "onnx", "--base", outside, "-o", out)).toMatchObject({
      code: 2,
      kind: "name",
    });
  });

  it("an output beside the base, whose data it would replace", async () => {
    const own = join(folder, "own/base.onnx");
    mkdirSync(dirname(own), { recursive: true });
    for (const [from, to] of [
      [EXTERNAL, own],
      [`${EXTERNAL}_data`, join(dirname(own), "llama_base_external.onnx_data")],
    ] as const)
      copyFileSync(from, to);
    const before = readFileSync(join(dirname(own), "llama_base_external.onnx_data"));
    const failure = await failing(join(PEFT, "llama_lora"), "--target", "onnx", "--base", own, "-o", join(dirname(own), "other.onnx"));
    expect(failure).toMatchObject({ code: 2, kind: "output-is-input" });
    expect(readFileSync(join(dirname(own), "llama_base_external.onnx_data")).equals(before)).toBe(true);
  });

  it("an adapter file for a model that takes none, and one of DoRA", async () => {
    const file = join(folder, "refused.onnx_adapter");
    const without = await failing(join(PEFT, "lora_rslora"), "--target", "onnx", "--base", BASE, "-o", file);
    expect(without).toMatchObject({ code: 2, kind: "missing-modules" });
    expect(await failing(join(PEFT, "lora_dora"), "--target", "onnx", "-o", file)).toMatchObject({ kind: "unsupported-by-target" });
    expect(existsSync(file)).toBe(false);
  });
});
