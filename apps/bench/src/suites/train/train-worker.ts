import { createInterface } from "node:readline";
import { createOnnxBackend } from "@weft/kernels-onnx";
import { createWasmBackend } from "@weft/kernels-wasm";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import { LORA_METHODS } from "@weft/methods";
import { loadPretrained } from "@weft/models/node";
import { getPeftModel, type PeftModel } from "@weft/registry";
import { Device } from "@weft/tensor-core";
import { type Batch, estimateTime, type StepRecord, train } from "@weft/training";
import { idsOf, RECIPE, type TrainAnswer, type TrainCommand } from "./protocol.js";

type Load = Extract<TrainCommand, { readonly cmd: "load" }>;

/** The shape of the batches that come next, and how many there have been. */
const asked = { rows: 1, tokens: 128, number: 0 };
let peft: PeftModel<never, unknown>;
let steps: AsyncIterator<StepRecord>;

const batchOf = (): Batch => {
  const inputIds = idsOf(asked.number, asked.rows, asked.tokens);
  return { inputIds, labels: inputIds };
};
function* batches(): Generator<Batch> {
  for (;;) {
    yield batchOf();
    asked.number++;
  }
}

async function load({ engine, folder, threads }: Load): Promise<TrainAnswer> {
  enableRelaxedSimd();
  const device = new Device(engine === "wasm" ? await createWasmBackend({ threads }) : await createOnnxBackend({ threads }));
  const model = await loadPretrained(folder, { device });
  const { rank, alpha, seed, learningRate } = RECIPE;
  const config = { peft_type: "LORA", r: rank, lora_alpha: alpha, target_modules: "all-linear" };
  peft = (await getPeftModel(model, config, { methods: LORA_METHODS, seed })) as PeftModel<never, unknown>;
  steps = train(peft, batches, { maxSteps: 1e9, learningRate, lrSchedulerType: "constant" })[Symbol.asyncIterator]();
  await device.load([...model.weights.values()]);
  const start = performance.now();
  const { value } = await steps.next();
  return { seconds: (performance.now() - start) / 1000, loss: (value as StepRecord).loss };
}

/** The first step of a shape plans; it is not counted. */
async function run(rows: number, tokens: number, count: number): Promise<TrainAnswer> {
  const isNew = rows !== asked.rows || tokens !== asked.tokens;
  Object.assign(asked, { rows, tokens });
  let forecast: { readonly secondsPerStep: number; readonly flopsPerStep: number } | undefined;
  if (isNew || count === 0) forecast = await estimateTime(peft, batchOf(), { learningRate: RECIPE.learningRate });
  if (isNew) await steps.next();
  const start = performance.now();
  let loss = NaN;
  for (let i = 0; i < count; i++) ({ loss } = (await steps.next()).value as StepRecord);
  const seconds = (performance.now() - start) / 1000 / Math.max(1, count);
  return { seconds, loss, ...(forecast && { forecast: forecast.secondsPerStep, flops: forecast.flopsPerStep }) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as TrainCommand;
  let answer: TrainAnswer;
  try {
    answer = command.cmd === "load" ? await load(command) : await run(command.rows, command.tokens, command.count);
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
