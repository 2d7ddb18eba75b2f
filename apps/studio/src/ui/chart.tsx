import { useEffect, useRef, useState } from "preact/hooks";
import type { JSX } from "preact";
import uPlot from "uplot";
import type { Column, Series } from "../state/series.js";
import { reducePoints } from "./reduce-points.js";
import { useTheme } from "./theme.js";

/** A curve of a run over its steps. */
export interface ChartProps {
  readonly title: string;
  readonly series: Series;
  readonly column: Column;
  readonly format: (value: number) => string;
  readonly height: number;
  /** The last steps alone; all if not given. */
  readonly last?: number | undefined;
  readonly log?: boolean;
  /** The scale begins at 0: of amounts, whose small changes mean nothing. */
  readonly fromZero?: boolean;
  /** Stands still while it is true. */
  readonly frozen?: boolean;
}

/** Colours of the theme that is on. */
function colours(): { line: string; grid: string; text: string; bad: string } {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string): string => style.getPropertyValue(name).trim();
  return { line: of("--accent"), grid: of("--line"), text: of("--muted"), bad: of("--bad") };
}

/** Marks values that are no number by crosses at the upper edge. */
function drawMissing(plot: uPlot, missing: readonly number[], colour: string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2 * devicePixelRatio;
  const r = 4 * devicePixelRatio;
  for (const step of missing) {
    const [x, y] = [plot.valToPos(step, "x", true), bbox.top + 2 * r];
    ctx.beginPath();
    ctx.moveTo(x - r, y - r);
    ctx.lineTo(x + r, y + r);
    ctx.moveTo(x + r, y - r);
    ctx.lineTo(x - r, y + r);
    ctx.stroke();
  }
  ctx.restore();
}

/** A chart that is drawn once a frame at most, and not while the page is hidden. Arrow keys move a cursor whose value is told. */
export function Chart({
  title,
  series,
  column,
  format,
  height,
  last,
  log = false,
  fromZero = false,
  frozen = false,
}: ChartProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const [at, move] = useState<number>();
  const theme = useTheme();

  useEffect(() => {
    const home = box.current!;
    const { line, grid, text, bad } = colours();
    let missing: readonly number[] = [];
    const font = `11px ${getComputedStyle(home).fontFamily}`;
    const axis = { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
    const chart = new uPlot(
      {
        width: Math.max(200, home.clientWidth),
        height,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
        padding: [8, 14, 0, 0],
        scales: { x: { time: false }, y: log ? { distr: 3 } : fromZero ? { range: (_, __, high) => [0, Math.max(high, 1e-9) * 1.1] } : {} },
        axes: [
          { ...axis, grid: { show: false }, size: 24, space: 60 },
          { ...axis, size: 58, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : format(tick))) },
        ],
        series: [{}, { stroke: line, width: 1.5, points: { show: false }, spanGaps: false }],
        hooks: {
          draw: [(self) => drawMissing(self, missing, bad)],
          setCursor: [({ cursor }) => move(cursor.idx ?? undefined)],
        },
      },
      [[], []],
      home,
    );
    plot.current = chart;
    let [frame, drawn, width] = [0, -1, 0];
    const draw = (): void => {
      frame = 0;
      const { clientWidth } = home;
      if (clientWidth !== width && clientWidth > 0) chart.setSize({ width: (width = clientWidth), height });
      if (drawn === series.version.peek() || frozen) return;
      drawn = series.version.peek();
      const from = last === undefined ? 0 : Math.max(0, series.length - last);
      const points = reducePoints(series.x().subarray(from), series.y(column).subarray(from), Math.max(200, width));
      missing = points.missing;
      chart.setData([points.x, points.y]);
    };
    const ask = (): void => void (frame ||= requestAnimationFrame(draw));
    const unwatch = series.version.subscribe(ask);
    const sized = new ResizeObserver(ask);
    sized.observe(home);
    return () => {
      unwatch();
      sized.disconnect();
      cancelAnimationFrame(frame);
      chart.destroy();
    };
  }, [series, column, height, last, log, fromZero, frozen, theme]);

  const onKeyDown = (event: JSX.TargetedKeyboardEvent<HTMLElement>): void => {
    const chart = plot.current;
    const x = chart?.data[0] as Float64Array | undefined;
    if (!chart || !x || x.length === 0) return;
    const end = x.length - 1;
    const by: { readonly [key: string]: number } = {
      ArrowLeft: -1,
      ArrowRight: 1,
      PageUp: -10,
      PageDown: 10,
      Home: -Infinity,
      End: Infinity,
    };
    const step = by[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = Math.min(end, Math.max(0, (at ?? end) + step));
    chart.setCursor({ left: chart.valToPos(x[next]!, "x"), top: 0 });
    move(next);
  };

  const chart = plot.current;
  const [x, y] = (chart?.data ?? []) as unknown as [Float64Array?, Float64Array?];
  const told = at !== undefined && x?.[at] !== undefined ? `step ${x[at]}: ${format(y![at]!)}` : "";
  return (
    <figure class="chart">
      <figcaption>
        <span>{title}</span>
        <span class="told">{told}</span>
      </figcaption>
      <div
        ref={box}
        class="plot"
        style={{ height: `${height}px` }}
        role="slider"
        tabIndex={0}
        aria-label={`${title}: arrow keys move along the steps`}
        aria-valuemin={x?.[0] ?? 0}
        aria-valuemax={x?.[x.length - 1] ?? 0}
        aria-valuenow={x?.[at ?? x.length - 1] ?? 0}
        aria-valuetext={told || "no step chosen"}
        onKeyDown={onKeyDown}
      />
    </figure>
  );
}
