import { expectedOf, type FieldGroup } from "@weft/fine-tuning/fields";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Offer } from "../../protocol/answers.js";
import { STUDIO_FIELDS } from "../../protocol/fields.js";
import type { Source } from "../../protocol/values.js";
import { useSession } from "../../state/context.js";
import { FailureNotice, Notice } from "../../ui/notice.js";
import { useAnswer } from "../../ui/use-answer.js";
import { commandText } from "./command-text.js";
import { SettingField } from "./setting-field.js";
import { SETUP } from "./setup-words.js";
import { SourceFields } from "./source-fields.js";

const GROUPS = [...new Set(STUDIO_FIELDS.map(({ group }) => group))] as readonly FieldGroup[];
const FEW = Object.keys(SETUP.few).map((name) => STUDIO_FIELDS.find((field) => field.name === name)!);

/** Settings that an offer changes. */
const SETTING_OF: { readonly [offer: string]: string } = {
  "gradient-checkpointing": "gradient_checkpointing",
  "batch-size": "per_device_train_batch_size",
  "max-length": "max_length",
  rank: "peft.r",
};

/** What it takes, how it would take less, and the button that starts it. */
function PlanOf({ source, isWrong }: { readonly source: Source; readonly isWrong: boolean }): JSX.Element {
  const session = useSession();
  const { draft, isBusy } = session;
  const config = draft.config.value;
  const key = isWrong || isBusy.value ? undefined : JSON.stringify([source, config]);
  const { value, failure, isAsking } = useAnswer(key, () => session.plan(source, config), 600);
  const take = ({ name, value: to }: Offer): void => draft.set(SETTING_OF[name]!, to ?? true);
  const start = (): void => void session.attempt(() => session.start(source, config));
  const told = isWrong ? SETUP.mend : isBusy.value ? SETUP.busy : value && !isAsking ? SETUP.ready(value) : SETUP.working;
  return (
    <section class="plan" aria-label="What it takes">
      <div class="headline">
        <p class="told" aria-live="polite">
          {failure ? "" : told}
        </p>
        <button class="primary" disabled={isWrong || isBusy.value || failure !== undefined} onClick={start}>
          {SETUP.start}
        </button>
      </div>
      {failure && <FailureNotice failure={failure} />}
      {value && <p class="hint">{SETUP.detail(value)}</p>}
      {value && value.offers.length > 0 && (
        <p class="offers">
          <span class="hint">{SETUP.smaller}</span>
          {value.offers.map((one) =>
            Object.hasOwn(SETTING_OF, one.name) ? (
              <button key={one.name} class="quiet" onClick={() => take(one)}>
                {SETUP.offer(one)}
              </button>
            ) : (
              <span key={one.name} class="hint">
                {SETUP.offer(one)}
              </span>
            ),
          )}
        </p>
      )}
    </section>
  );
}

/** A training before it starts: few fields, all of them, and what it takes. */
export function Setup({ source }: { readonly source: Source }): JSX.Element {
  const { draft, run } = useSession();
  const [copied, setCopied] = useState(false);
  const [open, setOpen] = useState(false);
  const config = draft.config.value;
  const isWrong = STUDIO_FIELDS.some((field) => {
    const value = draft.get(field.name);
    return value !== undefined && expectedOf(field, value) !== undefined;
  });
  const copy = async (): Promise<void> => {
    const [model, data] = "model" in source ? [source.model.name, source.data.name] : ["", ""];
    await navigator.clipboard.writeText(commandText(model, data, config));
    setCopied(true);
  };
  return (
    <div class="stack setup">
      <div class="headline">
        <h1>{SETUP.title}</h1>
        {run.value && <button onClick={() => (draft.isShown.value = false)}>{SETUP.back}</button>}
      </div>
      <SourceFields />
      <div class="fields">
        {FEW.map((field) => (
          <SettingField key={field.name} field={field} label={SETUP.few[field.name]!} />
        ))}
      </div>
      <PlanOf source={source} isWrong={isWrong} />
      {isWrong && (
        <Notice kind="warning">
          <p>{SETUP.mend}</p>
        </Notice>
      )}
      <p class="actions">
        <a class="button" href="#data">
          {SETUP.mask}
        </a>
        <button onClick={() => void copy()}>{SETUP.copy}</button>
        <span class="hint" aria-live="polite">
          {copied ? SETUP.copied : ""}
        </span>
      </p>
      <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>{SETUP.all}</summary>
        {open &&
          GROUPS.map((group) => (
            <section key={group} class="group" aria-labelledby={`group-${group}`}>
              <h2 id={`group-${group}`}>{SETUP.groups[group]}</h2>
              <div class="fields">
                {STUDIO_FIELDS.filter((field) => field.group === group).map((field) => (
                  <SettingField key={field.name} field={field} />
                ))}
              </div>
            </section>
          ))}
      </details>
    </div>
  );
}
