import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { isLive, type RunState } from "../../engine/runs/reduce.js";
import { useSession } from "../../state/context.js";
import type { PageRun } from "../../state/session.js";
import * as format from "../../ui/format.js";
import { FailureNotice, Notice } from "../../ui/notice.js";
import { Charts } from "./charts.js";
import { Numbers } from "../../ui/numbers.js";
import { Samples } from "./samples.js";
import { Setup } from "./setup.js";
import { SETUP } from "./setup-words.js";
import { secondsLeft, stateWords, verifiedWords, WORDS } from "./words.js";

/** The time, once a second while something runs. */
function useNow(running: boolean): number {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => set(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [running]);
  return now;
}

function Controls({ run }: { readonly run: PageRun }): JSX.Element {
  const session = useSession();
  const { phase } = run.state.value;
  const live = isLive(phase);
  const act = (action: (id: string) => Promise<unknown>) => () => void session.attempt(() => action(run.id));
  if (!live) {
    const begun = run.summary.value;
    const again = async (): Promise<void> => {
      if (begun) await session.start(begun.source, begun.config);
    };
    return (
      <>
        {session.draft.source.value && <button onClick={() => (session.draft.isShown.value = true)}>{SETUP.title}</button>}
        <button disabled={session.isBusy.value || !begun} onClick={() => void session.attempt(again)}>
          {WORDS.again}
        </button>
      </>
    );
  }
  return (
    <>
      {phase === "paused" ? (
        <button class="primary" onClick={act((id) => session.resume(id))}>
          {WORDS.resume}
        </button>
      ) : (
        <button disabled={phase !== "running" && phase !== "preparing"} onClick={act((id) => session.pause(id))}>
          {WORDS.pause}
        </button>
      )}
      <button disabled={phase === "stopping"} onClick={act((id) => session.stop(id))}>
        {WORDS.stop}
      </button>
    </>
  );
}

function numbersOf(state: RunState, now: number): readonly (readonly [string, string])[] {
  const { last, lastEval, phase } = state;
  const left = isLive(phase) ? secondsLeft(state, now) : undefined;
  return [
    [WORDS.loss, format.loss(last?.loss)],
    ...(lastEval === undefined ? [] : [["Eval", format.loss(lastEval)] as const]),
    [WORDS.lr, format.rate(last?.lr)],
    [WORDS.gradNorm, format.loss(last?.gradNorm)],
    [WORDS.tokPerS, last ? format.whole(last.tokPerS) : "–"],
    isLive(phase) ? [WORDS.left, left === undefined ? "–" : format.clock(left)] : [WORDS.time, format.clock(state.seconds)],
  ];
}

function Running({ run }: { readonly run: PageRun }): JSX.Element {
  const state = run.state.value;
  const now = useNow(state.since !== undefined);
  const { step, maxSteps, failure, phase, verified } = state;
  return (
    <>
      <div class="headline">
        <h1 class={phase}>{stateWords(state, now)}</h1>
        <div class="actions">
          <Controls run={run} />
        </div>
      </div>
      <progress max={Math.max(1, maxSteps)} value={step} aria-label="Steps" />
      {failure && <FailureNotice failure={failure} />}
      {verified && (
        <Notice kind={verified.differs === null ? "good" : "warning"}>
          <p>{verifiedWords(verified)}</p>
        </Notice>
      )}
      <Numbers numbers={numbersOf(state, now)} />
      <Charts series={run.series} />
      <Samples state={state} />
    </>
  );
}

/** Training: where it stands, its curves, and what the model writes. */
export function TrainScreen(): JSX.Element {
  const { run, device, draft } = useSession();
  const source = draft.source.value;
  if (source && (draft.isShown.value || !run.value)) return <Setup source={source} />;
  if (run.value) return <Running run={run.value} key={run.value.id} />;
  return (
    <div class="nothing">
      <h1>{WORDS.title}</h1>
      <p>{device.value ? WORDS.nothing : WORDS.starting}</p>
      <p>
        <a class="button" href="#open">
          {WORDS.goOpen}
        </a>
      </p>
    </div>
  );
}
