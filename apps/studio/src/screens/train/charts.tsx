import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { COLUMNS, type Series } from "../../state/series.js";
import { Chart } from "../../ui/chart.js";
import * as format from "../../ui/format.js";
import { WORDS } from "./words.js";

const RECENT = 200;

/** All steps as a file of commas. */
function csvOf(series: Series): string {
  const x = series.x();
  const columns = COLUMNS.map((name) => series.y(name));
  const rows = Array.from(x, (step, i) => [step, ...columns.map((column) => column[i])].join(","));
  return `${["step", ...COLUMNS].join(",")}\n${rows.join("\n")}\n`;
}

function save(series: Series): void {
  const url = URL.createObjectURL(new Blob([csvOf(series)], { type: "text/csv" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: "training.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** The last steps in numbers, newest first. */
function Table({ series }: { readonly series: Series }): JSX.Element {
  void series.version.value; // rows follow the series
  const x = series.x();
  const from = Math.max(0, x.length - RECENT);
  const rows = Array.from({ length: x.length - from }, (_, i) => x.length - 1 - i);
  const [loss, lr, gradNorm, tokPerS, used] = COLUMNS.map((name) => series.y(name)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={WORDS.numbers}>
      <table>
        <thead>
          <tr>
            {["Step", WORDS.loss, WORDS.lr, WORDS.gradNorm, WORDS.tokPerS, WORDS.bytes].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((i) => (
            <tr key={x[i]}>
              <th scope="row">{x[i]}</th>
              <td>{Number.isNaN(loss[i]) ? "not a number" : loss[i]!.toFixed(4)}</td>
              <td>{format.rate(lr[i])}</td>
              <td>{format.loss(gradNorm[i])}</td>
              <td>{format.whole(tokPerS[i]!)}</td>
              <td>{format.bytes(used[i]!)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The curves of a run, and what they are made of. */
export function Charts({ series }: { readonly series: Series }): JSX.Element {
  const [recent, setRecent] = useState(false);
  const [log, setLog] = useState(false);
  const [frozen, setFrozen] = useState(false);
  const [open, setOpen] = useState(false);
  const shared = { series, last: recent ? RECENT : undefined, frozen };
  return (
    <section class="charts" aria-label="Curves">
      <div class="choices">
        <fieldset class="segments">
          <legend class="unseen">Steps that are shown</legend>
          {[false, true].map((one) => (
            <label key={String(one)}>
              <input type="radio" name="shown" checked={recent === one} onChange={() => setRecent(one)} />
              <span>{one ? WORDS.recent : WORDS.all}</span>
            </label>
          ))}
        </fieldset>
        <label class="check">
          <input type="checkbox" checked={log} onChange={() => setLog(!log)} /> {WORDS.log}
        </label>
        <label class="check">
          <input type="checkbox" checked={frozen} onChange={() => setFrozen(!frozen)} /> {WORDS.freeze}
        </label>
      </div>
      <Chart {...shared} title={WORDS.loss} column="loss" format={(x) => x.toFixed(2)} height={260} log={log} />
      <div class="small">
        <Chart {...shared} title={WORDS.lr} column="lr" format={format.rate} height={130} />
        <Chart {...shared} title={WORDS.gradNorm} column="gradNorm" format={(x) => x.toFixed(2)} height={130} />
        <Chart {...shared} title={WORDS.tokPerS} column="tokPerS" format={format.whole} height={130} fromZero />
        <Chart {...shared} title={WORDS.bytes} column="bytes" format={format.bytes} height={130} fromZero />
      </div>
      <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>{WORDS.numbers}</summary>
        {open && (
          <>
            <p>
              <button onClick={() => save(series)}>{WORDS.csv}</button>
            </p>
            <Table series={series} />
          </>
        )}
      </details>
    </section>
  );
}
