import type { JSX } from "preact";
import type { OpenedDocument } from "../../protocol/values.js";
import { useSession } from "../../state/context.js";
import { go } from "../../state/route.js";
import { bytes, whole } from "../../ui/format.js";
import { WORDS } from "./words.js";

/** What a document is, in a line. */
export function facts(one: OpenedDocument): string {
  switch (one.kind) {
    case "model":
      return `${whole(one.parameters)} parameters · ${one.layers} layers of width ${one.width} · ${whole(one.vocabulary)} tokens · ${bytes(one.bytes)}`;
    case "adapter":
      return `${one.method}${one.rank === null ? "" : ` of rank ${one.rank}`} · ${whole(one.modules)} modules · ${bytes(one.bytes)}`;
    case "data":
      return `${whole(one.rows)} ${one.rows === 1 ? "row" : "rows"} · ${bytes(one.bytes)}`;
  }
}

/** What is open, each with what can be looked at. */
export function Documents({ documents }: { readonly documents: readonly OpenedDocument[] }): JSX.Element {
  const session = useSession();
  const look = (one: OpenedDocument): void => {
    if (one.kind === "data") {
      session.draft.data.value = one.id;
      return go("data");
    }
    session.inspected.value = one.id;
    go("inspect");
  };
  return (
    <ul class="documents">
      {documents.map((one) => (
        <li key={one.id}>
          <span class="kind">{WORDS.kinds[one.kind]}</span>
          <strong>{one.name}</strong>
          <span class="facts">{facts(one)}</span>
          <span class="actions">
            <button class="quiet" onClick={() => look(one)}>
              {one.kind === "data" ? WORDS.lookAtData : WORDS.inspect} <span class="unseen">{one.name}</span>
            </button>
            <button class="quiet" onClick={() => void session.attempt(() => session.close(one.id))}>
              {WORDS.close} <span class="unseen">{one.name}</span>
            </button>
          </span>
        </li>
      ))}
    </ul>
  );
}
