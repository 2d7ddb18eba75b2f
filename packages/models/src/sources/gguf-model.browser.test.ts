import { openSafetensors } from "@weft/io-safetensors";
import { createWasmBackend } from "@weft/kernels-wasm";
import { Device, fromBytes } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { loadCausalLM } from "../load.js";

const fetched = async (name: string): Promise<Blob> => (await fetch(new URL(`../../../../fixtures/quant/${name}`, import.meta.url))).blob();

it("runs a GGUF model in a page, from a File as a user chooses it", async () => {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  const model = await loadCausalLM(new File([await fetched("tiny.gguf")], "tiny.gguf"), { device });
  const ref = await openSafetensors(await fetched("tiny_gguf.safetensors"));
  const ids = await ref.read("input_ids");
  const inputIds = device.tensor(Int32Array.from(new BigInt64Array(ids.data.slice().buffer), Number), { shape: ids.shape });
  const { shape, data } = await ref.read("logits");
  const [got, want] = [await model.forward({ inputIds }).logits.data(), await fromBytes(data, shape, "f32").data()];
  expect(Math.max(...want.map((v, i) => Math.abs(v - got[i]!)))).toBeLessThan(1e-4);
  device.dispose();
});
