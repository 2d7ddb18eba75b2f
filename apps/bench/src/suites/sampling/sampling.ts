import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { draw, processLogits, sampler, type SamplingOptions } from "@weft/generation";
import type { Suite } from "../../context.js";
import { type Contestant, takeTurns, timeCalls } from "../../turns.js";

/** As many tokens as SmolLM2 has. */
const VOCABULARY = 49_152;
const PROMPT = 500;
/** A token of one text has to take no longer. */
const GOAL_MS = 1;

const CASES: readonly (readonly [name: string, options: SamplingOptions])[] = [
  ["greedy", { temperature: 0 }],
  ["typical options", { temperature: 0.7, topK: 50, topP: 0.9, repetitionPenalty: 1.1 }],
  ["top-p of all", { temperature: 0.8, topP: 0.95 }],
  ["typical-p", { typicalP: 0.9 }],
];

export const samplingSuite: Suite = {
  name: "sampling",
  summary: "choosing a token of 49,152, with its log-probability: weft against transformers' processors on torch, which gives none",
  async run(context) {
    const place = { seed: 1, sequence: 0 };
    // Box and Muller: normal logits of standard deviation 3.
    const uniform = (position: number): number => draw({ ...place, position });
    const logits = Float32Array.from(
      { length: VOCABULARY },
      (_, i) => 3 * Math.sqrt(-2 * Math.log(1 - uniform(2 * i))) * Math.cos(2 * Math.PI * uniform(2 * i + 1)),
    );
    const prompt = Array.from({ length: PROMPT }, (_, i) => Math.floor(draw({ seed: 2, sequence: 0, position: i }) * VOCABULARY));
    const python = await context.python();
    if (python) {
      mkdirSync(context.folder, { recursive: true });
      for (const [name, values] of [
        ["logits", logits],
        ["history", Float32Array.from(prompt)],
      ] as const) {
        const file = join(context.folder, `sampling-${name}`);
        writeFileSync(file, values);
        await python.call({ cmd: "load", name, file, shape: [1, values.length], dtype: "f32" });
      }
    }
    for (const [name, options] of CASES) {
      let position = 0;
      const tokens = { prompt, generated: [] };
      const sample = sampler(options);
      const contestants: Contestant[] = [
        {
          name: "weft",
          turn: (seconds) => timeCalls(() => void sample(logits.slice(), tokens, { ...place, position: position++ }), seconds),
        },
      ];
      if (python) {
        const args = ["$logits", "$history", options];
        const file = join(context.folder, "sampling-result");
        await python.call({ cmd: "save", op: "processed", args, file });
        const wrong = differences(logits, prompt, options, file);
        if (wrong > 0) context.note(`${name}: ${wrong} logits are not those of transformers`);
        contestants.push({
          name: "transformers",
          turn: async (seconds) => (await python.call({ cmd: "time", op: "sample", args, threads: 1, seconds }))["seconds"] as number,
        });
      }
      const times = await takeTurns(contestants, { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 });
      for (const [who, { best, spread, rounds }] of times) {
        const common = { suite: "sampling", case: `${name}, ${who}`, metric: "time", value: best * 1000, unit: "ms", spread, rounds };
        const peer = who === "weft" ? times.get("transformers") : undefined;
        const goal = name === "greedy" || name === "typical options" ? { goal: `≤ ${GOAL_MS} ms`, met: best * 1000 <= GOAL_MS } : {};
        context.emit({
          ...common,
          anchor: peer ? "transformers" : null,
          ratio: peer ? peer.best / best : null,
          ...(who === "weft" && goal),
        });
      }
    }
  },
};

/** How many logits that a token is drawn from are others than transformers'. */
function differences(logits: Float32Array, prompt: readonly number[], options: SamplingOptions, file: string): number {
  const [own, theirs] = [logits.slice(), new Float32Array(readFileSync(file).buffer.slice(0))];
  processLogits(own, { prompt, generated: [] }, options);
  return own.reduce((count, l, i) => count + (l === theirs[i]! || Math.abs(l - theirs[i]!) < 1e-5 ? 0 : 1), 0);
}
