import type { QuantizedLayer } from "@weft/checkpoint/node";
import { formatBytes } from "@weft/checkpoint/format";
import { writeFileAtomic } from "@weft/io-safetensors/node";
import { escaped, htmlPage } from "./html-page.js";

/** Size of the plot, in its own units. */
const [WIDTH, HEIGHT, MARGIN] = [800, 420, 60];
/** Colours of formats, in turn. */
const COLOURS = ["#2b7bba", "#d95f02", "#1b9e77", "#7570b3", "#e7298a", "#66a61e", "#a6761d"];

/** What a page tells besides layers. */
export interface QuantizeSummary {
  readonly out: string;
  readonly bytes: number;
  readonly baseBytes: number;
  /** Values are weighted by the squares of their inputs. */
  readonly weighted: boolean;
}

const weightsOf = ({ shape: [rows, columns] }: QuantizedLayer): number => rows * columns;
const percent = (error: number): string => `${(100 * error).toPrecision(3)} %`;

/** Writes a page that stands alone: error against size of every layer, as a plot and as a table. @throws IoError */
export function writeQuantizeReport(file: string, layers: readonly QuantizedLayer[], summary: QuantizeSummary): Promise<void> {
  const { out, bytes, baseBytes, weighted } = summary;
  const norm = weighted ? "each value weighted by the mean of its input's square" : "all values alike";
  const body = `<p>${formatBytes(bytes)} of ${formatBytes(baseBytes)}; ${layers.length} layers. Error: ‖Ŵ - W‖ / ‖W‖, ${norm}.</p>
${plot(layers)}
<table>
<tr><th>layer</th><th>format</th><th class="n">shape</th><th class="n">bytes</th><th class="n">bits a weight</th><th class="n">error</th></tr>
${layers.map(row).join("\n")}
</table>`;
  return writeFileAtomic(file, htmlPage(`Quantisation of ${out}`, body));
}

const row = (layer: QuantizedLayer): string =>
  `<tr><td>${escaped(layer.name)}</td><td>${escaped(layer.format)}</td><td class="n">${layer.shape.join(" × ")}</td><td class="n">${layer.bytes}</td><td class="n">${((8 * layer.bytes) / weightsOf(layer)).toFixed(2)}</td><td class="n">${percent(layer.error)}</td></tr>`;

/** Error over bytes, both by their logarithms: a point for each layer, in the colour of its format. */
function plot(layers: readonly QuantizedLayer[]): string {
  const formats = [...new Set(layers.map(({ format }) => format))];
  const colour = (format: string): string => COLOURS[formats.indexOf(format) % COLOURS.length]!;
  // What lost nothing lies on the axis.
  const smallest = Math.min(...layers.map(({ error }) => (error > 0 ? error : Infinity)), 1);
  const axis = (values: readonly number[], from: number, to: number): ((value: number) => number) => {
    const logs = values.map(Math.log10);
    const [low, high] = [Math.min(...logs), Math.max(...logs)];
    return (value) => (high > low ? from + ((Math.log10(value) - low) / (high - low)) * (to - from) : (from + to) / 2);
  };
  const shown = (error: number): number => Math.max(error, smallest / 2);
  const [bytes, errors] = [layers.map((layer) => layer.bytes), layers.map(({ error }) => shown(error))];
  const x = axis(bytes, MARGIN, WIDTH - MARGIN);
  const y = axis(errors, HEIGHT - MARGIN, MARGIN / 2);
  const points = layers.map(
    (layer) =>
      `<circle cx="${x(layer.bytes).toFixed(1)}" cy="${y(shown(layer.error)).toFixed(1)}" r="4" fill="${colour(layer.format)}" fill-opacity=".7"><title>${escaped(`${layer.name}: ${layer.format}, ${formatBytes(layer.bytes)}, ${percent(layer.error)}`)}</title></circle>`,
  );
  const legend = formats.map(
    (format, i) =>
      `<circle cx="${MARGIN + 12}" cy="${MARGIN / 2 + 18 * i}" r="4" fill="${colour(format)}"/><text x="${MARGIN + 22}" y="${MARGIN / 2 + 4 + 18 * i}">${escaped(format)}</text>`,
  );
  const [left, bottom, right] = [MARGIN, HEIGHT - MARGIN, WIDTH - MARGIN];
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="error against size of ${layers.length} layers">
<path class="axis" d="M${left} ${MARGIN / 2}V${bottom + 8}H${right}"/>
<text x="${left - 5}" y="${MARGIN / 2 + 4}" text-anchor="end">${percent(Math.max(...errors))}</text>
<text x="${left - 5}" y="${bottom}" text-anchor="end">${percent(Math.min(...layers.map(({ error }) => error)))}</text>
<text x="${left}" y="${bottom + 26}">${formatBytes(Math.min(...bytes))}</text>
<text x="${right}" y="${bottom + 26}" text-anchor="end">${formatBytes(Math.max(...bytes))}</text>
${points.join("\n")}
${legend.join("\n")}
</svg>`;
}
