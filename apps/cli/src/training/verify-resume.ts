import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashFile } from "@weft/io-safetensors/node";
import { MatchError } from "@weft/tensor-core";
import { train } from "@weft/training";
import { saveTo } from "@weft/training/node";
import type { Context } from "../context.js";
import type { OpenedModel } from "../models/open-model.js";
import type { TrainConfig } from "./train-config.js";
import type { DataOfTraining } from "./training-data.js";
import { adapterOfCheckpoint, newAdapter, optionsOf, type TrainedAdapter } from "./training-run.js";

/** Steps of the proof, half of them before the checkpoint. */
const STEPS = 4;

/**
 * Trains some steps at once, and half of them and the other half from a checkpoint: adapter and state of the optimiser must be equal, byte for byte.
 * @returns SHA-256 by file
 * @throws MatchError naming the file that differs
 */
export async function verifyResume(
  config: TrainConfig,
  { base, device }: Pick<OpenedModel, "base" | "device">,
  data: DataOfTraining,
  context: Context,
): Promise<{ readonly steps: number; readonly files: { readonly [name: string]: string } }> {
  const folder = mkdtempSync(join(tmpdir(), "weft-resume-"));
  const run = async (name: string, { peft, resume }: TrainedAdapter, steps: number): Promise<void> => {
    const options = { ...optionsOf(config), maxSteps: STEPS, saveSteps: STEPS / 2, resume, signal: context.signal };
    const training = train(peft, data.from(resume?.position.epoch ?? 0), { ...options, save: saveTo(join(folder, name)) });
    for await (const { step } of training) if (step === steps) break;
  };
  try {
    await run("whole", await newAdapter(base, config, data.from(0), context), STEPS);
    await run("parts", await newAdapter(base, config, data.from(0), context), STEPS / 2);
    await run("parts", await adapterOfCheckpoint({ base, device }, config, join(folder, "parts"), data.from(0), context), STEPS);
    const [whole, parts] = ["whole", "parts"].map((name) => join(folder, name, `checkpoint-${STEPS}`)) as [string, string];
    const files: { [name: string]: string } = {};
    for (const name of readdirSync(whole).filter((one) => one.endsWith(".safetensors"))) {
      const hash = (files[name] = await hashFile(join(whole, name)));
      if ((await hashFile(join(parts, name))) !== hash)
        throw new MatchError(`${name} after ${STEPS} steps is another after a checkpoint at step ${STEPS / 2}`, {
          hint: "training on this device does not go on bit for bit; --device cpu does",
        });
    }
    return { steps: STEPS, files };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
