import { existsSync } from "node:fs";
import { join } from "node:path";
import { openWeights } from "@weft/io-safetensors/node";
import { readTensor } from "@weft/adapter-files";
import { clampFactors, type Extracted, extractDelta, type RankRule } from "@weft/convert";
import { type Device, matmul, reshape, sub, type Tensor, tensor } from "@weft/tensor-core";
import { singularValues, matrix } from "@weft/tensor-core/linalg";
import { Comparison, type Outcome, type Tolerance } from "../case.js";
import { readJson, readTensors } from "../peft/files.js";

interface Meta {
  readonly tool: string;
  readonly tolerance: Tolerance;
  readonly mode?: RankRule["kind"];
  readonly param?: number;
  readonly result?: "low rank" | "full";
  readonly rank?: number | null;
  readonly clamp_quantile?: number;
  readonly clamp_value?: number;
  readonly linear_dim?: number;
  readonly conv_dim?: number;
  readonly small_conv?: boolean;
}

const inputsOf = (shape: readonly number[]): number => shape.slice(1).reduce((a, b) => a * b, 1);

/** What the factors give as a change of the weight. */
function rebuilt({ shape, factors: { out, rank, up, down }, tucker }: Extracted): Tensor {
  const [channels, ...kernel] = shape.slice(1) as [number, ...number[]];
  const places = kernel.reduce((a, b) => a * b, 1);
  const left = tensor(up, { shape: [out, rank] });
  if (!tucker) return reshape(matmul(left, tensor(down, { shape: [rank, inputsOf(shape)] })), shape);
  // [rank, inner, kernel] → per place of the kernel a matrix [rank, inner] times [inner, channels].
  const values = new Float32Array(rank * channels * places);
  for (let p = 0; p < rank; p++)
    for (let i = 0; i < channels; i++)
      for (let k = 0; k < places; k++)
        for (let q = 0; q < tucker.inner; q++)
          values[(p * channels + i) * places + k]! += tucker.mid[(p * tucker.inner + q) * places + k]! * tucker.down[q * channels + i]!;
  return reshape(matmul(left, tensor(values, { shape: [rank, channels * places] })), shape);
}

const asMatrix = (values: Float32Array, shape: readonly number[], device: Device): Tensor =>
  tensor(values, { shape: [shape[0]!, inputsOf(shape)], device });

async function changeOf(base: Tensor, tuned: Tensor): Promise<Float32Array> {
  return Float32Array.from(await sub(tuned, base).data());
}

/** Runs an extraction case: one weight by LyCORIS's or kohya's rule, or a whole model. */
export async function runExtractCase(folder: string, device: Device): Promise<Outcome> {
  const meta = readJson<Meta>(folder, "case.json");
  const check = new Comparison(meta.tolerance);
  if (existsSync(join(folder, "adapter.safetensors"))) await checkModel(folder, meta, device, check);
  else await checkWeight(folder, meta, device, check);
  return check.outcome();
}

async function checkWeight(folder: string, meta: Meta, device: Device, check: Comparison): Promise<void> {
  const tensors = await readTensors(join(folder, "tensors.safetensors"), device);
  const want = (name: string): Tensor => tensors.get(name)!;
  const { shape } = want("base");
  const values = await changeOf(want("base"), want("tuned"));
  if (tensors.has("singular_values")) {
    const found = singularValues(matrix(shape[0]!, inputsOf(shape), values));
    await check.tensors("singular values", tensor(Float32Array.from(found)), want("singular_values"));
  }
  if (meta.clamp_quantile !== undefined) return checkClamped(shape, values, meta, want("delta"), device, check);
  const got = await extractDelta(shape, asMatrix(values, shape, device), {
    rule: { kind: meta.mode!, value: meta.param! },
    wholeFromHalf: true,
  });
  check.exact("result", got === "whole" ? "full" : "low rank", meta.result ?? "low rank");
  if (got !== "whole") check.exact("rank", got.factors.rank, meta.rank);
  await check.tensors("delta", got === "whole" ? tensor(values, { shape }) : rebuilt(got), want("delta"));
}

/**
 * kohya's limit is a quantile of signed values, so it depends on the signs of the singular vectors, which an SVD leaves open: the library's limit must
 * be that of one of the choices, and the product with it the library's.
 */
async function checkClamped(
  shape: readonly number[],
  values: Float32Array,
  { rank, clamp_quantile: q, clamp_value: limit }: Meta,
  delta: Tensor,
  device: Device,
  check: Comparison,
): Promise<void> {
  const plain = (await extractDelta(shape, asMatrix(values, shape, device), { rule: { kind: "fixed", value: rank! } })) as Extracted;
  const { up, down, inputs } = plain.factors;
  check.exact("rank", plain.factors.rank, rank);
  let best = { limit: Infinity, result: plain };
  for (let choice = 0; choice < 2 ** rank!; choice++) {
    const sign = (k: number): number => ((choice >> k) & 1 ? -1 : 1);
    const factors = {
      ...plain.factors,
      up: up.map((x, i) => x * sign(i % rank!)),
      down: down.map((x, i) => x * sign(Math.floor(i / inputs))),
    };
    const found = clampFactors(q!, factors.up, factors.down);
    if (Math.abs(found - limit!) < Math.abs(best.limit - limit!)) best = { limit: found, result: { ...plain, factors } };
  }
  await check.tensors("limit", tensor([best.limit]), tensor([limit!]));
  await check.tensors("delta", rebuilt(best.result), delta);
}

/** Every module that the library extracted, and no other: names, shapes and what the factors give. */
async function checkModel(folder: string, meta: Meta, device: Device, check: Comparison): Promise<void> {
  const [base, tuned] = [
    await readTensors(join(folder, "base.safetensors"), device),
    await readTensors(join(folder, "tuned.safetensors"), device),
  ];
  const file = await openWeights(join(folder, "adapter.safetensors"));
  try {
    const modules = new Map([...base].filter(([name, t]) => name.endsWith(".weight") && t.shape.length > 1));
    const names = [...modules.keys()].map((name) => `lora_unet_${name.slice(0, -".weight".length).replaceAll(".", "_")}`);
    check.exact("modules", [...new Set([...file.names()].map((name) => name.slice(0, name.indexOf("."))))].toSorted(), names.toSorted());
    for (const [name, weight] of modules) {
      const key = `lora_unet_${name.slice(0, -".weight".length).replaceAll(".", "_")}`;
      const kernel = weight.shape.slice(2).reduce((a, b) => a * b, 1);
      const rank = kernel > 1 ? meta.conv_dim! : meta.linear_dim!;
      const got = await extractDelta(weight.shape, asMatrix(await changeOf(weight, tuned.get(name)!), weight.shape, device), {
        rule: { kind: "fixed", value: rank },
        smallConv: meta.small_conv!,
        wholeFromHalf: true,
      });
      if (got === "whole") {
        check.exact(`${name}: result`, "full", "low rank");
        continue;
      }
      check.exact(`${name}: core`, got.tucker !== undefined, file.has(`${key}.lora_mid.weight`));
      await check.tensors(name, rebuilt(got), await fromFile(file, key, weight.shape, device));
    }
  } finally {
    await file.close();
  }
}

type Source = Awaited<ReturnType<typeof openWeights>>;

async function fromFile(file: Source, key: string, shape: readonly number[], device: Device): Promise<Tensor> {
  const values = async (name: string): Promise<Float32Array> =>
    Float32Array.from(await (await readTensor(file, `${key}.${name}`, { device })).data());
  const [rank, inner] = [file.info(`${key}.lora_up.weight`).shape[1]!, file.info(`${key}.lora_down.weight`).shape[0]!];
  const [up, down] = [await values("lora_up.weight"), await values("lora_down.weight")];
  const factors = { out: shape[0]!, rank, inputs: inputsOf(shape), up, down };
  if (!file.has(`${key}.lora_mid.weight`)) return rebuilt({ shape, factors, residual: 0 });
  return rebuilt({ shape, factors, tucker: { mid: await values("lora_mid.weight"), down, inner }, residual: 0 });
}
