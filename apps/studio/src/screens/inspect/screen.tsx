import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Inspection } from "../../protocol/answers.js";
import { useSession } from "../../state/context.js";
import { bytes } from "../../ui/format.js";
import { FailureNotice, Notice } from "../../ui/notice.js";
import { useAnswer } from "../../ui/use-answer.js";
import { facts } from "../open/documents.js";
import { WORDS } from "./words.js";

/** Rows that a table has at most: what is looked for is found by its name. */
const MOST_ROWS = 500;

function Tensors({ tensors }: { readonly tensors: Inspection["tensors"] }): JSX.Element {
  const [wanted, find] = useState("");
  const found = tensors.filter(({ name }) => name.includes(wanted.trim()));
  return (
    <section class="stack" aria-labelledby="tensors">
      <div class="choices">
        <h2 id="tensors">{WORDS.tensors}</h2>
        <label class="field inline">
          <span class="unseen">{WORDS.find}</span>
          <input type="search" placeholder={WORDS.find} value={wanted} onInput={(event) => find(event.currentTarget.value)} />
        </label>
        <span class="hint" aria-live="polite">
          {WORDS.count(Math.min(found.length, MOST_ROWS), tensors.length)}
        </span>
      </div>
      <div class="scroll tall" tabIndex={0} role="region" aria-label={WORDS.list}>
        <table>
          <thead>
            <tr>
              <th scope="col" class="left">
                {WORDS.name}
              </th>
              <th scope="col">{WORDS.shape}</th>
              <th scope="col">{WORDS.dtype}</th>
              <th scope="col">{WORDS.bytes}</th>
            </tr>
          </thead>
          <tbody>
            {found.slice(0, MOST_ROWS).map(({ name, shape, dtype, bytes: size }) => (
              <tr key={name}>
                <th scope="row" class="left code">
                  {name}
                </th>
                <td>{shape.join(" × ") || "1"}</td>
                <td>{dtype}</td>
                <td>{bytes(size)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Fits({ fits }: { readonly fits: Inspection["fits"] }): JSX.Element {
  if (fits.length === 0) return <p class="empty">{WORDS.noModel}</p>;
  return (
    <>
      {fits.map(({ model, lines, whole }) => (
        <Notice key={model} kind={whole ? "good" : "warning"}>
          <p>
            <strong>{whole ? WORDS.fits(model) : WORDS.fitsNot(model)}.</strong> {lines[0]}
          </p>
          {lines.length > 1 && (
            <ul class="plain">
              {lines.slice(1).map((line) => (
                <li key={line}>{line}</li>
              ))}
            </ul>
          )}
        </Notice>
      ))}
    </>
  );
}

/** What is in a model or an adapter, and whether an adapter fits. */
export function InspectScreen(): JSX.Element {
  const session = useSession();
  const shown = session.documents.value.filter(({ kind }) => kind !== "data");
  const one = shown.find(({ id }) => id === session.inspected.value) ?? shown.at(-1);
  const models = shown.filter(({ kind }) => kind === "model").map(({ id }) => id);
  const { value, failure } = useAnswer(one && [one.id, ...models].join(), () => session.inspect(one!.id));
  if (!one)
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
        <div>
          <h1>{one.name}</h1>
          <p class="hint">
            {facts(one)}
            {one.kind === "adapter" && one.base !== null && ` · ${WORDS.base(one.base)}`}
          </p>
        </div>
        {shown.length > 1 && (
          <label class="field inline">
            <span>{WORDS.which}</span>
            <select value={one.id} onChange={(event) => (session.inspected.value = event.currentTarget.value)}>
              {shown.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      {failure && <FailureNotice failure={failure} />}
      {value ? (
        <>
          {one.kind === "adapter" && <Fits fits={value.fits} />}
          <Tensors tensors={value.tensors} />
        </>
      ) : (
        !failure && <p class="empty">{WORDS.reading}</p>
      )}
    </div>
  );
}
