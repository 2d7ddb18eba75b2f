// Arrows point down only: which package may depend on which. A row per package; what is not listed is refused.
import { workspace } from "./workspace.mjs";

const ALLOWED = {
  "tensor-core": [],
  "kernels-wasm": ["tensor-core"],
  "kernels-webgpu": ["tensor-core"],
  "kernels-onnx": ["tensor-core"],
  "io-safetensors": ["tensor-core"],
  "io-gguf": ["tensor-core", "io-safetensors"],
  "quant-nf4-awq": ["tensor-core", "io-safetensors", "kernels-wasm"],
  "adapters-lora": ["tensor-core"],
  "adapters-lycoris": ["tensor-core"],
  "adapters-model": ["tensor-core"],
  "adapters-orthogonal": ["tensor-core"],
  "adapters-prompt": ["tensor-core"],
  "adapters-scatter": ["tensor-core"],
  "adapters-spectral": ["tensor-core"],
  "adapters-structured": ["tensor-core"],
  methods: [
    "tensor-core",
    "adapters-lora",
    "adapters-lycoris",
    "adapters-model",
    "adapters-orthogonal",
    "adapters-prompt",
    "adapters-scatter",
    "adapters-spectral",
    "adapters-structured",
  ],
  "adapter-files": ["tensor-core", "io-safetensors"],
  convert: ["tensor-core", "io-safetensors", "adapter-files"],
  checkpoint: ["tensor-core", "io-safetensors", "io-gguf", "quant-nf4-awq", "kernels-wasm", "adapter-files", "convert", "tokenizers"],
  registry: ["tensor-core", "io-safetensors", "adapter-files", "convert"],
  "lora-recipes": ["tensor-core", "adapters-lora", "adapter-files", "registry"],
  models: ["tensor-core", "io-safetensors", "io-gguf", "quant-nf4-awq"],
  tokenizers: ["tensor-core", "io-safetensors"],
  "tiny-models": ["tensor-core", "io-safetensors", "tokenizers"],
  datasets: ["tensor-core", "io-safetensors", "tokenizers"],
  generation: ["tensor-core", "io-gguf", "io-safetensors", "models", "registry", "tokenizers"],
  server: ["tensor-core", "io-safetensors", "registry", "tokenizers", "generation"],
  agent: ["tensor-core", "generation", "tokenizers"],
  zoo: ["tensor-core", "quant-nf4-awq", "methods", "models", "registry", "training"],
  training: ["tensor-core", "io-safetensors", "quant-nf4-awq", "adapters-lora", "adapter-files", "registry"],
  "fine-tuning": ["tensor-core", "adapters-lora", "lora-recipes", "registry", "tokenizers", "datasets", "generation", "training"],
};

let failed = false;
for (const { folder, manifest } of workspace.filter((one) => one.folder.startsWith("packages/"))) {
  for (const dependency of Object.keys(manifest.dependencies ?? {}).filter((d) => d.startsWith("@weft/"))) {
    if (ALLOWED[folder.slice(9)]?.includes(dependency.slice(6))) continue;
    process.stdout.write(`${folder} must not depend on ${dependency}\n`);
    failed = true;
  }
}
process.exitCode = failed ? 1 : 0;
