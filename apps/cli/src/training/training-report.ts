import { readSmallFile, writeFileAtomic } from "@weft/io-safetensors/node";
import type { StepRecord } from "@weft/training";
import { escaped, htmlPage } from "../files/html-page.js";
import type { TrainConfig } from "./train-config.js";

/** Size of the chart, in its own units. */
const [WIDTH, HEIGHT, MARGIN] = [800, 300, 50];

const STYLE = `polyline { fill: none; stroke-width: 1.5 } .loss { stroke: #2b7bba } .evaluation { stroke: #d95f02 }`;

/** A point of a curve. */
type Point = readonly [step: number, loss: number];

/**
 * Writes a page that stands alone: curves of the loss, samples, settings.
 * @param log the `log.jsonl` of the training
 * @throws IoError
 */
export async function writeReport(file: string, log: string, config: TrainConfig): Promise<void> {
  const records = readSmallFile(log)
    .toString("utf8")
    .split("\n")
    .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as StepRecord]));
  await writeFileAtomic(file, page(records, config));
}

function page(records: readonly StepRecord[], config: TrainConfig): string {
  const losses = records.map(({ step, loss }): Point => [step, loss]);
  const evaluations = records.flatMap(({ step, evaluation }): Point[] => (evaluation ? [[step, evaluation.loss]] : []));
  const samples = records.flatMap(({ step, samples: texts = [] }) =>
    texts.map((one) => `<h3>Step ${step}</h3>\n<pre>${escaped(one)}</pre>`),
  );
  const body = `<h2>Loss</h2>
${chart(losses, evaluations)}
${samples.length > 0 ? `<h2>Samples</h2>\n${samples.join("\n")}\n` : ""}<h2>Settings</h2>
<pre>${escaped(JSON.stringify(config, null, 2))}</pre>`;
  return htmlPage(`Training of ${config.outputDir}`, body, STYLE);
}

/** Curves over steps, from the lowest to the highest loss. */
function chart(losses: readonly Point[], evaluations: readonly Point[]): string {
  const all = [...losses, ...evaluations];
  const extent = (values: readonly number[]): readonly [number, number] => {
    const [low, high] = values.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [Infinity, -Infinity]);
    return [low, high > low ? high : low + 1];
  };
  const [[firstStep, lastStep], [lowest, highest]] = [extent(all.map(([step]) => step)), extent(all.map(([, loss]) => loss))];
  const x = (step: number): number => MARGIN + ((step - firstStep) / (lastStep - firstStep)) * (WIDTH - 2 * MARGIN);
  const y = (loss: number): number => HEIGHT - MARGIN - ((loss - lowest) / (highest - lowest)) * (HEIGHT - 2 * MARGIN);
  const curve = (points: readonly Point[], kind: string): string =>
    points.length === 0
      ? ""
      : `<polyline class="${kind}" points="${points.map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join(" ")}"/>`;
  const [left, bottom, right] = [MARGIN, HEIGHT - MARGIN, WIDTH - MARGIN];
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="loss from step ${firstStep} to ${lastStep}, between ${lowest.toFixed(4)} and ${highest.toFixed(4)}">
<path class="axis" d="M${left} ${MARGIN}V${bottom}H${right}"/>
<text x="${left - 5}" y="${MARGIN + 4}" text-anchor="end">${highest.toFixed(3)}</text>
<text x="${left - 5}" y="${bottom}" text-anchor="end">${lowest.toFixed(3)}</text>
<text x="${left}" y="${bottom + 18}">step ${firstStep}</text>
<text x="${right}" y="${bottom + 18}" text-anchor="end">step ${lastStep}</text>
${curve(losses, "loss")}
${curve(evaluations, "evaluation")}
</svg>
<p>Blue: of each step. Orange: of evaluations (${evaluations.length}).</p>`;
}
