import type { JSX } from "preact";
import { useSession } from "../../state/context.js";
import { SETUP } from "./setup-words.js";

/** Which model is trained on which data. */
export function SourceFields(): JSX.Element {
  const { draft } = useSession();
  const source = draft.source.value;
  const [model, data] = source && "model" in source ? [source.model.id, source.data.id] : [];
  return (
    <div class="fields">
      <label class="field">
        <span>{SETUP.model}</span>
        <select value={model} onChange={(event) => (draft.model.value = event.currentTarget.value)}>
          {draft.models.value.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>{SETUP.data}</span>
        <select value={data} onChange={(event) => (draft.data.value = event.currentTarget.value)}>
          {draft.datasets.value.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}
