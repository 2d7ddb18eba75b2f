import { expectedOf, type TrainField } from "@weft/fine-tuning/fields";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useSession } from "../../state/context.js";
import { SETUP } from "./setup-words.js";
import { isNumber, textOf, valueOf } from "./setting-values.js";

/** `learning rate (default: 2e-4)`: what is set where nothing is given. */
const usual = ({ help }: TrainField): string => /\(default: ([^)]+)\)/.exec(help)?.[1] ?? "";

/** What a setting is, and its flag on the command line. */
function Help({ field: { help, flag } }: { readonly field: TrainField }): JSX.Element {
  return (
    <>
      {help.replace(/ \(default: [^)]+\)/, "")}
      {flag !== undefined && <code>{flag}</code>}
    </>
  );
}

/** A setting under its name in files and, as a hint, on the command line. */
export function SettingField({ field, label }: { readonly field: TrainField; readonly label?: string }): JSX.Element {
  const { draft } = useSession();
  const { name, kind, choices, help } = field;
  const value = draft.get(name);
  const [text, write] = useState(textOf(field, value));
  // An offer, or another field of the same setting, may have changed it.
  useEffect(() => {
    if (JSON.stringify(valueOf(field, text)) !== JSON.stringify(value)) write(textOf(field, value));
  }, [JSON.stringify(value)]);
  const id = `${label === undefined ? "all" : "few"}-${name}`;
  const expected = value === undefined ? undefined : expectedOf(field, value);
  const described = { id, "aria-describedby": `${id}-help`, "aria-invalid": expected !== undefined };
  const taken = (given: string): void => {
    write(given);
    draft.set(name, valueOf(field, given));
  };
  if (kind === "switch")
    return (
      <div class="field">
        <label class="check">
          <input
            {...described}
            type="checkbox"
            checked={value === true}
            onChange={() => draft.set(name, value === true ? undefined : true)}
          />
          {label ?? name}
        </label>
        <span id={`${id}-help`} class="hint">
          {help}
        </span>
      </div>
    );
  return (
    <div class="field">
      <label for={id}>{label ?? name}</label>
      {choices ? (
        <select {...described} value={String(value ?? "")} onChange={(event) => taken(event.currentTarget.value)}>
          <option value="">{SETUP.usual(usual(field))}</option>
          {choices.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      ) : kind === "texts" || kind === "map" ? (
        <textarea {...described} rows={2} value={text} onInput={(event) => taken(event.currentTarget.value)} />
      ) : (
        <input
          {...described}
          type="text"
          inputMode={isNumber(field) ? "decimal" : "text"}
          autocomplete="off"
          spellcheck={false}
          placeholder={usual(field)}
          value={text}
          onInput={(event) => taken(event.currentTarget.value)}
        />
      )}
      <span id={`${id}-help`} class={expected === undefined ? "hint" : "wrong"}>
        {expected !== undefined ? SETUP.expected(expected) : label === undefined && <Help field={field} />}
      </span>
    </div>
  );
}
