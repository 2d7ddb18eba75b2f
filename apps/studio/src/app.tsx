import { useComputed } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { SCREEN_OF } from "./screens/index.js";
import { stateWords } from "./screens/train/words.js";
import { useSession } from "./state/context.js";
import { route, SCREENS } from "./state/route.js";
import { bytes } from "./ui/format.js";
import { LiveRegion } from "./ui/live-region.js";
import { FailureNotice, Notice } from "./ui/notice.js";

/** What the page says beside its screens. */
const WORDS = {
  otherTab: "This run lives in another tab. Watch and steer it here.",
  gone: (seconds: number): string => `The studio in the terminal does not answer. Next try in ${seconds} s.`,
} as const;

/** Where the run stands and where it computes, on every screen. */
function StatusLine(): JSX.Element {
  const { run, device } = useSession();
  const { backend, threads } = device.value ?? {};
  const { phase, step, maxSteps, last } = run.value?.state.value ?? {};
  const shown = phase !== undefined && phase !== "idle";
  return (
    <p class="status-line">
      {shown && (
        <a href="#train">
          <span class={`dot ${phase}`} aria-hidden="true" />
          {phase === "finished"
            ? "Done"
            : phase === "failed"
              ? "Stopped"
              : phase === "paused" || phase === "pausing"
                ? "Paused"
                : "Training"}{" "}
          {step}/{maxSteps}
        </a>
      )}
      {backend !== undefined && (
        <span>{backend === "cpu" ? `CPU, ${threads} ${threads === 1 ? "thread" : "threads"}` : "Graphics device"}</span>
      )}
      {last && <span>{bytes(last.bytes)}</span>}
    </p>
  );
}

/** The page: header, navigation, the screen that is shown. */
export function App(): JSX.Element {
  const session = useSession();
  const heading = useRef<HTMLElement>(null);
  const screen = route.value;
  const { title, Screen } = SCREEN_OF[screen];
  const told = useComputed(() => {
    const run = session.run.value?.state.value;
    return run && run.phase !== "idle" ? stateWords(run, Date.now()) : "";
  });
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) heading.current?.focus();
    first.current = false;
  }, [screen]);
  useEffect(() => {
    const run = session.run.value?.state.value;
    document.title = run?.last
      ? `${run.step}/${run.maxSteps} ${(run.last.loss ?? NaN).toFixed(2)} · weft studio`
      : `${title} · weft studio`;
  });
  return (
    <>
      <a class="skip" href="#screen" onClick={(event) => (event.preventDefault(), heading.current?.focus())}>
        Skip to the screen
      </a>
      <header class="top">
        <div class="bar">
          <a class="brand" href="#open">
            <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
              <path d="M3 6h18M3 12h18M3 18h18" class="weft" />
              <path d="M7 3v18M12 3v18M17 3v18" class="warp" />
            </svg>
            weft studio
          </a>
          <StatusLine />
        </div>
        <nav aria-label="Screens">
          <ul>
            {SCREENS.map((name) => (
              <li key={name}>
                <a href={`#${name}`} aria-current={name === screen ? "page" : undefined}>
                  {SCREEN_OF[name].title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
      </header>
      <main id="screen" ref={heading} tabIndex={-1}>
        {!session.leads.value && (
          <Notice kind="info">
            <p>{WORDS.otherTab}</p>
          </Notice>
        )}
        {session.retryIn.value !== undefined && (
          <Notice kind="warning">
            <p>{WORDS.gone(session.retryIn.value)}</p>
          </Notice>
        )}
        {session.notice.value !== undefined && (
          <Notice kind="warning">
            <p>{session.notice.value}</p>
          </Notice>
        )}
        {session.failure.value && <FailureNotice failure={session.failure.value} />}
        <Screen />
      </main>
      <LiveRegion text={told.value} />
    </>
  );
}
