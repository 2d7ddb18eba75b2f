import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { RunSummary } from "../../protocol/commands.js";
import type { PickedFile } from "../../files/picked-file.js";
import type { Refused } from "../../protocol/answers.js";
import type { Config } from "../../protocol/values.js";
import { reloadIsolated } from "../../service-worker.js";
import { useSession } from "../../state/context.js";
import { foreignRequests } from "../../state/privacy.js";
import { go } from "../../state/route.js";
import { FailureNotice, Notice } from "../../ui/notice.js";
import { stateWords } from "../train/words.js";
import { Documents } from "./documents.js";
import { DropZone } from "./drop-zone.js";
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

/** Runs of before: each is shown by a click, and goes on where it stands. */
function Runs(): JSX.Element | null {
  const session = useSession();
  const runs = [...session.runs.value.values()].filter(({ summary, state }) => summary.value && state.value.phase !== "idle").toReversed();
  if (runs.length === 0) return null;
  const show = (id: string): void => {
    session.current.value = id;
    session.draft.isShown.value = false;
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
  `${"tiny" in source ? `Tiny ${source.tiny}` : `${source.model.name} on ${source.data.name}`}, ${new Date(createdAt).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}`;

/** The first screen: what is dropped is opened, and the tiny model is there for whoever has none. */
export function OpenScreen(): JSX.Element {
  const session = useSession();
  const [opening, setOpening] = useState<"tiny" | "files">();
  const [refused, setRefused] = useState<readonly Refused[]>([]);
  const { device, documents, isBusy, reading, draft } = session;
  const tryTiny = async (): Promise<void> => {
    setOpening("tiny");
    const started = await session.attempt(async () => {
      await session.openTiny();
      await session.start({ tiny: "llama" }, TINY_CONFIG);
    });
    setOpening(undefined);
    if (started) go("train");
  };
  const openFiles = async (files: readonly PickedFile[]): Promise<void> => {
    setOpening("files");
    setRefused([]);
    await session.attempt(async () => setRefused(await session.openFiles(files)));
    setOpening(undefined);
  };
  const setUp = (): void => {
    draft.isShown.value = true;
    go("train");
  };
  const here = device.value !== undefined && opening === undefined;
  const isEmpty = documents.value.length === 0;
  const told =
    reading.value && opening === "files" ? WORDS.reading(reading.value.what, reading.value.done, reading.value.total) : WORDS.looking;
  return (
    <div class="open">
      <section class="hero">
        <h1>{WORDS.title}</h1>
        <p class="lead">{WORDS.lead}</p>
      </section>
      {!isEmpty && (
        <section class="start" aria-label="What is open">
          <Documents documents={documents.value} />
          {draft.source.value && (
            <p>
              <button class="primary" onClick={setUp}>
                {WORDS.setUp}
              </button>
            </p>
          )}
        </section>
      )}
      <DropZone disabled={!here} onFiles={(files) => void openFiles(files)}>
        <p class={isEmpty ? "empty" : undefined}>{opening === "files" ? told : isEmpty ? WORDS.empty : WORDS.more}</p>
        <p class="hint">{WORDS.kindsOfFiles}</p>
      </DropZone>
      {refused.map(({ name, failure }) => (
        <FailureNotice key={name} failure={failure} />
      ))}
      <section class="tiny">
        <button class={isEmpty ? "primary" : undefined} disabled={!here || isBusy.value} onClick={() => void tryTiny()}>
          {WORDS.tiny}
        </button>
        <p class="hint">{opening === "tiny" ? WORDS.opening : WORDS.tinyLead}</p>
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
