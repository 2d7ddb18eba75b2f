import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { convertModules, readFactors, resizeFactors, type ResizeRule } from "@weft/convert";
import { type Device, matmul, reshape, tensor } from "@weft/tensor-core";
import { Comparison, type Outcome, type Tolerance } from "../case.js";
import { readJson, readTensors } from "../peft/files.js";

interface Meta {
  readonly method: ResizeRule["kind"] | null;
  readonly param: number | null;
  readonly max_rank: number;
  readonly new_rank: number;
  readonly new_alpha: number;
  readonly tolerance: Tolerance;
}

/** Runs a case of kohya's resize: new rank, new alpha and the product of the new factors. */
export async function runResizeCase(folder: string, device: Device): Promise<Outcome> {
  const meta = readJson<Meta>(folder, "case.json");
  const check = new Comparison(meta.tolerance);
  const want = (await readTensors(join(folder, "tensors.safetensors"), device)).get("product")!;
  const adapter = await openAdapterFolder(join(folder, "adapter.safetensors"), { methods: ADAPTER_METHODS });
  try {
    const { modules, losses } = convertModules(adapter);
    check.exact("modules", [modules.length, losses.length], [1, 0]);
    const [module] = modules as [(typeof modules)[0]];
    const rule = meta.method === null ? undefined : { kind: meta.method, value: meta.param! };
    const { factors } = resizeFactors(await readFactors(module), rule, meta.max_rank);
    const { out, rank, inputs, up, down } = factors;
    check.exact("rank", rank, meta.new_rank);
    check.exact("alpha", module.scale * rank, meta.new_alpha);
    const product = matmul(tensor(up, { shape: [out, rank], device }), tensor(down, { shape: [rank, inputs], device }));
    await check.tensors("product", reshape(product, want.shape), want);
  } finally {
    await adapter.weights.close();
  }
  return check.outcome();
}
