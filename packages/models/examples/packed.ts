import { createWasmBackend } from "@weft/kernels-wasm";
import { loadPretrained } from "@weft/models/node"; // in a page: loadCausalLM(file, { device })
import { Device } from "@weft/tensor-core";

const device = new Device(await createWasmBackend({ threads: 1 }));
const model = await loadPretrained("fixtures/quant/tiny.gguf", { device });
const { logits } = model.forward({ inputIds: device.tensor(Int32Array.of(5, 6, 7), { shape: [1, 3] }) });
console.log(model.config.modelType, logits.shape.join(" × "));
device.dispose();
