// Writes src/qlora-bytes.ts: `node scripts/run-example.mjs packages/zoo/scripts/measure-qlora.ts` (two minutes), after a change that makes the plan of a training step another one.
import { writeFileSync } from "node:fs";
import { createWasmBackend } from "@weft/kernels-wasm";
import { Device } from "@weft/tensor-core";
import { isEncoder, KNOWN_MODELS, memoryToTrain } from "@weft/zoo";

const device = new Device(await createWasmBackend({ threads: 1 }));
const lines: string[] = [];
for (const model of KNOWN_MODELS) {
  if (isEncoder(model)) continue;
  lines.push(`  ${JSON.stringify(model.repo)}: ${await memoryToTrain(model, "nf4", device)},`);
  process.stdout.write(`${lines.at(-1)}\n`);
}
writeFileSync(
  "packages/zoo/src/qlora-bytes.ts",
  `/**
 * Bytes that QLoRA takes at its peak, by repository: \`memoryToTrain\` with NF4, rank 8 on all linear layers, one row of 512 tokens, on the CPU.
 * Written by scripts/measure-qlora.ts.
 */
export const QLORA_BYTES: { readonly [repo: string]: number } = {
${lines.join("\n")}
};
`,
);
process.exit();
