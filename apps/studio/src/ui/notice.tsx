import type { ComponentChildren, JSX } from "preact";
import type { Failure } from "../protocol/values.js";

/** A line that says what is the matter, with what can be done. */
export function Notice({
  kind,
  children,
}: {
  readonly kind: "info" | "good" | "warning" | "error";
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <div class={`notice ${kind}`} role={kind === "error" ? "alert" : undefined}>
      {children}
    </div>
  );
}

/** A failure: what, and what to do. */
export function FailureNotice({ failure: { message, hint } }: { readonly failure: Failure }): JSX.Element {
  return (
    <Notice kind="error">
      <p>
        <strong>{capitalised(message)}.</strong>
        {hint !== undefined && ` ${capitalised(hint)}.`}
      </p>
    </Notice>
  );
}

/** As a sentence without its end; names of files and settings keep their spelling. */
const capitalised = (text: string): string =>
  (/^[a-z]+[ ,]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text).replace(/\.$/, "");
