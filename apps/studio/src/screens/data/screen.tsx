import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Config, Source } from "../../protocol/values.js";
import { useSession } from "../../state/context.js";
import { FailureNotice, Notice } from "../../ui/notice.js";
import { Numbers } from "../../ui/numbers.js";
import { useAnswer } from "../../ui/use-answer.js";
import { SourceFields } from "../train/source-fields.js";
import { Legend, LensView } from "./lens.js";
import { coverageNumbers, WORDS } from "./words.js";

/** Settings that change which tokens there are, and what is trained on. */
const OF_DATA = ["objective", "format", "columns", "mask", "max_length", "validation_share", "seed"];

/** Those settings alone: others need not ask again. */
const ofData = (config: Config): Config => Object.fromEntries(Object.entries(config).filter(([name]) => OF_DATA.includes(name)));

function Mask({ source }: { readonly source: Source }): JSX.Element {
  const session = useSession();
  const [at, move] = useState(0);
  const config = ofData(session.draft.config.value);
  const key = JSON.stringify([source, config]);
  const { value, failure } = useAnswer(JSON.stringify([key, at]), () => session.lens(source, config, at, 1), 150);
  if (failure) return <FailureNotice failure={failure} />;
  if (!value) return <p class="empty">{WORDS.reading}</p>;
  const { coverage, refusals, examples } = value;
  const [example] = examples;
  const last = Math.max(0, coverage.examples - 1);
  const show = (to: number): void => move(Math.min(last, Math.max(0, Number.isFinite(to) ? Math.round(to) : 0)));
  return (
    <>
      {refusals.map((one) => (
        <FailureNotice key={one.kind} failure={one} />
      ))}
      <Numbers numbers={coverageNumbers(coverage)} />
      <section class="stack" aria-labelledby="example">
        <div class="choices">
          <h2 id="example">{WORDS.example(at + 1, coverage.examples)}</h2>
          <span class="actions">
            <button aria-label={WORDS.previous} disabled={at === 0} onClick={() => show(at - 1)}>
              ‹
            </button>
            <label class="field inline">
              <span class="unseen">{WORDS.number}</span>
              <input
                type="number"
                min={1}
                max={last + 1}
                value={at + 1}
                onChange={(event) => show(event.currentTarget.valueAsNumber - 1)}
              />
            </label>
            <button aria-label={WORDS.next} disabled={at >= last} onClick={() => show(at + 1)}>
              ›
            </button>
          </span>
          {example && (
            <span class="hint">
              {example.place} · {WORDS.summary(example.trained, example.seen)}
            </span>
          )}
        </div>
        <Legend />
        {example && <LensView example={example} />}
        {example?.warnings.map((one) => (
          <Notice key={one} kind="warning">
            <p>{one}</p>
          </Notice>
        ))}
      </section>
    </>
  );
}

/** What the model would learn of the data: every token with its label. */
export function DataScreen(): JSX.Element {
  const { draft } = useSession();
  const source = draft.source.value;
  if (!source)
    return (
      <div class="nothing">
        <h1>{WORDS.title}</h1>
        <p>{WORDS.nothing}</p>
        <p>
          <a class="button" href="#open">
            {WORDS.goOpen}
          </a>
        </p>
      </div>
    );
  return (
    <div class="stack">
      <div class="headline">
        <h1>{"data" in source ? source.data.name : WORDS.title}</h1>
        <a href="#train" onClick={() => (draft.isShown.value = true)}>
          {WORDS.settings}
        </a>
      </div>
      <SourceFields />
      <Mask source={source} key={JSON.stringify(source)} />
    </div>
  );
}
