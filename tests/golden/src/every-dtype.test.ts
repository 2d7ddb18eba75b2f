import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as adapterFiles from "@weft/adapter-files";
import { LORA, LoraConfig } from "@weft/adapters-lora";
import * as checkpoint from "@weft/checkpoint";
import * as convert from "@weft/convert";
import * as safetensors from "@weft/io-safetensors";
import * as core from "@weft/tensor-core";
import * as methods from "@weft/tensor-core/methods";
import * as program from "@weft/tensor-core/program";
import * as testing from "@weft/tensor-core/testing";
import { describe, expect, it } from "vitest";

/** No dtypes; `constructor` is a name that every object has. */
const UNKNOWN = ["f23", "Float32", "constructor", "", 3] as never[];

/** Bool lanes are numbers as they are stored. */
const LANES = program.SCALAR_LANES as unknown as program.Lanes<number, number, number>;
const x = core.ones([2, 2]);
const layer = { kind: "linear", shape: [2, 2], dtype: "f32", bias: false } as const;
const context = { layer, config: new LoraConfig({ r: 1 }), scale: 1 };
const params = { A: core.ones([1, 2]), B: core.ones([2, 1]) };
const group = await core.createAdapter(LORA, context.config, { fc: { weight: x } });
const device = core.referenceDevice();
const packed = { format: core.INT8_ROWS, shape: [2, 2], parts: { codes: core.cast(x, "i8"), absmax: core.ones([2]) } } as const;

const operand = (dtype: never) => ({ buffer: 0, shape: [1], strides: [1], offset: 0, dtype });
const memory = () => new Uint8Array(16);

/** Every exported function that takes a dtype, given one. */
const TAKERS: { readonly [packageName: string]: { readonly [name: string]: (dtype: never) => unknown } } = {
  "@weft/adapter-files": { heldAs: (dtype) => adapterFiles.heldAs(core.tensor([1]), dtype) },
  "@weft/checkpoint": { valuesOf: (dtype) => checkpoint.valuesOf(new Uint8Array(4), dtype) },
  "@weft/io-safetensors": {
    bitsPerElement: safetensors.bitsPerElement,
    fromCoreDType: safetensors.fromCoreDType,
    toCoreDType: safetensors.toCoreDType,
  },
  "@weft/tensor-core": {
    "AdaptedLayer.merge": (dtype) => group.get("fc").merge({ dtype }),
    "AdaptedLayer.set": (dtype) => group.get("fc").set("A", params.A, { dtype }),
    "AdapterGroup.mergeAll": (dtype) => group.mergeAll({ dtype }),
    "Device.adopt": (dtype) => device.adopt(device.backend.allocate(16), [2, 2], dtype),
    "Device.fromBytes": (dtype) => device.fromBytes(new Uint8Array(4), [1], dtype),
    "Device.tensor": (dtype) => device.tensor([1], { dtype }),
    adapterDType: (weight) => core.adapterDType(weight, false),
    adapterParams: (weight) => core.adapterParams(params, weight, false),
    assertDType: core.assertDType,
    bitcast: (dtype) => core.bitcast(x, dtype),
    bytesPerElement: core.bytesPerElement,
    cast: (dtype) => core.cast(x, dtype),
    decode: (dtype) => core.decode(new Uint8Array(4), dtype),
    dequantize: (dtype) => core.dequantize({ ...packed, dtype }),
    encode: (dtype) => core.encode([1], dtype),
    fromBytes: (dtype) => core.fromBytes(new Uint8Array(4), [1], dtype),
    fromSource: (dtype) => core.fromSource({ shape: [1], dtype, read: () => Promise.resolve(new Uint8Array(4)) }),
    full: (dtype) => core.full([1], 1, dtype),
    isFloat: core.isFloat,
    "mergeLowRank to": (dtype) => core.mergeLowRank(x, params.A, params.B, { scale: 1, dtype }),
    "mergeLowRank by way of": (deltaDtype) => core.mergeLowRank(x, params.A, params.B, { scale: 1, deltaDtype }),
    mergeWeight: (dtype) => core.mergeWeight(LORA, x, params, context, { dtype }),
    ones: (dtype) => core.ones([1], dtype),
    operandBytes: (dtype) => core.operandBytes(operand(dtype)),
    placeholder: (dtype) => core.placeholder({ shape: [1], dtype }),
    "promote, first": (dtype) => core.promote(dtype, "f32"),
    "promote, second": (dtype) => core.promote("f32", dtype),
    "promote, both": (dtype) => core.promote(dtype, dtype),
    quantLinear: (dtype) => core.quantLinear(x, { ...packed, dtype }),
    readOperand: (dtype) => core.readOperand(memory, operand(dtype)),
    roundTo: (dtype) => core.roundTo(1, dtype),
    rowPasses: (dtype) => core.rowPasses((t) => t, { shape: [2, 2], dtype }),
    tensor: (dtype) => core.tensor([1], { dtype }),
    tileRows: (dtype) => core.tileRows((t) => t, { shape: [2, 2], dtype }, 0, 1),
    writeOperand: (dtype) => core.writeOperand(memory, operand(dtype), [1]),
    zeros: (dtype) => core.zeros([1], dtype),
  },
  "@weft/tensor-core/methods": { roundedTo: (dtype) => methods.roundedTo(dtype)(x) },
  "@weft/tensor-core/program": {
    addProgram: (dtype) => program.addProgram([1], dtype),
    apply: (from) => program.apply(LANES, "add", from, [1, 2]),
    combination: (dtype) => program.combination("sum", dtype),
    "convert from": (from) => program.convert(LANES, 1, from, "f32"),
    "convert to": (to) => program.convert(LANES, 1, "f32", to),
    copyProgram: (dtype) => program.copyProgram([1], dtype),
    decode: (dtype) => program.decode(LANES, 1, dtype),
    "encode from": (from) => program.encode(LANES, 1, from, "f32"),
    "encode to": (to) => program.encode(LANES, 1, "f32", to),
    fillProgram: (dtype) => program.fillProgram([1], dtype, 1),
    identity: (dtype) => program.identity("max", dtype),
    roundRegister: (dtype) => program.roundRegister(LANES, 1, dtype),
    sumProgram: (dtype) => program.sumProgram([1], dtype, 2),
  },
  "@weft/tensor-core/testing": {
    positive: (dtype) => testing.positive(device, [1], dtype),
    products: (dtype) => testing.products(1, dtype),
    rounded: testing.rounded,
    sample: (dtype) => testing.sample(device, [1], dtype),
    ulp: testing.ulp,
  },
};

/** What packages export, by folder. */
const EXPORTS: { readonly [folder: string]: readonly object[] } = {
  "adapter-files": [adapterFiles],
  checkpoint: [checkpoint],
  convert: [convert],
  "io-safetensors": [safetensors],
  "tensor-core": [core, methods, program, testing],
};

/** Names of a package's exported functions whose first line says that a parameter is a dtype. */
function declared(folder: string): string[] {
  const source = join(import.meta.dirname, "../../../packages", folder, "src");
  return readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.includes(".test."))
    .flatMap((file) => [
      ...readFileSync(join(source, file), "utf8").matchAll(
        /^export (?:async )?(?:function|const) (\w+)[^\n]*[(,{] ?\w+: (?:DType|SafetensorsDType)\b/gm,
      ),
    ])
    .map(([, name]) => name!)
    .filter((name) => EXPORTS[folder]!.some((entry) => name in entry));
}

describe.each(Object.entries(TAKERS))("an unknown dtype is refused by %s", (_, takers) => {
  it.each(Object.entries(takers))("%s", async (__, take) => {
    for (const dtype of UNKNOWN) {
      const outcome = Promise.resolve().then(() => take(dtype));
      await expect(outcome, String(dtype)).rejects.toMatchObject({ code: "dtype", hint: expect.stringMatching(/There are \w+, \w+/) });
    }
  });
});

it("knows every exported function that takes a dtype", () => {
  const walked = new Set(Object.values(TAKERS).flatMap((takers) => Object.keys(takers).map((name) => name.split(/[ ,]/)[0])));
  const names = Object.keys(EXPORTS).flatMap(declared);
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => !walked.has(name))).toEqual([]);
});

it("the error says which dtype is meant", () => {
  const hintOf = (take: () => unknown): string => {
    try {
      take();
    } catch (error) {
      return (error as core.WeftError).hint!.split("?")[0]!;
    }
    return "";
  };
  expect(hintOf(() => core.isFloat("float32" as never))).toBe('did you mean "f32"');
  expect(hintOf(() => core.cast(x, "torch.bfloat16" as never))).toBe('did you mean "bf16"');
  expect(hintOf(() => safetensors.bitsPerElement("f32" as never))).toBe('did you mean "F32"');
  expect(hintOf(() => safetensors.tensorBytes({ name: "x", dtype: "bf16" as never, shape: [] }))).toBe('did you mean "BF16"');
});
