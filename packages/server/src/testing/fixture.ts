import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TextGenerator } from "@weft/generation";
import { loadTextGenerator } from "@weft/generation/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { ADAPTER_METHODS } from "@weft/methods";
import { getPeftModel } from "@weft/registry";
import { savePretrained } from "@weft/registry/node";
import { type Backend, type BackendBuffer, Device } from "@weft/tensor-core";
import { ChatTemplate } from "@weft/tokenizers/chat";

export const TINY: string = fileURLToPath(new URL("../../../../fixtures/quant/tiny.gguf", import.meta.url));
export const PROMPT = "The quick brown fox";
export const MESSAGES: { readonly role: "user"; readonly content: string }[] = [{ role: "user", content: "Who are you?" }];
export const TOKEN = "a-token-of-the-test";
const TEMPLATE =
  "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if tools %}<tools>{{ tools | tojson }}{% endif %}{% if add_generation_prompt %}<assistant>{% endif %}";

/** Adapters that are loaded, whose texts are unlike each other's; `blue` is one more that lies beside them. */
export const ADAPTERS: readonly string[] = ["red", "green"];

/** A tiny model that chats, with adapters. */
export interface Fixture {
  readonly generator: TextGenerator;
  /** The folder of the adapters' folders. */
  readonly adapters: string;
  /** Bytes of the device that are allocated. */
  readonly deviceBytes: () => number;
  readonly dispose: () => Promise<void>;
}

export async function makeFixture(options: {
  readonly maxBatch: number;
  readonly maxWaiting: number;
  readonly contextLength?: number;
}): Promise<Fixture> {
  const folder = await mkdtemp(join(tmpdir(), "weft-server-"));
  const backend = await createWasmBackend({ threads: 1, relaxed: false });
  const deviceBytes = counted(backend);
  const device = new Device(backend);
  const plain = await loadTextGenerator(TINY, { device });
  const config = { peftType: "LORA", targetModules: "all-linear", initLoraWeights: false, r: 4, loraAlpha: 64 };
  for (const [i, name] of [...ADAPTERS, "blue"].entries())
    await savePretrained(
      await getPeftModel(plain.engine.model as never, config as never, { methods: ADAPTER_METHODS, seed: i + 1 }),
      join(folder, name),
    );
  await plain.dispose();
  const adapters = Object.fromEntries(ADAPTERS.map((name) => [name, join(folder, name)]));
  const chatTemplate = ChatTemplate.fromText(TEMPLATE);
  const generator = await loadTextGenerator(TINY, { device, methods: ADAPTER_METHODS, adapters, chatTemplate, ...options });
  const dispose = async (): Promise<void> => {
    await generator.dispose();
    device.dispose();
    rmSync(folder, { recursive: true });
  };
  return { generator, adapters: folder, deviceBytes, dispose };
}

/** Counts what a backend allocates and frees. */
function counted(backend: Backend): () => number {
  const sizes = new Map<BackendBuffer, number>();
  const { allocate, free } = backend;
  backend.allocate = (bytes) => {
    const buffer = allocate.call(backend, bytes);
    sizes.set(buffer, bytes);
    return buffer;
  };
  backend.free = (buffer) => {
    sizes.delete(buffer);
    free.call(backend, buffer);
  };
  return () => [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
}
