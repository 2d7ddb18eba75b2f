import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { RunSummary } from "../../protocol/commands.js";
import type { Config, OpenedDocument } from "../../protocol/values.js";
import { reloadIsolated } from "../../service-worker.js";
import { useSession } from "../../state/context.js";
import { foreignRequests } from "../../state/privacy.js";
import { go } from "../../state/route.js";
import { bytes, whole } from "../../ui/format.js";
import { Notice } from "../../ui/notice.js";
import { stateWords } from "../train/words.js";
import { WORDS } from "./words.js";

/** What the tiny model learns with: seconds on one core, and a style that one sees. */
const TINY_CONFIG: Config = {
  max_steps: 120,
  learning_rate: 5e-3,
  lr_scheduler_type: "cosine",
  per_device_train_batch_size: 4,
  max_length: 128,
  packing: true,
  peft: { peft_type: "LORA", r: 8 },
  sample_prompts: ["It is the"],
  sample_steps: 40,
};

function facts(document: OpenedDocument): string {
  return document.kind === "model"
    ? `${whole(document.parameters)} parameters · ${document.layers} layers of width ${document.width} · ${whole(document.vocabulary)} tokens · ${bytes(document.bytes)}`
    : `${whole(document.examples)} passages · ${whole(document.trained)} of ${whole(document.tokens)} tokens are trained on · ${bytes(document.bytes)}`;
}

/** What is open. */
function Opened({ documents }: { readonly documents: readonly OpenedDocument[] }): JSX.Element {
  return (
    <ul class="documents">
      {documents.map((one) => (
        <li key={one.id}>
          <span class="kind">{one.kind === "model" ? WORDS.model : WORDS.data}</span>
          <strong>{one.name}</strong>
          <span class="facts">{facts(one)}</span>
        </li>
      ))}
    </ul>
  );
}

/** Runs of before: each is shown by a click, and goes on where it stands. */
function Runs(): JSX.Element | null {
  const session = useSession();
  const runs = [...session.runs.value.values()].filter(({ summary, state }) => summary.value && state.value.phase !== "idle").toReversed();
  if (runs.length === 0) return null;
  const show = (id: string): void => {
    session.current.value = id;
    go("train");
  };
  return (
    <section class="runs" aria-labelledby="runs">
      <h2 id="runs">{WORDS.runs}</h2>
      <ul>
        {runs.map(({ id, state, summary }) => (
          <li key={id}>
            <span>
              <strong>{nameOf(summary.value!)}</strong>
              <span class="hint">{stateWords(state.value, Date.now())}</span>
            </span>
            <button onClick={() => show(id)}>{WORDS.show}</button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What a run is called: its model, and when it began. */
const nameOf = ({ source, createdAt }: RunSummary): string =>
  `Tiny ${source.tiny}, ${new Date(createdAt).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}`;

/** The first screen: what is open, and the tiny model for whoever has none. */
export function OpenScreen(): JSX.Element {
  const session = useSession();
  const [opening, setOpening] = useState(false);
  const { device, documents, isBusy } = session;
  const tryTiny = async (): Promise<void> => {
    setOpening(true);
    const started = await session.attempt(async () => {
      await session.openTiny();
      await session.start({ tiny: "llama" }, TINY_CONFIG);
    });
    setOpening(false);
    if (started) go("train");
  };
  const ready = device.value !== undefined && !isBusy.value && !opening;
  return (
    <div class="open">
      <section class="hero">
        <h1>{WORDS.title}</h1>
        <p class="lead">{WORDS.lead}</p>
      </section>
      <section class="start" aria-labelledby="tiny">
        {documents.value.length === 0 ? <p class="empty">{WORDS.empty}</p> : <Opened documents={documents.value} />}
        <p>
          <button id="tiny" class="primary" disabled={!ready} onClick={() => void tryTiny()}>
            {WORDS.tiny}
          </button>
        </p>
        <p class="hint">{opening ? WORDS.opening : WORDS.tinyLead}</p>
      </section>
      <Runs />
      {device.value && !device.value.isolated && (
        <Notice kind="warning">
          <p>
            {WORDS.noThreads} <button onClick={reloadIsolated}>{WORDS.reload}</button>
          </p>
        </Notice>
      )}
      <p class="private">{WORDS.private(foreignRequests.value)}</p>
    </div>
  );
}
