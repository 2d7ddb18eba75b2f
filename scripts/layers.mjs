// Arrows point down only: which package may depend on which. A row per package; what is not listed is refused.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { root } from "./setup.mjs";

const ALLOWED = {
  "tensor-core": [],
  "kernels-wasm": ["tensor-core"],
  "kernels-webgpu": ["tensor-core"],
  "kernels-onnx": ["tensor-core"],
  "io-safetensors": ["tensor-core"],
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
  registry: ["tensor-core", "io-safetensors", "adapter-files", "convert"],
  "lora-recipes": ["tensor-core", "adapters-lora", "adapter-files", "registry"],
  models: ["tensor-core", "io-safetensors"],
};

let failed = false;
for (const name of readdirSync(`${root}/packages`)) {
  const file = `${root}/packages/${name}/package.json`;
  if (!existsSync(file)) continue;
  const { dependencies = {} } = JSON.parse(readFileSync(file, "utf8"));
  for (const dependency of Object.keys(dependencies).filter((d) => d.startsWith("@weft/"))) {
    if (ALLOWED[name]?.includes(dependency.slice(6))) continue;
    process.stdout.write(`packages/${name} must not depend on ${dependency}\n`);
    failed = true;
  }
}
process.exitCode = failed ? 1 : 0;
