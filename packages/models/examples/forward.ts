import { createWasmBackend } from "@weft/kernels-wasm";
import { type LayerHook } from "@weft/models";
import { loadPretrained } from "@weft/models/node"; // in a page: loadCausalLM(config, source)
import { add, compile, Device, forwardBase, matmul, type Tensor } from "@weft/tensor-core";

const device = new Device(await createWasmBackend({ threads: 1 }));
const model = await loadPretrained("fixtures/models/llama", { device });
for (const [path, { kind, in: from, out }] of model.namedModules()) {
  if (path.startsWith("model.layers.1.self_attn")) console.log(path, kind, from, out);
}

// Adapters attach by module path: here a low-rank change of one layer.
const [a, b] = [
  device.tensor(new Float32Array(32).fill(0.1), { shape: [32, 1] }),
  device.tensor(new Float32Array(32).fill(0.1), { shape: [1, 32] }),
];
const adapter: LayerHook = (path, layer, base, x) =>
  path === "model.layers.1.self_attn.q_proj" ? add(forwardBase(layer, base, x), matmul(matmul(x, a), b)) : undefined;

const inputIds = device.tensor(Int32Array.of(5, 6, 7, 8), { shape: [1, 4] });
for (const hook of [undefined, adapter]) {
  const forward = compile((ids: Tensor) => model.forward({ inputIds: ids }, hook).logits, { device });
  const logits = await (await forward(inputIds)).data();
  console.log(hook ? "with the adapter" : "base model", Array.from(logits.slice(-3), (v) => v.toFixed(3)).join(" "));
}
device.dispose();
