import type { BenchRecord } from "./record.js";

const [ROW, LABEL, WIDTH, HEAD, END] = [18, 520, 340, 34, 64];
const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/**
 * The ratios of a suite as bars from the line of equality: to the right what is better than its anchor, to the left what is worse, on a logarithmic axis.
 * @returns SVG; undefined if the suite compares nothing
 */
export function ratioPlot(suite: string, records: readonly BenchRecord[]): string | undefined {
  const rows = records.flatMap((record) => (record.suite === suite && record.ratio !== null ? [{ ...record, ratio: record.ratio }] : []));
  if (rows.length === 0) return undefined;
  const reach = Math.ceil(Math.max(1, ...rows.map(({ ratio }) => Math.abs(Math.log2(ratio)))));
  const at = (ratio: number): number => LABEL + (WIDTH / 2) * (1 + Math.log2(ratio) / reach);
  const [width, height] = [LABEL + WIDTH + END, HEAD + rows.length * ROW + 8];
  const lines = Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach)
    .filter((power) => power % Math.ceil(reach / 4) === 0)
    .map((power) => {
      const [x, name] = [at(2 ** power).toFixed(1), power < 0 ? `1/${2 ** -power}` : `${2 ** power}`];
      return `<line x1="${x}" x2="${x}" y1="${HEAD - 6}" y2="${height}" stroke="${power === 0 ? "#444" : "#ddd"}"/><text x="${x}" y="${HEAD - 12}" text-anchor="middle">${name} ×</text>`;
    });
  const bars = rows.map(({ case: name, metric, anchor, ratio }, i) => {
    const [y, one, here] = [HEAD + i * ROW, at(1), at(ratio)];
    const label = `${name}, ${metric} against ${anchor!}`;
    const shown = label.length > 84 ? `${label.slice(0, 83)}…` : label;
    return `<text x="${LABEL - 8}" y="${y + 12}" text-anchor="end">${escape(shown)}</text><rect x="${Math.min(one, here).toFixed(1)}" y="${y + 3}" width="${Math.max(1, Math.abs(here - one)).toFixed(1)}" height="12" fill="${ratio < 1 ? "#c66" : "#4a8"}"><title>${escape(label)}: ${ratio.toPrecision(3)}</title></rect><text x="${LABEL + WIDTH + 6}" y="${y + 12}">${ratio.toPrecision(3)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11"><title>${escape(suite)}: how many times better than the anchor of the same run</title><rect width="${width}" height="${height}" fill="white"/>${lines.join("")}${bars.join("")}</svg>\n`;
}
